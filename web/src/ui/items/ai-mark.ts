/**
 * What the EU's AI Act (Regulation 2024/1689, Art. 50(2)) asks of text and pictures that a machine made: a mark that
 * machines can read. The time is the item's own; the model is the one that the message asked for, since
 * the protocol does not say which one answered.
 */
import type { ThreadItem } from '../../core/protocol';

export type AiMark = Readonly<Record<`data-${string}`, string | undefined>>;

export function aiMark({ created_at }: ThreadItem, model: string | null | undefined): AiMark {
  return { 'data-generated-by': 'ai', 'data-generated-at': created_at, 'data-model': model ?? undefined };
}
