/** `@` in the text field: the page is asked for what fits, and the choice stands in the text as a tag. */
import { useSignal, type Signal } from '@preact/signals';
import type { Entity } from '@openai/chatkit';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { asError, callPage } from '../core/errors';
import { Icon } from '../icons/icon';
import { queryAt, tagOf } from '../store/tags';
import { useOptions, useUi } from './context';
import { Popover } from './popover';

const PAUSE_MS = 140;
const MOST = 50;

export interface Mentions {
  readonly found: Signal<readonly Entity[]>;
  readonly active: Signal<number>;
  readonly isOpen: boolean;
  /** Looks at the text before the caret. */
  readonly look: (field: HTMLTextAreaElement) => void;
  readonly close: () => void;
  readonly choose: (entity: Entity) => void;
  /** Takes the keys of the list; `true` when it did. */
  readonly onKey: (event: KeyboardEvent) => boolean;
}

export function useMentions(field: { readonly current: HTMLTextAreaElement | null }): Mentions {
  const { chat, emit } = useUi();
  const { search } = useOptions().entities;
  const found = useSignal<readonly Entity[]>([]);
  const active = useSignal(0);
  /** Where the `@` stands; `null`: nothing is searched for. */
  const start = useSignal<number | null>(null);
  const asked = useRef({ query: '', turn: 0 });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const close = (): void => {
    clearTimeout(timer.current);
    asked.current.turn += 1;
    start.value = null;
    found.value = [];
  };
  const look: Mentions['look'] = (area) => {
    const at = search === null ? null : queryAt(area.value, area.selectionStart);
    if (at === null || search === null) {
      if (start.peek() !== null) close();
      return;
    }
    if (start.peek() === at.start && asked.current.query === at.query) return;
    start.value = at.start;
    const turn = (asked.current.turn += 1);
    asked.current.query = at.query;
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      callPage(() => search(at.query)).then(
        (answer) => {
          if (asked.current.turn !== turn) return;
          found.value = grouped((Array.isArray(answer) ? answer : []).filter(isEntity).slice(0, MOST));
          active.value = 0;
        },
        (error: unknown) => {
          if (asked.current.turn === turn) close();
          emit('chatkit.error', { error: asError(error) });
        },
      );
    }, PAUSE_MS);
  };
  const choose = (entity: Entity): void => {
    const area = field.current;
    const from = start.peek();
    if (area === null || from === null) return;
    const tag = tagOf(entity);
    const rest = area.value.slice(area.selectionStart);
    const next = `${area.value.slice(0, from)}${tag.label}${rest.startsWith(' ') ? '' : ' '}`;
    close();
    chat.tags.value = [...chat.tags.value, tag];
    // At once, and not with the next frame: the next key may come before that.
    area.value = next + rest;
    area.setSelectionRange(next.length, next.length);
    chat.draft.value = area.value;
    area.focus();
  };
  const isOpen = start.value !== null && found.value.length > 0;
  const onKey = (event: KeyboardEvent): boolean => {
    if (!isOpen || event.isComposing) return false;
    const last = found.value.length - 1;
    const entity = found.value[active.value];
    if (event.key === 'ArrowDown') active.value = active.value === last ? 0 : active.value + 1;
    else if (event.key === 'ArrowUp') active.value = active.value === 0 ? last : active.value - 1;
    else if ((event.key === 'Enter' || event.key === 'Tab') && entity !== undefined) choose(entity);
    else return false;
    event.preventDefault();
    return true;
  };
  return { found, active, isOpen, look, close, choose, onKey };
}

export function MentionList({ of, anchor, id }: { readonly of: Mentions; readonly anchor: HTMLElement; readonly id: string }): JSX.Element {
  const { t } = useUi();
  const list = useRef<HTMLDivElement>(null);
  const at = of.active.value;
  useEffect(() => list.current?.querySelector('[data-active]')?.scrollIntoView({ block: 'nearest' }), [at]);
  let group = '';
  return (
    <Popover anchor={anchor} class="mentions" side="top" isWide onClose={of.close}>
      <div ref={list} id={id} role="listbox" aria-label={t('composer.mentions')}>
        {of.found.value.map((entity, index) => {
          const heading = (entity.group ?? '') !== group ? (entity.group ?? '') : '';
          group = entity.group ?? '';
          return (
            <div key={entity.id} role="presentation">
              {heading !== '' && (
                <div class="mention-group" role="presentation">
                  {heading}
                </div>
              )}
              <div
                id={`${id}-${index}`}
                class="mention"
                role="option"
                aria-selected={index === at}
                data-active={index === at ? '' : undefined}
                onPointerMove={() => (of.active.value = index)}
                // The text field keeps the focus.
                onPointerDown={(event) => event.preventDefault()}
                onClick={() => of.choose(entity)}
              >
                <Icon of={entity.icon ?? 'dot'} size={16} />
                <span dir="auto">{entity.title}</span>
              </div>
            </div>
          );
        })}
      </div>
    </Popover>
  );
}

/** Entities of one group stand together, in the order in which the groups first come. */
function grouped(entities: readonly Entity[]): Entity[] {
  const groups = new Map<string, Entity[]>();
  for (const entity of entities) groups.set(entity.group ?? '', [...(groups.get(entity.group ?? '') ?? []), entity]);
  return [...groups.values()].flat();
}

function isEntity(value: unknown): value is Entity {
  return typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string' && 'title' in value && typeof value.title === 'string';
}
