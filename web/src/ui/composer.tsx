/** The text field and what belongs to it: files, tools, model, send and stop. A real `<textarea>`. */
import { batch, useSignal, useSignalEffect } from '@preact/signals';
import { ArrowUp, AtSign, ChevronDown, Lock, SlidersHorizontal, Square, X } from 'lucide';
import type { ButtonHTMLAttributes, JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { InferenceOptions } from '../core/protocol';
import { mayAttach } from '../element/options';
import { Icon } from '../icons/icon';
import { contentOf, tagsIn } from '../store/tags';
import { AttachButton } from './attach-button';
import { ComposerContext } from './composer-context';
import { useOptions, useUi } from './context';
import { Dictation } from './dictation';
import { DraftList } from './draft-list';
import { pasteFiles } from './file-drop';
import { SuggestionList, useSuggestions, type Choice } from './suggestions';

/** Browsers without `field-sizing` get their height from here. */
const GROWS_BY_ITSELF = typeof CSS !== 'undefined' && CSS.supports('field-sizing', 'content');
const MAX_HEIGHT = 220;

function isWrapped(element: HTMLTextAreaElement): boolean {
  const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(element);
  return element.scrollHeight - parseFloat(paddingTop) - parseFloat(paddingBottom) > parseFloat(lineHeight) * 1.5;
}

export function Composer(): JSX.Element {
  const ui = useUi();
  const { attachments, chat, t, focusRequests, selection, id } = ui;
  const options = useOptions();
  const { composer } = options;
  const field = useRef<HTMLTextAreaElement>(null);
  const composing = useRef(false);
  const form = useRef<HTMLFormElement>(null);
  const opened = useRef<HTMLElement | null>(null);
  const suggestions = useSuggestions(field, () => form.current?.querySelector<HTMLInputElement>('input[type=file]')?.click());
  const status = chat.transcript.thread.value?.status ?? { type: 'active' as const };
  const tool = composer.tools.find((candidate) => candidate.id === selection.tool.value) ?? null;
  const model =
    composer.models.find((candidate) => candidate.id === selection.model.value) ??
    composer.models.find((candidate) => candidate.isDefault && !candidate.disabled) ??
    composer.models.find((candidate) => !candidate.disabled) ??
    null;

  useSignalEffect(() => {
    if (focusRequests.value > 0) field.current?.focus({ preventScroll: true });
  });
  const draft = chat.draft.value;
  const tall = useSignal(false);
  useLayoutEffect(() => {
    const element = field.current;
    if (element === null) return;
    // Once tall, it stays so until it is empty: the wider field may hold on one line what the narrow one could not.
    if (draft === '') tall.value = false;
    else if (!tall.peek()) tall.value = draft.includes('\n') || isWrapped(element);
    if (GROWS_BY_ITSELF) return;
    element.style.height = 'auto';
    element.style.height = `${Math.min(element.scrollHeight, MAX_HEIGHT)}px`;
  }, [draft]);

  if (status.type === 'closed') {
    return (
      <div class="composer-closed" role="status">
        <Icon of={Lock} size={16} />
        <span>{status.reason ?? t('composer.closed')}</span>
      </div>
    );
  }
  const locked = status.type === 'locked';
  const stoppable = chat.isAnswering.value && chat.transcript.allowCancel.value;
  const obstacle = attachments.obstacle.value;
  const canSend = !locked && chat.turns.maySend.value && obstacle === null && (draft.trim() !== '' || !attachments.isEmpty.value);
  const simple = composer.tools.length === 0 && model === null;
  const attach = mayAttach(options) ? <AttachButton disabled={locked} /> : null;
  const refocus = (): void => field.current?.focus();
  const mention = options.entities.search !== null && options.entities.hasMenu && (
    <button type="button" class="icon-button attach" aria-label={t('composer.mention')} title={t('composer.mention')} disabled={locked} onClick={() => insertAt(field.current)}>
      <Icon of={AtSign} />
    </button>
  );

  const send = (): void => {
    if (!canSend) return;
    const inference: InferenceOptions = {
      ...(tool === null ? {} : { tool_choice: { id: tool.id } }),
      ...(model === null ? {} : { model: model.id }),
    };
    const content = contentOf(draft, chat.tags.value);
    const quotedText = chat.quote.value;
    suggestions.close();
    batch(() => {
      chat.draft.value = '';
      chat.tags.value = [];
      chat.quote.value = null;
    });
    if (tool?.persistent === false) selection.selectTool(null);
    // Files alone are a message too.
    void chat.send({ content, attachments: attachments.take(), inference, ...(quotedText === null ? {} : { quotedText }) });
  };
  const placeholder = locked
    ? (status.reason ?? t('composer.locked'))
    : (tool?.placeholder ?? composer.placeholder ?? t('composer.placeholder'));
  const listId = `${id}-suggestions`;
  /** What makes a button open a list. */
  const opener = (choice: Choice, chosen: string | null): ButtonHTMLAttributes => ({
    'aria-haspopup': 'listbox',
    'aria-expanded': suggestions.choice === choice,
    disabled: locked,
    // Pressed, a button would take the focus from the text field, which closes the list.
    onPointerDown: (event) => event.preventDefault(),
    onClick: (event) => {
      opened.current = event.currentTarget;
      suggestions.toggle(choice, chosen);
    },
  });
  return (
    <form
      ref={form}
      class={`composer${locked ? ' locked' : ''}${simple ? ' simple' : ''}${simple && tall.value && draft !== '' ? ' tall' : ''}`}
      part="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      onClick={(event) => {
        // The whole box acts as the field, as people expect of a box with a cursor in it.
        if (event.target === event.currentTarget) field.current?.focus();
      }}
    >
      <DraftList refocus={refocus} />
      <ComposerContext refocus={refocus} />
      {simple && attach}
      <textarea
        ref={field}
        part="input"
        rows={1}
        dir="auto"
        value={draft}
        placeholder={placeholder}
        aria-label={composer.placeholder ?? t('composer.input')}
        aria-describedby={locked ? `${id}-locked` : options.aiNotice === null ? undefined : `${id}-ai`}
        disabled={locked}
        enterkeyhint="send"
        onCompositionStart={() => (composing.current = true)}
        // Safari ends the composition just before the Enter that confirmed it.
        onCompositionEnd={() => setTimeout(() => (composing.current = false), 0)}
        onPaste={(event) => pasteFiles(event, ui)}
        onInput={({ currentTarget }) => {
          chat.draft.value = currentTarget.value;
          chat.tags.value = tagsIn(currentTarget.value, chat.tags.value);
          suggestions.look(currentTarget);
        }}
        onSelect={(event) => {
          if (suggestions.choice === null) suggestions.look(event.currentTarget);
        }}
        onBlur={() => suggestions.close()}
        // A `<textarea>` may not be called a combobox; these are what a text field may say of its list.
        aria-autocomplete={options.entities.search === null && !options.commands.enabled ? undefined : 'list'}
        aria-controls={suggestions.isOpen ? listId : undefined}
        aria-activedescendant={suggestions.isOpen ? `${listId}-${suggestions.active.value}` : undefined}
        onKeyDown={(event) => {
          if (suggestions.onKey(event)) return;
          if (event.key !== 'Enter' || event.shiftKey || composing.current) return;
          event.preventDefault();
          send();
        }}
      />
      {locked && (
        <span id={`${id}-locked`} class="visually-hidden">
          {status.reason ?? t('composer.locked')}
        </span>
      )}
      {obstacle !== null && (
        <span id={`${id}-obstacle`} class="visually-hidden">
          {t(obstacle === 'uploading' ? 'attach.sendUploading' : attachments.mayRetry.value ? 'attach.sendFailed' : 'attach.sendRefused')}
        </span>
      )}
      <div class="composer-bar">
        {!simple && attach}
        {mention}
        {composer.tools.length > 0 && (
          <div class="tools" role="group" aria-label={t('composer.tools')}>
            {composer.tools.some(({ pinned }) => !pinned) && (
              <button type="button" class="icon-button attach" aria-label={t('composer.tools')} title={t('composer.tools')} {...opener('tools', tool?.id ?? null)}>
                <Icon of={SlidersHorizontal} />
              </button>
            )}
            {composer.tools.filter((option) => option.pinned || option.id === tool?.id).map((option) => {
              const selected = option.id === tool?.id;
              return (
                <button
                  key={option.id}
                  type="button"
                  class="chip"
                  aria-pressed={selected}
                  disabled={locked}
                  title={option.label}
                  onClick={() => {
                    selection.selectTool(selected ? null : option.id);
                    if (!option.pinned) refocus();
                  }}
                >
                  <Icon of={option.icon} size={15} />
                  <span>{option.shortLabel}</span>
                  {!option.pinned && <Icon of={X} size={13} />}
                </button>
              );
            })}
          </div>
        )}
        {model !== null && (
          <button type="button" class="chip model" aria-label={`${t('composer.model')}: ${model.label}`} {...opener('models', model.id)}>
            <span>{model.label}</span>
            <Icon of={ChevronDown} size={14} />
          </button>
        )}
        <span class="grow" />
        {options.composer.dictation && <Dictation disabled={locked} refocus={refocus} />}
        {stoppable && (
          // Not disabled while stopping: the focus would be lost.
          <button type="button" part="send" class={canSend ? 'send beside' : 'send'} aria-label={t('composer.stop')} aria-disabled={chat.turns.isStopping.value} onClick={() => chat.stop()}>
            <Icon of={Square} size={13} filled />
          </button>
        )}
        {(!stoppable || canSend) && (
          <button type="submit" part="send" class="send" aria-label={t('composer.send')} aria-describedby={obstacle === null ? undefined : `${id}-obstacle`} disabled={!canSend}>
            <Icon of={ArrowUp} />
          </button>
        )}
      </div>
      {suggestions.isOpen && form.current !== null && <SuggestionList of={suggestions} anchor={(suggestions.choice === null ? null : opened.current) ?? form.current} id={listId} />}
    </form>
  );
}

/** Writes an `@` at the caret, as a key would. */
function insertAt(field: HTMLTextAreaElement | null): void {
  if (field === null) return;
  field.focus();
  const before = field.value.slice(0, field.selectionStart);
  field.setRangeText(before === '' || /\s$/.test(before) ? '@' : ' @', field.selectionStart, field.selectionEnd, 'end');
  field.dispatchEvent(new InputEvent('input', { bubbles: true }));
}
