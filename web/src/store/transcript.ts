/**
 * What a thread looks like right now, as one immutable value, and the pure function that a stream
 * event turns it into. No clock, no network, no DOM: golden event traces are its tests.
 */
import { isWhole } from '../core/items';
import type {
  AssistantContent,
  ItemUpdate,
  NoticeEvent,
  Thread,
  ThreadItem,
  ThreadMetadata,
  ThreadStreamEvent,
  WidgetNode,
} from '../core/protocol';

/** One item with the key that its place on the screen keeps, even when the server replaces the item. */
export interface Entry {
  readonly key: string;
  readonly item: ThreadItem;
  /** Sent, but not yet acknowledged by the server. */
  readonly optimistic?: true;
  /** Still being written: announced, and not done. */
  readonly live?: true;
}

export interface TurnError {
  /** The server's own words, or `null` when the element should use its own. */
  readonly message: string | null;
  readonly allowRetry: boolean;
  /** Signing in again may help. */
  readonly signIn?: boolean;
  /** It is about the conversation as a whole, and no turn's. */
  readonly ofLoad?: true;
}

/** What was said about a turn that has others after it now, and the key of its last entry. */
export interface PastFailure {
  readonly after: string;
  readonly error: TurnError | null;
  readonly cut: CutAnswer | null;
}

/** A notice and the key of the entry it came after, so that it stays with its answer when others follow. */
export interface Notice {
  readonly event: NoticeEvent;
  readonly after: string | null;
}

/** An answer that is not whole, and no error: what is said about it, and which message may be asked again. */
export interface CutAnswer {
  readonly why: 'stoppedEarly' | 'interrupted';
  /** The user's message; `null` when the server never took it. */
  readonly itemId: string | null;
}

export interface Transcript {
  readonly thread: ThreadMetadata | null;
  readonly entries: readonly Entry[];
  /** Messages that wait for the answer before them, in their order. */
  readonly queued: readonly Entry[];
  readonly progress: { readonly text: string; readonly icon: string | null } | null;
  readonly notices: readonly Notice[];
  readonly error: TurnError | null;
  readonly cut: CutAnswer | null;
  readonly past: readonly PastFailure[];
  /** Whether Stop is offered. The SDK's default is yes. */
  readonly allowCancel: boolean;
}

export const EMPTY: Transcript = {
  thread: null,
  entries: [],
  queued: [],
  progress: null,
  notices: [],
  error: null,
  cut: null,
  past: [],
  allowCancel: true,
};

/** Items that are on the wire but never on the screen. */
const HIDDEN: ReadonlySet<string> = new Set(['hidden_context_item', 'sdk_hidden_context']);

function isShown(item: ThreadItem): boolean {
  return isWhole(item) && !HIDDEN.has(item.type);
}

export function reduce(state: Transcript, event: ThreadStreamEvent): Transcript {
  switch (event.type) {
    case 'thread.created':
    case 'thread.updated':
      return { ...state, thread: metadataOf(event.thread) };
    case 'thread.item.added':
      return placeItem(state, event.item, true);
    case 'thread.item.done':
    case 'thread.item.replaced':
      return placeItem(state, event.item, false);
    case 'thread.item.removed':
      return dequeue({ ...state, entries: state.entries.filter(({ item }) => item.id !== event.item_id) }, event.item_id);
    case 'thread.item.updated':
      return updateItem(state, event.item_id, event.update);
    case 'stream_options':
      return { ...state, allowCancel: event.stream_options.allow_cancel };
    case 'progress_update':
      return { ...state, progress: { text: event.text, icon: event.icon ?? null } };
    case 'error':
      return {
        ...state,
        progress: null,
        error: {
          message: (event.code ?? 'custom') === 'custom' ? (event.message ?? null) : null,
          allowRetry: event.allow_retry ?? false,
        },
      };
    case 'notice':
      return { ...state, notices: [...state.notices, { event, after: state.entries.at(-1)?.key ?? null }] };
    case 'client_effect':
      return state; // leaves the element as an event; nothing of it is shown
  }
}

