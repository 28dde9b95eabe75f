/** Stands in for widgets until their renderer exists: the text they offer for copying, in a card. */
import type { JSX } from 'preact';
import { useUi } from '../context';
import { Markdown } from '../markdown';
import type { ItemProps } from './item-view';

export function WidgetPlaceholder({ entry }: ItemProps): JSX.Element | null {
  const { t } = useUi();
  const { item } = entry.value;
  if (item.type !== 'widget') return null;
  const text = item.copy_text ?? '';
  return <div class="card">{text === '' ? <p class="quiet">{t('item.unsupported')}</p> : <Markdown text={text} />}</div>;
}
