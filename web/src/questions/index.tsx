/** Questions of the server in place of the text field: to choose, to write, or to skip, one by one or all at once. The entry of the part that the element loads with the first of them. */
import { useSignal, useSignalEffect, type Signal } from '@preact/signals';
import { ArrowUp, SkipForward } from 'lucide';
import type { JSX } from 'preact';
import { useRef } from 'preact/hooks';
import type { StructuredAnswer, StructuredQuestion } from '../core/protocol';
import { Icon } from '../icons/icon';
import { useUi } from '../ui/context';
import { useSheet } from '../ui/sheet';
import css from './questions.css';

/** What is filled in for one question. */
interface Filled {
  readonly chosen: readonly string[];
  readonly words: string;
  readonly skipped: boolean;
}

const NOTHING: Filled = { chosen: [], words: '', skipped: false };

export function QuestionPanel(): JSX.Element | null {
  const { chat, t, focusRequests, id } = useUi();
  const filled = useSignal<Readonly<Record<string, Filled>>>({});
  /** Questions that were left open when the answers were to be sent. */
  const open = useSignal<ReadonlySet<string>>(new Set());
  const form = useRef<HTMLFormElement>(null);
  useSignalEffect(() => {
    if (focusRequests.value > 0) form.current?.querySelector<HTMLElement>('input, textarea')?.focus({ preventScroll: true });
  });
  useSheet(form, css);
  const item = chat.questions.value;
  if (item === null) return null;
  const isBusy = chat.phase.value !== 'idle';
  const isMany = item.inputs.length > 1;
  const send = (): void => {
    if (isBusy) return;
    const answers = Object.fromEntries(item.inputs.map((input) => [input.id, answerOf(filled.value[input.id] ?? NOTHING)]));
    const left = item.inputs.filter((input) => answers[input.id]?.skipped === false && answers[input.id]?.values?.length === 0);
    open.value = new Set(left.map((input) => input.id));
    const [first] = left;
    if (first === undefined) void chat.answerQuestions(item, { status: 'answered', answers });
    else form.current?.querySelector<HTMLElement>(`[data-question="${CSS.escape(first.id)}"] :is(input, textarea)`)?.focus();
  };
  const skipAll = (): void => {
    if (isBusy) return;
    void chat.answerQuestions(item, { status: 'skipped', answers: Object.fromEntries(item.inputs.map((input) => [input.id, { values: [], skipped: true }])) });
  };
  return (
    <form
      ref={form}
      class="composer questions"
      aria-label={t('structured.form')}
      aria-busy={isBusy}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div class="question-list">
        {item.inputs.map((input, index) => (
          <Question key={input.id} input={input} name={`${id}-q${index}`} filled={filled} isOpen={open.value.has(input.id)} canSkip={isMany} />
        ))}
      </div>
      <div class="composer-bar">
        <button type="button" class="button" aria-disabled={isBusy} onClick={skipAll}>
          <Icon of={SkipForward} size={14} />
          {t(isMany ? 'structured.skipAll' : 'structured.skip')}
        </button>
        <span class="grow" />
        <button type="submit" class="send" aria-label={t('structured.send')} aria-disabled={isBusy}>
          <Icon of={ArrowUp} />
        </button>
      </div>
    </form>
  );
}

function answerOf({ chosen, words, skipped }: Filled): StructuredAnswer {
  return skipped ? { values: [], skipped: true } : { values: words.trim() === '' ? [...chosen] : [...chosen, words.trim()], skipped: false };
}

interface QuestionProps {
  readonly input: StructuredQuestion;
  readonly name: string;
  readonly filled: Signal<Readonly<Record<string, Filled>>>;
  readonly isOpen: boolean;
  readonly canSkip: boolean;
}

function Question({ input, name, filled, isOpen, canSkip }: QuestionProps): JSX.Element {
  const { t } = useUi();
  const { chosen, words, skipped } = filled.value[input.id] ?? NOTHING;
  const set = (change: Partial<Filled>): void => {
    filled.value = { ...filled.value, [input.id]: { ...(filled.value[input.id] ?? NOTHING), ...change } };
  };
  const isMultiple = input.multiple === true;
  const options = input.options ?? [];
  const description = input.description ?? '';
  const hints = [description === '' ? '' : `${name}-about`, isOpen && !skipped ? `${name}-open` : ''].filter((hint) => hint !== '').join(' ');
  const isFree = input.type === 'freeform' || options.length === 0;
  return (
    <fieldset class={skipped ? 'ask skipped' : 'ask'} data-question={input.id} aria-describedby={hints === '' ? undefined : hints}>
      <legend dir="auto">{input.question}</legend>
      {canSkip && (
        <button type="button" class="chip ask-skip" aria-pressed={skipped} aria-label={t('structured.skipThis', { question: input.question })} onClick={() => set({ skipped: !skipped })}>
          {t('structured.skip')}
        </button>
      )}
      {description !== '' && (
        <p id={`${name}-about`} class="quiet ask-about" dir="auto">
          {description}
        </p>
      )}
      {!isFree && (
        <div class="ask-options">
          {options.map(({ value }) => (
            <label key={value} class="ask-option">
              <input
                type={isMultiple ? 'checkbox' : 'radio'}
                name={name}
                value={value}
                checked={chosen.includes(value)}
                onChange={({ currentTarget: { checked } }) => set(isMultiple ? { skipped: false, chosen: checked ? [...chosen, value] : chosen.filter((other) => other !== value) } : { skipped: false, chosen: [value], words: '' })}
              />
              <span dir="auto">{value}</span>
            </label>
          ))}
        </div>
      )}
      <textarea
        class="ask-words"
        rows={1}
        dir="auto"
        value={words}
        placeholder={t(isFree ? 'structured.words' : 'structured.own')}
        aria-label={isFree ? input.question : `${t('structured.own')}: ${input.question}`}
        enterkeyhint="send"
        onInput={({ currentTarget: { value } }) => set({ words: value, skipped: false, ...(isMultiple || isFree || value.trim() === '' ? {} : { chosen: [] }) })}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey) return;
          event.preventDefault();
          event.currentTarget.form?.requestSubmit();
        }}
      />
      {isOpen && !skipped && (
        <p id={`${name}-open`} class="ask-open" role="alert">
          {t('structured.open')}
        </p>
      )}
    </fieldset>
  );
}