/** Adds the person's message before the server has seen it. */
export function addOptimistic(state: Transcript, item: ThreadItem): Transcript {
  return {
    ...settleFailure(state),
    notices: [],
    entries: [...state.entries, { key: item.id, item, optimistic: true }],
  };
}

/** What failed stays said where it happened, when the conversation goes on after it. */
function settleFailure(state: Transcript): Transcript {
  const { error, cut } = state;
  const last = state.entries.at(-1);
  const stays = last !== undefined && (cut !== null || (error !== null && error.ofLoad !== true));
  return { ...state, error: null, cut: null, past: stays ? [...state.past, { after: last.key, error, cut }] : state.past };
}

/** Adds the person's message to those that wait, before the server has seen it. */
export function enqueue(state: Transcript, item: ThreadItem): Transcript {
  return { ...state, queued: [...state.queued, { key: item.id, item, optimistic: true }] };
}

/** Puts the server's copy of a message that waits in its place. */
export function acknowledge(state: Transcript, key: string, item: ThreadItem): Transcript {
  const others = state.queued.filter((entry) => entry.key === key || entry.item.id !== item.id);
  return { ...state, queued: others.map((entry) => (entry.key === key ? { key, item } : entry)) };
}

/** Moves a message that waited to the end of the conversation: its answer comes now. */
export function promote(state: Transcript, key: string): Transcript {
  const entry = state.queued.find((candidate) => candidate.key === key);
  if (entry === undefined) return state;
  return { ...settleFailure(state), queued: state.queued.filter((candidate) => candidate !== entry), entries: [...state.entries, entry] };
}

/** Moves a message that was sent as the next one to those that wait: another answer was running. */
export function demote(state: Transcript, key: string): Transcript {
  const entry = state.entries.find((candidate) => candidate.key === key);
  if (entry === undefined) return state;
  return { ...state, entries: state.entries.filter((candidate) => candidate !== entry), queued: [...state.queued, entry] };
}

/** Takes a message out that the server does not have. */
export function withdraw(state: Transcript, key: string): Transcript {
  const others = (entries: readonly Entry[]): Entry[] => entries.filter((entry) => entry.key !== key);
  return { ...state, entries: others(state.entries), queued: others(state.queued) };
}

/** Takes a message that waited out, by its id. */
export function dequeue(state: Transcript, itemId: string): Transcript {
  return state.queued.some(({ item }) => item.id === itemId) ? { ...state, queued: state.queued.filter(({ item }) => item.id !== itemId) } : state;
}

/** A notice about the answer before the message at `key`. */
export function noticeBefore(state: Transcript, event: NoticeEvent, key: string | null): Transcript {
  const index = state.entries.findIndex((entry) => entry.key === key);
  const last = index === -1 ? state.entries.at(-1) : state.entries[index - 1];
  return { ...state, notices: [...state.notices, { event, after: last?.key ?? null }] };
}

/** Whether something of an answer stands after the last message of the person. */
export function hasAnswer(state: Transcript): boolean {
  const asked = state.entries.findLastIndex(({ item }) => item.type === 'user_message');
  return state.entries.slice(asked + 1).some(({ item }) => {
    if (item.type === 'end_of_turn' || item.type === 'client_tool_call') return false;
    return item.type !== 'assistant_message' || item.content.some(({ text }) => text !== '');
  });
}

/** Ends a turn: signs of work in progress are removed, and nothing counts as being written any more. */
export function endTurn(state: Transcript): Transcript {
  const entries = state.entries.some(({ live }) => live)
    ? state.entries.map((entry) => (entry.live ? { key: entry.key, item: entry.item } : entry))
    : state.entries;
  return { ...state, entries, progress: null, allowCancel: true };
}

/** Keeps everything up to and including an item: what a retry starts from. */
export function truncateAfter(state: Transcript, itemId: string): Transcript {
  const index = state.entries.findIndex(({ item }) => item.id === itemId);
  if (index === -1) return state;
  const entries = state.entries.slice(0, index + 1);
  return { ...state, error: null, cut: null, notices: [], past: pastOf(state, entries.slice(0, -1)), entries };
}

