/** A choice from a list that unfolds: typed letters find, long lists have a search field, a choice may be taken back. */
import { useSignal } from '@preact/signals';
import { Check, ChevronDown, X } from 'lucide';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../icons/icon';
import { useUi } from '../ui/context';
import { Popover } from '../ui/popover';
import { CONTROL_SIZES, useChange } from './controls';
import { useScope } from './scope';
import type { ComponentProps } from './tree';
import { flag, isNode, text, word, type Node } from './values';

/** Longer lists have a search field, unless the widget says otherwise. */
const SEARCHED = 15;
const VARIANTS = ['solid', 'soft', 'outline', 'ghost'] as const;

/** The look of a button that opens something. */
export function triggerLook(node: Node): string {
  return `w-trigger w-field w-control ${word(node, 'variant', VARIANTS) ?? 'outline'} s-${word(node, 'size', CONTROL_SIZES) ?? 'md'}${flag(node, 'pill') ? ' pill' : ''}${flag(node, 'block') ? ' block' : ''}`;
}

export function Select({ node }: ComponentProps): JSX.Element {
  const { t } = useUi();
  const { id, labelled } = useScope();
  const change = useChange(node);
  const name = text(node, 'name');
  const options = Array.isArray(node['options']) ? node['options'].map((option: unknown) => ({ ...(option as object), type: 'Option' })).filter(isNode) : [];
  const value = useSignal(text(node, 'defaultValue'));
  const isOpen = useSignal(false);
  const trigger = useRef<HTMLButtonElement>(null);
  const given = text(node, 'defaultValue');
  useLayoutEffect(() => {
    value.value = given;
  }, [given]);
  const chosen = options.find((option) => text(option, 'value') === value.value);
  const fieldId = `${id}-f-${name}`;
  const listId = `${fieldId}-list`;
  const choose = (next: string): void => {
    isOpen.value = false;
    trigger.current?.focus();
    if (next === value.value) return;
    value.value = next;
    // The form reads the field, which is drawn with the next frame.
    queueMicrotask(() => change(next));
  };
  return (
    <span class={flag(node, 'block') ? 'w-select block' : 'w-select'}>
      <button
        ref={trigger}
        id={fieldId}
        type="button"
        class={triggerLook(node)}
        role="combobox"
        aria-haspopup="listbox"
        aria-expanded={isOpen.value}
        aria-controls={listId}
        aria-label={labelled.has(name) ? undefined : text(node, 'placeholder') || name}
        disabled={flag(node, 'disabled')}
        onClick={() => (isOpen.value = !isOpen.value)}
        onKeyDown={(event) => {
          if (isOpen.value || (event.key !== 'ArrowDown' && event.key !== 'ArrowUp')) return;
          event.preventDefault();
          isOpen.value = true;
        }}
      >
        <span class={chosen === undefined ? 'w-value empty' : 'w-value'} dir="auto">
          {chosen === undefined ? text(node, 'placeholder') || t('widget.choose') : text(chosen, 'label') || value.value}
        </span>
        <Icon of={ChevronDown} size={15} />
      </button>
      {flag(node, 'clearable') && chosen !== undefined && !flag(node, 'disabled') && (
        <button type="button" class="icon-button small w-clear" aria-label={t('widget.clear')} onClick={() => choose('')}>
          <Icon of={X} size={14} />
        </button>
      )}
      <input type="hidden" name={name} value={value.value} disabled={flag(node, 'disabled')} />
      {isOpen.value && trigger.current !== null && (
        <Popover
          anchor={trigger.current}
          class="w-popover"
          isWide
          onClose={(why) => {
            isOpen.value = false;
            if (why === 'escape') trigger.current?.focus();
          }}
        >
          <Options id={listId} options={options} value={value.value} isSearched={node['searchable'] === true || (node['searchable'] !== false && options.length > SEARCHED)} label={text(node, 'placeholder') || name} choose={choose} />
        </Popover>
      )}
    </span>
  );
}

interface OptionsProps {
  readonly id: string;
  readonly options: readonly Node[];
  readonly value: string;
  readonly isSearched: boolean;
  readonly label: string;
  readonly choose: (value: string) => void;
}

