/**
 * Whether items and events have what everything that shows them counts on. A server, or an agent behind
 * it, may send anything; what has no content is left out, instead of taking the conversation with it.
 */
import type { Annotation, AssistantContent, Source, ThreadItem } from './protocol';

const HAS: Readonly<Partial<Record<ThreadItem['type'], (item: Readonly<Record<string, unknown>>) => boolean>>> = {
  user_message: ({ content, attachments }) => isListOf(content, hasText) && (attachments == null || isListOf(attachments, isObject)),
  assistant_message: ({ content }) => isListOf(content, hasText),
  structured_input: ({ inputs }) => isListOf(inputs, (input) => isObject(input) && typeof input['id'] === 'string' && typeof input['question'] === 'string'),
  widget: ({ widget }) => isObject(widget) && typeof widget['type'] === 'string',
  workflow: ({ workflow }) => isObject(workflow) && isListOf(workflow['tasks'], isObject),
  task: ({ task }) => isObject(task),
};

export function isWhole(item: ThreadItem): boolean {
  return isObject(item) && typeof item.id === 'string' && (!Object.hasOwn(HAS, item.type) || HAS[item.type]?.({ ...item }) === true);
}

/** What each kind of source cannot be shown without, beside its title. */
const SOURCE_HAS: Readonly<Record<string, string>> = { url: 'url', file: 'filename', entity: 'id' };

function isSource(source: unknown): source is Source {
  if (!isObject(source) || typeof source['title'] !== 'string') return false;
  const key = Object.hasOwn(SOURCE_HAS, String(source['type'])) ? SOURCE_HAS[String(source['type'])] : undefined;
  return key !== undefined && typeof source[key] === 'string';
}

/** The sources of a list that can be shown. */
export function sourcesIn(list: unknown): Source[] {
  return Array.isArray(list) ? list.filter(isSource) : [];
}

/** The annotations of a part whose sources can be shown. */
export function annotationsOf(part: AssistantContent | undefined): Annotation[] {
  const list: unknown = part?.annotations;
  return Array.isArray(list) ? list.filter((annotation): annotation is Annotation => isObject(annotation) && isSource(annotation['source'])) : [];
}

type Fields = Readonly<Record<string, unknown>>;

const hasThread = ({ thread }: Fields): boolean => isObject(thread) && typeof thread['id'] === 'string';
const hasItem = ({ item }: Fields): boolean => isWhole(item as ThreadItem);
const hasDelta = ({ delta }: Fields): boolean => typeof delta === 'string';
const hasContent = ({ content }: Fields): boolean => hasText(content);
const hasTask = ({ task }: Fields): boolean => isObject(task);

const EVENT_HAS: Readonly<Partial<Record<string, (event: Fields) => boolean>>> = {
  'thread.created': hasThread,
  'thread.updated': hasThread,
  'thread.item.added': hasItem,
  'thread.item.done': hasItem,
  'thread.item.replaced': hasItem,
  'thread.item.updated': ({ update }) => isObject(update) && typeof update['type'] === 'string' && (!Object.hasOwn(UPDATE_HAS, update['type']) || UPDATE_HAS[update['type']]?.(update) === true),
  stream_options: ({ stream_options: options }) => isObject(options),
  progress_update: ({ text }) => typeof text === 'string',
  notice: ({ message }) => typeof message === 'string',
};
const UPDATE_HAS: Readonly<Partial<Record<string, (update: Fields) => boolean>>> = {
  'assistant_message.content_part.added': hasContent,
  'assistant_message.content_part.done': hasContent,
  'assistant_message.content_part.text_delta': hasDelta,
  'assistant_message.content_part.annotation_added': ({ annotation }) => isObject(annotation) && isObject(annotation['source']),
  'widget.streaming_text.value_delta': hasDelta,
  'widget.root.updated': ({ widget }) => isObject(widget),
  'widget.component.updated': ({ component }) => isObject(component),
  'workflow.task.added': hasTask,
  'workflow.task.updated': hasTask,
};

/** Whether an event of a known type can be applied. */
export function isWholeEvent(event: Fields): boolean {
  const { type } = event;
  return EVENT_HAS[String(type)]?.(event) ?? true;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOf(value: unknown, is: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(is);
}

function hasText(part: unknown): boolean {
  return isObject(part) && typeof part['text'] === 'string';
}
