/** Markdown that does not stream: notices, disclaimers, task details. */
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { MarkdownView } from '../md/stream';
import { useRenderContext } from './render-context';

export function Markdown({ text }: { readonly text: string }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const context = useRenderContext();
  useLayoutEffect(() => {
    if (host.current === null) return;
    host.current.replaceChildren();
    new MarkdownView(host.current, context).render(text, true);
  }, [text, context]);
  return <div class="markdown" dir="auto" ref={host} />;
}
