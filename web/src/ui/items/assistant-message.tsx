/**
 * An answer. Preact renders its frame; the text inside belongs to the Markdown view, which the
 * stream feeds directly, so a token never passes through a virtual tree.
 */
import { effect, useComputed, type ReadonlySignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { annotationsOf } from '../../core/items';
import { cancelFrame, onNextFrame } from '../../md/frame';
import { GrowingMarks } from '../../md/growing-marks';
import { withMarks } from '../../md/marks';
import { MarkdownView } from '../../md/stream';
import { endOfWords, WORD_WAITS_MS } from '../../md/whole-words';
import type { Entry } from '../../store/transcript';
import { citeButton, groupsOf, type Group } from '../cards';
import { useUi } from '../context';
import { useRenderContext } from '../render-context';
import type { ItemProps } from './item-view';

const positionsOf = (groups: readonly Group[]): number[] => groups.map(({ index }) => index);

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
    let view = new MarkdownView(element, context);
    let [text, complete, shown] = ['', false, 0];
    let waiting: ReturnType<typeof setTimeout> | undefined;
    const growing = new GrowingMarks<Group>();
    const draw = (): void => {
      const { item, live } = entry.peek();
      const part = item.type === 'assistant_message' ? item.content[index] : undefined;
      const whole = part?.text ?? '';
      clearTimeout(waiting);
      shown = live === undefined ? whole.length : endOfWords(whole, shown);
      if (shown < whole.length) waiting = setTimeout(showAll, WORD_WAITS_MS);
      const said = whole.slice(0, shown);
      const before = groups.current;
      const all = groupsOf(annotationsOf(part));
      const next = live === undefined ? withMarks(said, positionsOf(all)) : growing.grow(said, all, view.settled);
      if (next === text && complete === (live === undefined) && text !== '') return;
      text = next;
      complete = live === undefined;
      groups.current = complete ? all : growing.shown;
      // A button that is there already has the sources that were known then.
      if (complete && before.some((group, at) => group.sources.length !== all[at]?.sources.length)) {
        element.replaceChildren();
        view = new MarkdownView(element, context);
      }
      view.render(text, complete);
    };
    const showAll = (): void => {
      shown = Infinity;
      onNextFrame(draw);
    };
    const stop = effect(() => {
      const { live } = entry.value;
      if (live !== undefined) {
        onNextFrame(draw);
        return;
      }
      // What is already whole is drawn before the first paint; what grows waits for the frame.
      cancelFrame(draw);
      draw();
    });
    return () => {
      stop();
      clearTimeout(waiting);
      cancelFrame(draw);
    };
  }, [entry, index, context]);
  return <div class="markdown" dir="auto" ref={host} />;
}
