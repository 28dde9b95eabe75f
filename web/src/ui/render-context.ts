/** What the Markdown renderer needs to know about this thread and page. */
import { useMemo } from 'preact/hooks';
import type { RenderContext } from '../md/dom';
import { useUi } from './context';

export function useRenderContext(): RenderContext {
  const { chat, t, parts } = useUi();
  const domains = chat.transcript.thread.value?.allowed_image_domains ?? null;
  const key = domains?.join(' ');
  return useMemo(
    () => ({ baseUri: document.baseURI, allowedImageDomains: domains, labels: { copy: t('action.copyCode'), done: t('task.complete'), open: t('task.open') }, onCode: parts.highlight, onFormula: parts.formula }),
    [key, t],
  );
}