/** How long letters that are typed make one word, in milliseconds. */
const TYPING_MS = 600;

function Options({ id, options, value, isSearched, label, choose }: OptionsProps): JSX.Element {
  const { t } = useUi();
  const search = useSignal('');
  const active = useSignal(Math.max(0, options.findIndex((option) => text(option, 'value') === value)));
  const box = useRef<HTMLDivElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const typed = useRef({ word: '', at: 0 });
  const nameOf = (option: Node): string => text(option, 'label') || text(option, 'value');
  const matches = (option: Node): boolean => `${nameOf(option)} ${text(option, 'description')}`.toLocaleLowerCase().includes(search.value.trim().toLocaleLowerCase());
  const shown = options.filter(matches);
  const at = Math.min(active.value, shown.length - 1);
  useLayoutEffect(() => (field.current ?? box.current)?.focus({ preventScroll: true }), []);
  useLayoutEffect(() => box.current?.querySelector('[data-active]')?.scrollIntoView({ block: 'nearest' }), [at]);
  const move = (from: number, step: number): void => {
    for (let index = from; index >= 0 && index < shown.length; index += step) {
      const option = shown[index];
      if (option === undefined || flag(option, 'disabled')) continue;
      active.value = index;
      return;
    }
  };
  const find = (letter: string, when: number): void => {
    const { word: before, at: last } = typed.current;
    const word_ = when - last < TYPING_MS ? before + letter : letter;
    typed.current = { word: word_, at: when };
    const found = shown.findIndex((option) => nameOf(option).toLocaleLowerCase().startsWith(word_.toLocaleLowerCase()));
    if (found !== -1) active.value = found;
  };
  const onKey = (event: KeyboardEvent): void => {
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => move(at + 1, 1),
      ArrowUp: () => move(at - 1, -1),
      Home: () => move(0, 1),
      End: () => move(shown.length - 1, -1),
    };
    const job = Object.hasOwn(moves, event.key) && !(isSearched && (event.key === 'Home' || event.key === 'End')) ? moves[event.key] : undefined;
    const option = shown[at];
    if (job !== undefined) job();
    else if ((event.key === 'Enter' || (event.key === ' ' && !isSearched)) && option !== undefined) {
      if (!flag(option, 'disabled')) choose(text(option, 'value'));
    } else if (event.key === 'Tab') choose(value);
    else if (!isSearched && event.key.length === 1 && !event.ctrlKey && !event.metaKey) find(event.key, event.timeStamp);
    else return;
    event.preventDefault();
  };
  const activeId = shown.length === 0 ? undefined : `${id}-${at}`;
  return (
    <>
      {isSearched && (
        <input
          ref={field}
          class="w-search"
          type="text"
          role="combobox"
          aria-expanded="true"
          aria-controls={id}
          aria-activedescendant={activeId}
          aria-label={t('widget.search')}
          placeholder={t('widget.search')}
          value={search.value}
          onInput={(event) => {
            search.value = event.currentTarget.value;
            active.value = 0;
          }}
          onKeyDown={onKey}
        />
      )}
      <div ref={box} id={id} class="w-options" role="listbox" tabIndex={isSearched ? -1 : 0} aria-label={label} aria-activedescendant={isSearched ? undefined : activeId} onKeyDown={isSearched ? undefined : onKey}>
        {shown.map((option, index) => (
          <div
            key={`${index} ${text(option, 'value')}`}
            id={`${id}-${index}`}
            class="w-option"
            role="option"
            aria-selected={text(option, 'value') === value}
            aria-disabled={flag(option, 'disabled')}
            data-active={index === at ? '' : undefined}
            onPointerMove={() => (active.value = index)}
            onClick={() => {
              if (!flag(option, 'disabled')) choose(text(option, 'value'));
            }}
          >
            <span class="w-option-text" dir="auto">
              {nameOf(option)}
              {text(option, 'description') !== '' && <small>{text(option, 'description')}</small>}
            </span>
            {text(option, 'value') === value && <Icon of={Check} size={15} />}
          </div>
        ))}
      </div>
      {shown.length === 0 && (
        <p class="w-none" role="status">
          {t('widget.nothing')}
        </p>
      )}
    </>
  );
}
