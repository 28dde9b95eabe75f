/**
 * A small picture of a file that is being attached. It is drawn on a canvas instead of shown from a
 * `blob:` address: a strict `img-src` of the page allows that, and no address has to be revoked.
 */
import { useSignal } from '@preact/signals';
import { FileText, Image } from 'lucide';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Icon } from '../icons/icon';
import type { Draft } from '../store/drafts';
import { previewOf } from './items/attachment';

/** Pixels of the canvas; twice what is shown, for dense screens. */
const EDGE = 88;
/** Decoding costs memory by the picture's area, so very large files show an icon. */
const MAX_BYTES = 40 * 1024 * 1024;

export function Thumbnail({ draft }: { readonly draft: Draft }): JSX.Element {
  const { file, state, mimeType } = draft;
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useSignal(false);
  const isImage = mimeType.startsWith('image/');
  useEffect(() => {
    if (file === null || !isImage || file.size > MAX_BYTES) return undefined;
    let isGone = false;
    void createImageBitmap(file, { resizeWidth: EDGE * 2, resizeQuality: 'medium' }).then(
      (bitmap) => {
        if (!isGone) drawn.value = drawCovering(canvas.current, bitmap);
        bitmap.close();
      },
      // Not a picture after all, or one that this browser cannot read: the icon stays.
      () => undefined,
    );
    return () => {
      isGone = true;
    };
  }, [file]);
  const preview = file === null && state.at === 'done' && state.attachment.type === 'image' ? previewOf(state.attachment) : null;
  return (
    <span class="thumb">
      {preview !== null ? <img src={preview} alt="" referrerpolicy="no-referrer" /> : <canvas ref={canvas} width={EDGE} height={EDGE} hidden={!drawn.value} aria-hidden="true" />}
      {preview === null && !drawn.value && <Icon of={isImage ? Image : FileText} size={20} />}
    </span>
  );
}

/** Draws the middle of a picture so that it fills the square. */
function drawCovering(canvas: HTMLCanvasElement | null, bitmap: ImageBitmap): boolean {
  const context = canvas?.getContext('2d') ?? null;
  if (context === null || bitmap.width === 0 || bitmap.height === 0) return false;
  const edge = Math.min(bitmap.width, bitmap.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, (bitmap.width - edge) / 2, (bitmap.height - edge) / 2, edge, edge, 0, 0, EDGE, EDGE);
  return true;
}
