/** An image the assistant made, from its first outline to the final picture. */
import type { JSX } from 'preact';
import { ownImage } from '../../md/safe-url';
import { useUi } from '../context';
import type { ItemProps } from './item-view';

export function GeneratedImage({ entry }: ItemProps): JSX.Element | null {
  const { t } = useUi();
  const { item } = entry.value;
  if (item.type !== 'generated_image') return null;
  const source = ownImage(item.image?.url ?? '', document.baseURI);
  if (source === null) return <div class="skeleton image" role="img" aria-label={t('image.pending')} />;
  return <img class="generated-image" src={source} alt={t('image.alt')} referrerpolicy="no-referrer" />;
}
