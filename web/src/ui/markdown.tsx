/** Markdown outside messages: notices, disclaimers, details of steps, widgets. */
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { MarkdownView } from '../md/stream';
import { useRenderContext } from './render-context';

interface MarkdownProps {
  readonly text: string;
  /** Whether more of it may come: then only its end is built again. */
  readonly live?: boolean;
}

export function Markdown({ text, live = false }: MarkdownProps): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<MarkdownView | null>(null);
  const context = useRenderContext();
  useLayoutEffect(() => {
    host.current?.replaceChildren();
    view.current = host.current === null ? null : new MarkdownView(host.current, context);
  }, [context]);
  useLayoutEffect(() => view.current?.render(text, !live), [text, live, context]);
  return <div class="markdown" dir="auto" ref={host} />;
}
