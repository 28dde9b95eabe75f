/**
 * An answer. Preact renders its frame; the text inside belongs to the Markdown view, which the
 * stream feeds directly, so a token never passes through a virtual tree.
 */
import { effect, useComputed, type ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { cancelFrame, onNextFrame } from '../../md/frame';
import { MarkdownView } from '../../md/stream';
import type { Entry } from '../../store/transcript';
import { useUi } from '../context';
import { useRenderContext } from '../render-context';
import type { ItemProps } from './item-view';

export function AssistantMessage({ entry }: ItemProps): JSX.Element {
  const { t } = useUi();
  const parts = useComputed(() => {
    const { item } = entry.value;
    return item.type === 'assistant_message' ? item.content.length : 0;
  });
  return (
    <article class="assistant-message">
      <h3 class="visually-hidden">{t('message.assistant')}</h3>
      {Array.from({ length: parts.value }, (_, index) => (
        <Part key={index} entry={entry} index={index} />
      ))}
    </article>
  );
}

function Part({ entry, index }: { readonly entry: ReadonlySignal<Entry>; readonly index: number }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const context = useRenderContext();
  useLayoutEffect(() => {
    const element = host.current;
    if (element === null) return;
    element.replaceChildren();
    const view = new MarkdownView(element, context);
    let text = '';
    let complete = false;
    const draw = (): void => view.render(text, complete);
    const stop = effect(() => {
      const { item, live } = entry.value;
      const part = item.type === 'assistant_message' ? item.content[index] : undefined;
      const next = part?.text ?? '';
      if (next === text && complete === (live === undefined) && text !== '') return;
      text = next;
      complete = live === undefined;
      // What is already whole is drawn before the first paint; what grows waits for the frame.
      if (complete) {
        cancelFrame(draw);
        draw();
      } else onNextFrame(draw);
    });
    return () => {
      stop();
      cancelFrame(draw);
    };
  }, [entry, index, context]);
  return <div class="markdown" dir="auto" ref={host} />;
}
