/** The view of a new chat: a greeting and prompts to begin with. */
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import type { Prompt } from '../element/options';
import { useOptions, useUi } from './context';
import { Notices } from './notices';
import { TurnErrorView } from './turn-error';

export function StartScreen(): JSX.Element {
  const { chat, t } = useUi();
  const { startScreen } = useOptions();
  const start = (prompt: Prompt): void => {
    if (chat.phase.value === 'idle') void chat.send({ content: prompt.content });
  };
  return (
    <div class="start" part="start" tabIndex={-1}>
      <div class="start-inner">
        <h2 class="greeting" part="greeting" dir="auto">{startScreen.greeting ?? t('start.greeting')}</h2>
        {startScreen.prompts.length > 0 && (
          <ul class="prompts" aria-label={t('start.prompts')}>
            {startScreen.prompts.map((prompt, index) => (
              <li key={index}>
                <button type="button" class="prompt" part="prompt" onClick={() => start(prompt)}>
                  {prompt.icon !== null && <Icon of={prompt.icon} />}
                  <span dir="auto">{prompt.label}</span>
                </button>
              </li>
            ))}
          </ul>
        )}
        <Notices rest />
        <TurnErrorView />
      </div>
    </div>
  );
}
