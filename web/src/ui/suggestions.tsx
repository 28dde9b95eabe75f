/**
 * Lists beside the text field: what the page knows that fits the word after `@`, what can be done that
 * fits the word after a `/` at the start, and the tools and models that buttons below the text open.
 * One of them at a time, by keyboard or by pointer.
 */
import { useSignal, type Signal } from '@preact/signals';
import type { Command, Entity } from '@openai/chatkit';
import { Check, Paperclip, SquarePen, type IconNode } from 'lucide';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { asError, callPage } from '../core/errors';
import { mayAttach } from '../element/options';
import { Icon } from '../icons/icon';
import { queryAt, tagOf, type DraftTag } from '../store/tags';
import { useOptions, useUi } from './context';
import { Popover } from './popover';

const PAUSE_MS = 140;
/** The most that a search may find: typing on finds less. */
const MOST = 50;

interface Suggestion {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly icon: IconNode | string;
  readonly group: string;
  readonly disabled?: boolean;
  /** It is the choice of the moment. */
  readonly chosen?: boolean;
  readonly choose: () => void;
}

/** What a button below the text opens. */
export type Choice = 'tools' | 'models';

export interface Suggestions {
  readonly found: Signal<readonly Suggestion[]>;
  readonly active: Signal<number>;
  readonly isOpen: boolean;
  /** Which button's list it is. */
  readonly choice: Choice | null;
  /** Opens the list of a button, or closes it. */
  readonly toggle: (choice: Choice, chosen: string | null) => void;
  /** Looks at the text before the caret. */
  readonly look: (field: HTMLTextAreaElement) => void;
  readonly close: () => void;
  /** Takes the keys of the list; `true` when it did. */
  readonly onKey: (event: KeyboardEvent) => boolean;
}

interface Field {
  readonly current: HTMLTextAreaElement | null;
}

/** `attach` opens the file picker. */
export function useSuggestions(field: Field, attach: () => void): Suggestions {
  const ui = useUi();
  const { chat, emit, selection, t } = ui;
  const options = useOptions();
  const { entities, commands, composer } = options;
  const found = useSignal<readonly Suggestion[]>([]);
  const active = useSignal(0);
  /** Where the word begins, with its mark; `null`: nothing is searched for. */
  const start = useSignal<number | null>(null);
  const choice = useSignal<Choice | null>(null);
  const asked = useRef({ query: '', turn: 0 });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  const close = (): void => {
    clearTimeout(timer.current);
    asked.current.turn += 1;
    start.value = null;
    choice.value = null;
    found.value = [];
  };
  const show = (suggestions: readonly Suggestion[]): void => {
    found.value = grouped(suggestions);
    active.value = 0;
  };
  const failed = (error: unknown): void => {
    close();
    emit('chatkit.error', { error: asError(error) });
  };
  /** Puts something in the place of the word, at once: the next key may come before the next frame. */
  const replace = (by: string): void => {
    const area = field.current;
    const from = start.peek();
    if (area === null || from === null) return;
    const rest = area.value.slice(area.selectionStart);
    const next = area.value.slice(0, from) + by;
    area.value = next + rest;
    area.setSelectionRange(next.length, next.length);
    chat.draft.value = area.value;
    close();
    area.focus();
  };
  const insert = (tag: DraftTag): void => {
    const follows = field.current?.value.charAt(field.current.selectionStart) ?? '';
    chat.tags.value = [...chat.tags.value, tag];
    replace(`${tag.label}${follows === ' ' ? '' : ' '}`);
  };

  const ofEntity = (entity: Entity): Suggestion => ({ id: entity.id, label: entity.title, description: '', icon: entity.icon ?? 'dot', group: entity.group ?? '', choose: () => insert(tagOf(entity)) });
  const ofCommand = (command: Command): Suggestion => ({
    id: command.id,
    label: command.label,
    description: command.description ?? '',
    icon: command.icon ?? 'dot',
    group: command.group ?? '',
    choose: () => {
      const turn = (asked.current.turn += 1);
      found.value = [];
      callPage(() => commands.onSelect?.(command)).then((answer) => {
        if (asked.current.turn !== turn) return;
        const next = typeof answer === 'object' && answer !== null ? (answer as { type?: unknown; entity?: unknown; commands?: unknown }) : {};
        if (next.type === 'menu') show(listOf(next.commands, isCommand).map(ofCommand));
        else if (next.type === 'entity' && isEntity(next.entity)) insert(tagOf(next.entity));
        else replace('');
      }, failed);
    },
  });
  const builtIn = (id: string, label: string, icon: IconNode | string, run: () => void): Suggestion => ({
    id,
    label,
    description: '',
    icon,
    group: '',
    choose: () => {
      replace('');
      run();
    },
  });
  const builtIns = (query: string): Suggestion[] =>
    [
      ...(mayAttach(options) ? [builtIn('attach', t('attach.add'), Paperclip, attach)] : []),
      ...composer.tools.map((tool) => builtIn(`tool ${tool.id}`, tool.label, tool.icon, () => selection.selectTool(tool.id))),
      ...composer.models.filter(({ disabled }) => !disabled).map((model) => builtIn(`model ${model.id}`, model.label, 'sparkle', () => (selection.model.value = model.id))),
      ...(chat.threadId.value === null ? [] : [builtIn('new', t('header.new'), SquarePen, () => void chat.open(null))]),
    ].filter(({ label }) => label.toLocaleLowerCase().includes(query.toLocaleLowerCase()));

  const look: Suggestions['look'] = (area) => {
    // What is typed is no choice of a button's list.
    if (choice.peek() !== null) close();
    const entity = entities.search === null ? null : queryAt(area.value, area.selectionStart);
    const command = entity === null && commands.enabled ? /^\/(\S{0,60})$/.exec(area.value.slice(0, area.selectionStart)) : null;
    const at = entity ?? (command === null ? null : { query: command[1] ?? '', start: 0 });
    if (at === null) {
      if (start.peek() !== null) close();
      return;
    }
    if (start.peek() === at.start && asked.current.query === at.query) return;
    start.value = at.start;
    asked.current.query = at.query;
    const turn = (asked.current.turn += 1);
    const own = entity === null ? builtIns(at.query) : [];
    if (entity === null) show(own);
    const search = entity === null ? commands.onSearch : entities.search;
    clearTimeout(timer.current);
    if (search === null) return;
    timer.current = setTimeout(() => {
      callPage(() => search(at.query)).then(
        (answer) => {
          if (asked.current.turn === turn) show(entity === null ? [...own, ...listOf(answer, isCommand).slice(0, MOST).map(ofCommand)] : listOf(answer, isEntity).slice(0, MOST).map(ofEntity));
        },
        (error: unknown) => {
          if (asked.current.turn === turn) failed(error);
        },
      );
    }, PAUSE_MS);
  };
  const toggle: Suggestions['toggle'] = (next, chosen) => {
    const area = field.current;
    const wasOpen = choice.peek() === next;
    close();
    if (area === null || wasOpen) return;
    const entry = (id: string, label: string, description: string, icon: string, disabled: boolean, run: () => void): Suggestion => ({
      id,
      label,
      description,
      icon,
      group: '',
      disabled,
      chosen: id === chosen,
      choose: () => {
        close();
        run();
      },
    });
    // The keys of the list are the text field's; with a finger, that would bring up the keyboard.
    if (!matchMedia('(pointer: coarse)').matches) area.focus({ preventScroll: true });
    start.value = area.selectionStart;
    choice.value = next;
    show(
      next === 'tools'
        ? composer.tools.filter(({ pinned }) => !pinned).map(({ id, label, icon }) => entry(id, label, '', icon, false, () => selection.selectTool(id === chosen ? null : id)))
        : composer.models.map(({ id, label, description, disabled }) => entry(id, label, description ?? '', '', disabled, () => (selection.model.value = id))),
    );
    active.value = Math.max(0, found.value.findIndex((suggestion) => suggestion.chosen));
  };
  const isOpen = start.value !== null && found.value.length > 0;
  const onKey = (event: KeyboardEvent): boolean => {
    if (!isOpen) return false;
    const last = found.value.length - 1;
    const suggestion = found.value[active.value];
    if (event.key === 'ArrowDown') active.value = active.value === last ? 0 : active.value + 1;
    else if (event.key === 'ArrowUp') active.value = active.value === 0 ? last : active.value - 1;
    else if ((event.key === 'Enter' || event.key === 'Tab') && suggestion !== undefined) {
      if (suggestion.disabled !== true) suggestion.choose();
    } else return false;
    event.preventDefault();
    return true;
  };
  return { found, active, isOpen, choice: choice.value, toggle, look, close, onKey };
}

