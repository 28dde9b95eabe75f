/** Questions of the server with the answers given. Answering them comes in a later version. */
import type { JSX } from 'preact';
import { useUi } from '../context';
import type { ItemProps } from './item-view';

export function StructuredInput({ entry }: ItemProps): JSX.Element | null {
  const { t } = useUi();
  const { item } = entry.value;
  if (item.type !== 'structured_input') return null;
  return (
    <div class="card">
      {item.inputs.map((input) => {
        const values = input.answer?.values ?? [];
        return (
          <div key={input.id} class="question-block">
            <strong>{input.question}</strong>
            {(input.description ?? '') !== '' && <p class="quiet">{input.description}</p>}
            {item.status === 'pending' || item.status === undefined ? (
              <ul>
                {(input.options ?? []).map((option) => (
                  <li key={option.value}>{option.value}</li>
                ))}
              </ul>
            ) : (
              <p>{values.length > 0 ? values.join(', ') : t('structured.skipped')}</p>
            )}
          </div>
        );
      })}
    </div>
  );
}
