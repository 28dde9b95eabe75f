/** An image the assistant made: from its first outline to the final picture, which can be enlarged. */
import { useSignal } from '@preact/signals';
import { Download, ImageOff, X } from 'lucide';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../../icons/icon';
import { ownImage } from '../../md/safe-url';
import { useUi } from '../context';
import type { ItemProps } from './item-view';

export function GeneratedImage({ entry, mark }: ItemProps): JSX.Element | null {
  const { t } = useUi();
  const isLarge = useSignal(false);
  const broken = useSignal<string | null>(null);
  const { item, live } = entry.value;
  if (item.type !== 'generated_image') return null;
  const source = ownImage(item.image?.url ?? '', document.baseURI);
  const progress = item.progress ?? null;
  // What streams is unfinished until the item is done, or says that it is whole.
  const isPartial = live === true && (progress === null || progress < 1);
  if (source === null && !isPartial) return <Missing />;
  if (source !== null && broken.value === source) return <Missing />;
  return (
    <figure class={isPartial ? 'image partial' : 'image'} {...mark}>
      {source === null ? (
        <div class="skeleton image" role="img" aria-label={t('image.pending')} />
      ) : (
        <button type="button" class="image-open" aria-label={t('image.open')} disabled={isPartial} onClick={() => (isLarge.value = true)}>
          <img class="generated-image" src={source} alt={isPartial ? t('image.pending') : t('image.alt')} referrerpolicy="no-referrer" onError={() => (broken.value = source)} />
        </button>
      )}
      {isPartial && (
        <div class="image-progress" role="progressbar" aria-label={t('image.pending')} {...(progress === null ? {} : { 'aria-valuenow': Math.round(clamp(progress) * 100), 'aria-valuemin': 0, 'aria-valuemax': 100 })}>
          <i style={progress === null ? {} : { inlineSize: `${clamp(progress) * 100}%` }} class={progress === null ? 'unknown' : ''} />
        </div>
      )}
      {isLarge.value && source !== null && <Lightbox source={source} onClose={() => (isLarge.value = false)} />}
    </figure>
  );
}

function clamp(progress: number): number {
  return Math.min(1, Math.max(0, progress));
}

function Missing(): JSX.Element {
  const { t } = useUi();
  return (
    <p class="image-missing quiet">
      <Icon of={ImageOff} size={16} />
      {t('image.failed')}
    </p>
  );
}

/** The picture over everything. The browser keeps the focus inside, and gives it back. */
function Lightbox({ source, onClose }: { readonly source: string; readonly onClose: () => void }): JSX.Element {
  const { t } = useUi();
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog
      ref={dialog}
      class="lightbox"
      aria-label={t('image.alt')}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === event.currentTarget) dialog.current?.close();
      }}
    >
      <img src={source} alt={t('image.alt')} referrerpolicy="no-referrer" />
      <div class="lightbox-bar">
        <a class="icon-button" href={source} download="" target="_blank" rel="noopener noreferrer" aria-label={t('image.download')} title={t('image.download')}>
          <Icon of={Download} />
        </a>
        <button type="button" class="icon-button" aria-label={t('action.close')} onClick={() => dialog.current?.close()}>
          <Icon of={X} />
        </button>
      </div>
    </dialog>
  );
}
