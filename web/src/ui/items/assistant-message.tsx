/**
 * An answer. Preact renders its frame; the text inside belongs to the Markdown view, which the
 * stream feeds directly, so a token never passes through a virtual tree.
 */
import { effect, useComputed, type ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { cancelFrame, onNextFrame } from '../../md/frame';
import { withMarks } from '../../md/marks';
import { MarkdownView } from '../../md/stream';
import type { Entry } from '../../store/transcript';
import { citeButton, groupsOf, type Group } from '../cards';
import { useUi } from '../context';
import { useRenderContext } from '../render-context';
import type { ItemProps } from './item-view';

export function AssistantMessage({ entry, mark }: ItemProps): JSX.Element {
  const { t } = useUi();
  const parts = useComputed(() => {
    const { item } = entry.value;
    return item.type === 'assistant_message' ? item.content.length : 0;
  });
  return (
    <article class="assistant-message" part="answer" {...mark}>
      <h3 class="visually-hidden">{t('message.assistant')}</h3>
      {Array.from({ length: parts.value }, (_, index) => (
        <Part key={index} entry={entry} index={index} />
      ))}
    </article>
  );
}

function Part({ entry, index }: { readonly entry: ReadonlySignal<Entry>; readonly index: number }): JSX.Element {
  const host = useRef<HTMLDivElement>(null);
  const { t } = useUi();
  const rendering = useRenderContext();
  const groups = useRef<readonly Group[]>([]);
  const context = useMemo(
    () => ({
      ...rendering,
      onMark: (group: number) => {
        const of = groups.current[group];
        return of === undefined ? null : citeButton(of, (title) => t('sources.cite', { title }));
      },
    }),
    [rendering],
  );
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
      // References stand in the text once it is whole: a mark that comes in the middle would move what is read.
      groups.current = live === undefined ? groupsOf(part?.annotations ?? []) : [];
      const next = withMarks(part?.text ?? '', groups.current.map(({ index: at }) => at));
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