/** Puts a page of older items before the known ones, each item once. */
export function prependItems(state: Transcript, items: readonly ThreadItem[]): Transcript {
  const known = new Set(state.entries.map(({ item }) => item.id));
  const older = items.filter((item) => isShown(item) && !known.has(item.id));
  return { ...state, entries: [...older.map((item) => entryOf(item)), ...state.entries] };
}

/** The past failures of those entries. */
function pastOf({ past }: Transcript, entries: readonly Entry[]): PastFailure[] {
  const keys = new Set(entries.map(({ key }) => key));
  return past.filter(({ after }) => keys.has(after));
}

/** The state of a thread that was just loaded; entries that were on the screen keep their key. */
export function loaded(previous: Transcript, thread: Thread, items: readonly ThreadItem[]): Transcript {
  const keys = new Map([...previous.entries, ...previous.queued].map(({ key, item }) => [item.id, key]));
  const entriesOf = (list: readonly ThreadItem[]): Entry[] =>
    list.filter((item) => isShown(item)).map((item) => ({ key: keys.get(item.id) ?? item.id, item }));
  const waiting = queuedOf(thread);
  const ids = new Set(waiting.map(({ id }) => id));
  const entries = entriesOf(items.filter(({ id }) => !ids.has(id)));
  return {
    ...EMPTY,
    thread: metadataOf(thread),
    entries,
    past: pastOf(previous, entries),
    queued: entriesOf(waiting),
    cut: interruptionOf(thread),
  };
}

/** The run that answers in a thread that was loaded. */
export function liveRunOf({ metadata }: Thread): string | null {
  const run = metadata?.['vestibule_run'];
  return typeof run === 'string' && run !== '' ? run : null;
}

function queuedOf({ metadata }: Thread): ThreadItem[] {
  const items = metadata?.['vestibule_queued'];
  if (!Array.isArray(items)) return [];
  return items.filter((item: unknown): item is ThreadItem => {
    const { type, id, content } = (item ?? {}) as Record<string, unknown>;
    return type === 'user_message' && typeof id === 'string' && Array.isArray(content);
  });
}

function interruptionOf({ metadata }: Thread): CutAnswer | null {
  const itemId = metadata?.['vestibule_interrupted'];
  return typeof itemId === 'string' && itemId !== '' ? { why: 'interrupted', itemId } : null;
}

function entryOf(item: ThreadItem, live = false): Entry {
  return live ? { key: item.id, item, live } : { key: item.id, item };
}

/** A thread without its items, whatever else the server put into it. */
function metadataOf(thread: ThreadMetadata): ThreadMetadata {
  const { id, title, created_at, status, allowed_image_domains } = thread;
  return {
    id,
    created_at,
    title: title ?? null,
    status: status ?? { type: 'active' },
    allowed_image_domains: allowed_image_domains ?? null,
  };
}

function placeItem(state: Transcript, item: ThreadItem, live: boolean): Transcript {
  if (!isShown(item)) return state;
  // A message that waited is answered now, whoever says so.
  const waited = state.queued.find((entry) => entry.item.id === item.id);
  if (waited !== undefined) return placeItem(promote(state, waited.key), item, live);
  const entries = [...state.entries];
  const index = indexOfItem(entries, item.id);
  // The server's copy of a message takes the place of the one shown while it was being sent.
  const place = index === -1 && item.type === 'user_message' ? entries.findLastIndex((entry) => entry.optimistic) : index;
  const placed = entryOf(item, live);
  if (place === -1) entries.push(placed);
  else entries[place] = { ...placed, key: entries[place]?.key ?? item.id };
  const replacesProgress = item.type !== 'user_message' && item.type !== 'end_of_turn';
  return { ...state, entries, progress: replacesProgress ? null : state.progress };
}