export function SuggestionList({ of, anchor, id }: { readonly of: Suggestions; readonly anchor: HTMLElement; readonly id: string }): JSX.Element {
  const { t } = useUi();
  const label = of.choice === null ? 'composer.mentions' : of.choice === 'tools' ? 'composer.tools' : 'composer.model';
  const list = useRef<HTMLDivElement>(null);
  const at = of.active.value;
  useEffect(() => list.current?.querySelector('[data-active]')?.scrollIntoView({ block: 'nearest' }), [at]);
  let group = '';
  return (
    <Popover anchor={anchor} class="mentions" side="top" isWide={of.choice === null} onClose={of.close}>
      <div ref={list} id={id} role="listbox" aria-label={t(label)}>
        {of.found.value.map((suggestion, index) => {
          const heading = suggestion.group !== group ? suggestion.group : '';
          group = suggestion.group;
          return (
            <div key={`${index} ${suggestion.id}`} role="presentation">
              {heading !== '' && (
                <div class="mention-group" role="presentation">
                  {heading}
                </div>
              )}
              <div
                id={`${id}-${index}`}
                class="mention"
                role="option"
                aria-selected={of.choice === null ? index === at : suggestion.chosen}
                aria-disabled={suggestion.disabled}
                data-active={index === at ? '' : undefined}
                onPointerMove={() => (of.active.value = index)}
                // The text field keeps the focus.
                onPointerDown={(event) => event.preventDefault()}
                onClick={() => {
                  if (suggestion.disabled !== true) suggestion.choose();
                }}
              >
                {suggestion.icon !== '' && <Icon of={suggestion.icon} size={16} />}
                <span dir="auto">
                  {suggestion.label}
                  {suggestion.description !== '' && <small>{suggestion.description}</small>}
                </span>
                {suggestion.chosen === true && <Icon of={Check} size={15} />}
              </div>
            </div>
          );
        })}
      </div>
    </Popover>
  );
}

/** Those of one group stand together, in the order in which the groups first come. */
function grouped(suggestions: readonly Suggestion[]): Suggestion[] {
  const groups = new Map<string, Suggestion[]>();
  for (const suggestion of suggestions) groups.set(suggestion.group, [...(groups.get(suggestion.group) ?? []), suggestion]);
  return [...groups.values()].flat();
}

function listOf<T>(answer: unknown, is: (value: unknown) => value is T): T[] {
  return Array.isArray(answer) ? answer.filter(is) : [];
}

function isEntity(value: unknown): value is Entity {
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' && 'title' in value && typeof value.title === 'string';
}

function isCommand(value: unknown): value is Command {
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' && 'label' in value && typeof value.label === 'string';
}
