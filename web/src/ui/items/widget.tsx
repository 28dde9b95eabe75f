/**
 * A widget. What draws it is loaded with the first one; where it cannot be, or a widget cannot be drawn,
 * the text that the widget offers for copying stands in its place.
 */
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { WidgetItem as Item } from '../../core/protocol';
import { Boundary } from '../boundary';
import { useUi } from '../context';
import { Markdown } from '../markdown';
import type { ItemProps } from './item-view';

export function WidgetItem({ entry, mark }: ItemProps): JSX.Element | null {
  const { t, parts, log, id } = useUi();
  const { item, live, key } = entry.value;
  const { part, hasFailed, want } = parts.widgets;
  useEffect(want, []);
  if (item.type !== 'widget') return null;
  if (hasFailed.value) return <CopyText item={item} />;
  if (part.value === null) return <div class="skeleton widget-skeleton" role="status" aria-label={t('widget.loading')} />;
  const { Widget } = part.value;
  const failed = (error: unknown): void => {
    log('widget.failed', { itemId: item.id });
    // eslint-disable-next-line no-console -- whoever wrote the widget looks here first
    console.error('<openai-chatkit>: a widget could not be drawn; its copy text is shown.', error);
  };
  return (
    <div class="marked" {...mark}>
      <Boundary of={item.widget} otherwise={<CopyText item={item} />} onFail={failed}>
        <Widget item={item} live={live ?? false} scope={`${id}-${key}`} />
      </Boundary>
    </div>
  );
}

function CopyText({ item }: { readonly item: Item }): JSX.Element {
  const { t } = useUi();
  const text = item.copy_text ?? '';
  return <div class="card">{text === '' ? <p class="quiet">{t('item.unsupported')}</p> : <Markdown text={text} />}</div>;
}
