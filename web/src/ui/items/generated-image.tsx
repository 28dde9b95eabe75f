/** An image the assistant made, from its first outline to the final picture. */
import type { JSX } from 'preact';
import { safeLink } from '../../md/safe-url';
import { useUi } from '../context';
import type { ItemProps } from './item-view';

export function GeneratedImage({ entry }: ItemProps): JSX.Element | null {
  const { t } = useUi();
  const { item } = entry.value;
  if (item.type !== 'generated_image') return null;
  const source = imageOf(item.image?.url ?? '');
  if (source === null) return <div class="skeleton image" role="img" aria-label={t('image.pending')} />;
  return <img class="generated-image" src={source} alt={t('image.alt')} referrerpolicy="no-referrer" />;
}

/** The server put this image into the thread itself, so any web address or inline picture may load. */
function imageOf(url: string): string | null {
  if (/^data:image\/(?:png|jpeg|gif|webp);/i.test(url)) return url;
  return safeLink(url, document.baseURI);
}
