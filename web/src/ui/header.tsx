/** Title, the page's own buttons, new chat and history. */
import { ArrowLeft, History, SquarePen } from 'lucide';
import type { JSX } from 'preact';
import type { HeaderAction } from '../element/options';
import { Icon } from '../icons/icon';
import { useOptions, useUi } from './context';

export function Header(): JSX.Element | null {
  const { chat, blocked, t } = useUi();
  const { header, history } = useOptions();
  if (!header.enabled) return null;
  const isBeside = chat.isHistoryBeside.value;
  const inHistory = chat.isCovered.value;
  const title = inHistory ? t('history.title') : (header.titleText ?? chat.transcript.thread.value?.title ?? '');
  const usable = blocked.value === null;
  const started = chat.threadId.value !== null || chat.transcript.turns.value.length > 0;
  const left = [header.leftAction !== null, inHistory];
  const right = [usable && history.enabled && !inHistory, usable && (started || inHistory), header.rightAction !== null];
  const buttons = Math.max(...[left, right].map((side) => side.filter(Boolean).length));
  return (
    <header class="header" part="header" style={{ '--buttons': buttons }}>
      <div class="header-side">
        {header.leftAction !== null && <CustomButton action={header.leftAction} />}
        {inHistory && (
          <button type="button" class="icon-button back" aria-label={t('header.back')} onClick={() => chat.hideHistory()}>
            <Icon of={ArrowLeft} />
          </button>
        )}
      </div>
      {(header.titleEnabled || inHistory) && <h2 class="header-title" part="title" dir="auto">{title}</h2>}
      <div class="header-side end">
        {usable && history.enabled && !inHistory && (
          <button
            type="button"
            class="icon-button history-button"
            aria-label={t('history.title')}
            aria-expanded={isBeside ? chat.historyOpen.value : undefined}
            onClick={() => {
              if (chat.historyOpen.value) chat.hideHistory();
              else void chat.showHistory();
            }}
          >
            <Icon of={History} />
          </button>
        )}
        {usable && (started || inHistory) && (
          <button type="button" class="icon-button" aria-label={t('header.new')} onClick={() => void chat.open(null)}>
            <Icon of={SquarePen} />
          </button>
        )}
        {header.rightAction !== null && <CustomButton action={header.rightAction} />}
      </div>
    </header>
  );
}

function CustomButton({ action }: { readonly action: HeaderAction }): JSX.Element {
  return (
    // Called in the click itself, so that the page may open windows or full screen.
    <button type="button" class="icon-button" aria-label={action.label ?? action.icon.replaceAll('-', ' ')} onClick={() => action.onClick()}>
      <Icon of={action.icon} />
    </button>
  );
}
