/** Questions of the server: which are open, and what an item looks like once they are answered. */
import type { StructuredInputItem, StructuredSubmission } from '../core/protocol';
import type { TranscriptSignals } from './signals';

/** The first questions of the last turn that nobody has answered; a later message has passed them over. */
export function pendingQuestions(transcript: TranscriptSignals): StructuredInputItem | null {
  for (const entry of transcript.turns.value.at(-1)?.entries ?? []) {
    if (entry.item.type !== 'structured_input') continue;
    const { item } = transcript.entry(entry).value;
    if (item.type === 'structured_input' && (item.status ?? 'pending') === 'pending' && item.inputs.length > 0) return item;
  }
  return null;
}

export function answeredItem(item: StructuredInputItem, { status, answers }: StructuredSubmission): StructuredInputItem {
  return { ...item, status, inputs: item.inputs.map((input) => ({ ...input, answer: answers[input.id] ?? { values: [], skipped: true } })) };
}
