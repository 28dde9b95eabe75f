/** Copy, try again and feedback for one answer, and the sources it names. */
import { useSignal } from '@preact/signals';
import { Check, Copy, RotateCcw, ThumbsDown, ThumbsUp, type IconNode } from 'lucide';
import type { JSX } from 'preact';
import { annotationsOf } from '../core/items';
import type { Source, ThreadItem } from '../core/protocol';
import { Icon } from '../icons/icon';
import { MarkdownView } from '../md/stream';
import type { Turn } from '../store/signals';
import { copyText } from './clipboard';
import { useOptions, useUi } from './context';
import { COPIED_MS } from './markdown-clicks';
import { useRenderContext } from './render-context';
import { Sources } from './sources';

/** Items that make up an answer; markers and calls are not among them. */
const ANSWER_TYPES: ReadonlySet<string> = new Set(['assistant_message', 'widget', 'generated_image', 'workflow', 'task']);

/** `last`: a failure is shown below this answer, with its own way to try again. */
export function TurnActions({ turn, last }: { readonly turn: Turn; readonly last: boolean }): JSX.Element | null {
  const { chat, t } = useUi();
  const { threadItemActions } = useOptions();
  const items = turn.entries.map((entry) => chat.transcript.entry(entry).value.item);
  const answer = items.filter(({ type }) => ANSWER_TYPES.has(type));
  if (answer.length === 0) return null;
  const text = answer.map(textOf).filter((part) => part !== '').join('\n\n');
  const question = items[0]?.type === 'user_message' ? items[0] : null;
  const active = (chat.transcript.thread.value?.status ?? { type: 'active' }).type === 'active';
  const { error, cut, past } = chat.transcript;
  const keys = new Set(turn.entries.map(({ key }) => key));
  const failsNow = last && (error.value !== null || cut.value !== null);
  // Nobody can judge an answer that is not there; and one way to try again is enough.
  const isBroken = failsNow || past.value.some(({ after }) => keys.has(after));
  const ids = answer.map(({ id }) => id);
  const given = chat.feedback.value[turn.key];
  return (
    <>
      <Sources sources={sourcesOf(answer)} />
      <div class="turn-actions" part="actions">
        {text !== '' && <CopyButton text={text} />}
        {threadItemActions.feedback && !isBroken && (
          <>
            <Action of={ThumbsUp} label={t('action.feedbackPositive')} pressed={given === 'positive'} onClick={() => void chat.giveFeedback(turn.key, ids, 'positive')} />
            <Action of={ThumbsDown} label={t('action.feedbackNegative')} pressed={given === 'negative'} onClick={() => void chat.giveFeedback(turn.key, ids, 'negative')} />
          </>
        )}
        {threadItemActions.retry && active && !failsNow && question !== null && (
          <Action of={RotateCcw} label={t('action.retry')} disabled={chat.phase.value !== 'idle'} onClick={() => void chat.retryAfter(question.id)} />
        )}
      </div>
    </>
  );
}

interface ActionProps {
  readonly of: IconNode;
  readonly label: string;
  readonly pressed?: boolean;
  readonly disabled?: boolean;
  readonly onClick: () => void;
}

function Action({ of, label, pressed, disabled = false, onClick }: ActionProps): JSX.Element {
  return (
    <button type="button" class="icon-button small" aria-label={label} title={label} aria-pressed={pressed} disabled={disabled} onClick={onClick}>
      <Icon of={of} size={16} filled={pressed ?? false} />
    </button>
  );
}

function CopyButton({ text }: { readonly text: string }): JSX.Element {
  const { parts, t } = useUi();
  const { baseUri, allowedImageDomains, labels } = useRenderContext();
  const done = useSignal(false);
  const copy = (): void => {
    const view = document.createElement('div');
    new MarkdownView(view, { baseUri, allowedImageDomains, labels }).render(text, true);
    void copyText(text, parts.rich(view)).then((copied) => {
      if (!copied) return;
      done.value = true;
      setTimeout(() => (done.value = false), COPIED_MS);
    });
  };
  return <Action of={done.value ? Check : Copy} label={done.value ? t('action.copied') : t('action.copy')} onClick={copy} />;
}

function textOf(item: ThreadItem): string {
  if (item.type === 'assistant_message') return item.content.map((part) => part.text).join('\n\n');
  return item.type === 'widget' ? (item.copy_text ?? '') : '';
}

function sourcesOf(items: readonly ThreadItem[]): Source[] {
  const sources = items.flatMap((item) => (item.type === 'assistant_message' ? item.content : []))
    .flatMap(annotationsOf)
    .map(({ source }) => source);
  const seen = new Set<string>();
  return sources.filter((source) => {
    const key = `${source.type} ${source.type === 'url' ? source.url : source.type === 'file' ? source.filename : source.id}`;
    return !seen.has(key) && seen.add(key);
  });
}
