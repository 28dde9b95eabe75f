/** Questions that were asked, with what was answered. The open ones are asked in place of the text field. */
import type { JSX } from 'preact';
import { useUi } from '../context';
import type { ItemProps } from './item-view';

export function StructuredInput({ entry }: ItemProps): JSX.Element | null {
  const { chat, parts, t } = useUi();
  const { item } = entry.value;
  if (item.type !== 'structured_input' || (chat.questions.value?.id === item.id && !parts.questions.hasFailed.value)) return null;
  const status = item.status ?? 'pending';
  return (
    <dl class="card answers">
      {item.inputs.map((input) => {
        const values = input.answer?.values ?? [];
        const isSkipped = status === 'skipped' || input.answer?.skipped === true;
        return (
          <div key={input.id}>
            <dt dir="auto">{input.question}</dt>
            {values.length > 0 && !isSkipped ? <dd dir="auto">{values.join(', ')}</dd> : <dd class="quiet">{t(isSkipped ? 'structured.skipped' : 'structured.unanswered')}</dd>}
          </div>
        );
      })}
    </dl>
  );
}