function updateItem(state: Transcript, id: string, update: ItemUpdate): Transcript {
  const index = indexOfItem(state.entries, id);
  const entry = state.entries[index];
  // Replays overlap, so an update can come before its item: text makes a message of its own.
  if (entry === undefined) {
    if (!update.type.startsWith('assistant_message.')) return state;
    const item: ThreadItem = {
      type: 'assistant_message',
      id,
      thread_id: state.thread?.id ?? '',
      created_at: '',
      content: [],
    };
    return updateItem({ ...state, progress: null, entries: [...state.entries, entryOf(item, true)] }, id, update);
  }
  const item = applyUpdate(entry.item, update);
  if (item === entry.item) return state;
  const entries = [...state.entries];
  entries[index] = { ...entry, item };
  const saysText = update.type === 'assistant_message.content_part.text_delta';
  return { ...state, entries, progress: saysText ? null : state.progress };
}

/** From the end, because what streams is almost always the last item. */
function indexOfItem(entries: readonly Entry[], id: string): number {
  return entries.findLastIndex(({ item }) => item.id === id);
}

/** One update applied to one item. An update that does not fit the item changes nothing. */
export function applyUpdate(item: ThreadItem, update: ItemUpdate): ThreadItem {
  switch (update.type) {
    case 'assistant_message.content_part.added':
    case 'assistant_message.content_part.done':
      return withPart(item, update.content_index, () => update.content);
    case 'assistant_message.content_part.text_delta':
      return withPart(item, update.content_index, (part) => ({ ...part, text: part.text + update.delta }));
    case 'assistant_message.content_part.annotation_added':
      return withPart(item, update.content_index, (part) => {
        const annotations = [...(part.annotations ?? [])];
        if (update.annotation_index < annotations.length) annotations[update.annotation_index] = update.annotation;
        else annotations.push(update.annotation);
        return { ...part, annotations };
      });
    case 'workflow.task.added':
    case 'workflow.task.updated': {
      if (item.type !== 'workflow') return item;
      const tasks = [...item.workflow.tasks];
      const adds = update.type === 'workflow.task.added';
      const index = Math.min(Math.max(0, update.task_index), tasks.length);
      tasks.splice(index, adds ? 0 : 1, update.task);
      return { ...item, workflow: { ...item.workflow, tasks } };
    }
    case 'generated_image.updated':
      return item.type === 'generated_image' ? { ...item, image: update.image, progress: update.progress ?? null } : item;
    case 'widget.root.updated':
      return item.type === 'widget' ? { ...item, widget: update.widget } : item;
    case 'widget.component.updated':
      return item.type === 'widget'
        ? { ...item, widget: mapWidget(item.widget, update.component_id, () => update.component) }
        : item;
    case 'widget.streaming_text.value_delta':
      if (item.type !== 'widget') return item;
      return {
        ...item,
        widget: mapWidget(item.widget, update.component_id, (node) => ({
          ...node,
          value: (typeof node.value === 'string' ? node.value : '') + update.delta,
          streaming: !update.done,
        })),
      };
    default:
      return item; // an update of a newer protocol
  }
}

/** A content index a little past the end is filled up; a wild one is a broken server and ignored. */
const MAX_PARTS = 1000;

function withPart(item: ThreadItem, index: number, change: (part: AssistantContent) => AssistantContent): ThreadItem {
  if (item.type !== 'assistant_message' || !(index >= 0 && index < MAX_PARTS)) return item;
  const content = [...item.content];
  while (content.length <= index) content.push({ type: 'output_text', text: '', annotations: [] });
  const part = content[index];
  if (part !== undefined) content[index] = change(part);
  return { ...item, content };
}

/** Widget trees come from the server; deeper ones than this are left as they are. */
const MAX_WIDGET_DEPTH = 160;

function mapWidget(node: WidgetNode, id: string, change: (node: WidgetNode) => WidgetNode, depth = 0): WidgetNode {
  if (node.id === id) return change(node);
  if (depth > MAX_WIDGET_DEPTH || node.children === undefined || node.children === null) return node;
  const mapChild = (child: unknown): unknown =>
    typeof child === 'object' && child !== null ? mapWidget(child as WidgetNode, id, change, depth + 1) : child;
  return { ...node, children: Array.isArray(node.children) ? node.children.map(mapChild) : mapChild(node.children) };
}
