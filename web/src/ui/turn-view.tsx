/** A message and everything that answers it, with the row of actions below. */
import type { ComponentChildren, JSX } from 'preact';
import type { Turn } from '../store/signals';
import { useUi } from './context';
import { ItemView } from './items/item-view';
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
  const kind = last ? (fresh ? 'turn last fresh' : 'turn last') : 'turn';
  return (
    <div class={kind}>
      {turn.entries.map((entry) => (
        <ItemView key={entry.key} entry={transcript.entry(entry)} />
      ))}
      {children}
      {!running && <TurnActions turn={turn} />}
    </div>
  );
}
