/** A message and everything that answers it, with the row of actions below. */
import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Turn } from '../store/signals';
import { Boundary } from './boundary';
import { useUi } from './context';
import { ItemView, reportBroken } from './items/item-view';
import { TurnActions } from './turn-actions';

interface TurnProps {
  readonly turn: Turn;
  readonly last: boolean;
  /** Whether a message was sent in this view: then the last turn reserves a screen's height. */
  readonly fresh: boolean;
  readonly children: ComponentChildren;
}

export function TurnView({ turn, last, fresh, children }: TurnProps): JSX.Element {
  const { chat } = useUi();
  const { transcript } = chat;
  const running = last && chat.isAnswering.value;
  const asked = turn.entries[0] === undefined ? null : transcript.entry(turn.entries[0]).value.item;
  const model = asked?.type === 'user_message' ? asked.inference_options?.model : null;
  const node = useRef<HTMLDivElement>(null);
  // Turns out of view are not laid out. One that was on the screen leaves its real height behind:
  // a guess would move everything below it under the reader's eyes.
  const measured = useRef(last);
  const mountedAbove = useRef(!last);
  useLayoutEffect(() => {
    const element = node.current;
    if (element === null || last) return;
    if (measured.current) element.style.setProperty('contain-intrinsic-block-size', `auto ${element.offsetHeight}px`);
    measured.current = false;
    element.toggleAttribute('data-settled', true);
  }, [last]);
  const kind = last ? (fresh ? 'turn last fresh' : 'turn last') : 'turn';
  return (
    <div ref={node} class={kind} data-settled={mountedAbove.current ? '' : undefined}>
      {turn.entries.map((entry) => (
        <ItemView key={entry.key} entry={transcript.entry(entry)} model={model} />
      ))}
      {children}
      {!running && (
        <Boundary of={turn} otherwise={null} onFail={(error) => reportBroken('what belongs below an answer', error)}>
          <TurnActions turn={turn} last={last} />
        </Boundary>
      )}
    </div>
  );
}
