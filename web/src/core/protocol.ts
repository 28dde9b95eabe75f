/**
 * The ChatKit wire shapes the element reads and writes: requests, stream events, updates and items.
 * Source: the public ChatKit SDK's request and event types. Optional means "may be absent on the
 * wire", because servers leave out nulls. Unknown types are legal and skipped by the reader.
 * `test/unit/protocol.test.ts` holds these types to the golden files of `crates/protocol`.
 */

export interface Page<T> {
  data: T[];
  has_more: boolean;
  after?: string | null;
}

export type ThreadStatus =
  | { type: 'active' }
  | { type: 'locked'; reason?: string | null }
  | { type: 'closed'; reason?: string | null };

export interface ThreadMetadata {
  id: string;
  title?: string | null;
  created_at: string;
  status?: ThreadStatus;
  allowed_image_domains?: string[] | null;
}

export interface Thread extends ThreadMetadata {
  items?: Page<ThreadItem>;
  /** What Vestibule says about the thread's runs stands here, under `vestibule_…`. */
  metadata?: Record<string, unknown> | null;
}

// --- Sources and annotations ---

interface SourceBase {
  title: string;
  description?: string | null;
  timestamp?: string | null;
  group?: string | null;
}
export interface UrlSource extends SourceBase {
  type: 'url';
  url: string;
  attribution?: string | null;
}
export interface FileSource extends SourceBase {
  type: 'file';
  filename: string;
}
export interface EntitySource extends SourceBase {
  type: 'entity';
  id: string;
  icon?: string | null;
  label?: string | null;
  inline_label?: string | null;
  interactive?: boolean;
  data?: Record<string, unknown>;
}
export type Source = UrlSource | FileSource | EntitySource;

export interface Annotation {
  type: 'annotation';
  source: Source;
  index?: number | null;
}

export interface AssistantContent {
  type: 'output_text';
  text: string;
  annotations?: Annotation[];
}

// --- User input ---

export type UserContent =
  | { type: 'input_text'; text: string }
  | {
      type: 'input_tag';
      id: string;
      text: string;
      data?: Record<string, unknown>;
      group?: string | null;
      interactive?: boolean;
    };

export interface InferenceOptions {
  tool_choice?: { id: string } | null;
  model?: string | null;
}

export interface UserMessageInput {
  content: UserContent[];
  /** Identifiers of uploaded attachments. */
  attachments: string[];
  quoted_text: string;
  inference_options: InferenceOptions;
}

export interface Attachment {
  type: 'file' | 'image';
  id: string;
  name: string;
  mime_type: string;
  preview_url?: string | null;
}

/** How the bytes of an announced file are sent. */
export interface UploadDescriptor {
  url: string;
  method?: 'POST' | 'PUT';
  headers?: Record<string, string>;
}

export interface AnnouncedAttachment extends Attachment {
  upload_descriptor?: UploadDescriptor | null;
  /** Before SDK 1.5: the address of a form with the field `file`. */
  upload_url?: string | null;
}

// --- Tasks and workflows ---

export type TaskStatus = 'none' | 'loading' | 'complete';
interface TaskBase {
  status_indicator?: TaskStatus;
  title?: string | null;
}
export interface CustomTask extends TaskBase {
  type: 'custom';
  icon?: string | null;
  content?: string | null;
}
export interface SearchTask extends TaskBase {
  type: 'web_search';
  title_query?: string | null;
  queries?: string[];
  sources?: UrlSource[];
}
export interface ThoughtTask extends TaskBase {
  type: 'thought';
  content: string;
}
export interface FileTask extends TaskBase {
  type: 'file';
  sources?: FileSource[];
}
export interface ImageTask extends TaskBase {
  type: 'image';
}
export type Task = CustomTask | SearchTask | ThoughtTask | FileTask | ImageTask;

export interface Workflow {
  type: 'custom' | 'reasoning';
  tasks: Task[];
  summary?: { title: string; icon?: string | null } | { duration: number } | null;
  expanded?: boolean;
}

// --- Items ---

interface ItemBase {
  id: string;
  thread_id: string;
  created_at: string;
}
export interface UserMessageItem extends ItemBase {
  type: 'user_message';
  content: UserContent[];
  attachments?: Attachment[];
  quoted_text?: string | null;
  inference_options?: InferenceOptions;
}
export interface AssistantMessageItem extends ItemBase {
  type: 'assistant_message';
  content: AssistantContent[];
}
export interface ClientToolCallItem extends ItemBase {
  type: 'client_tool_call';
  status?: 'pending' | 'completed';
  call_id: string;
  name: string;
  arguments: Record<string, unknown>;
}
export interface WidgetNode {
  type: string;
  id?: string;
  value?: unknown;
  children?: unknown;
  [property: string]: unknown;
}
export interface WidgetItem extends ItemBase {
  type: 'widget';
  widget: WidgetNode;
  copy_text?: string | null;
}
export interface GeneratedImage {
  id: string;
  url: string;
}
export interface GeneratedImageItem extends ItemBase {
  type: 'generated_image';
  image?: GeneratedImage | null;
  /** Set by updates while the image is being made, 0 to 1. Not part of the stored item. */
  progress?: number | null;
}
export interface StructuredAnswer {
  values?: string[];
  skipped?: boolean;
}
export interface StructuredQuestion {
  type: 'multiple_choice' | 'freeform';
  id: string;
  question: string;
  description?: string | null;
  options?: { value: string }[];
  multiple?: boolean;
  answer?: StructuredAnswer | null;
}
export interface StructuredInputItem extends ItemBase {
  type: 'structured_input';
  status?: 'pending' | 'answered' | 'skipped';
  inputs: StructuredQuestion[];
}
export interface WorkflowItem extends ItemBase {
  type: 'workflow';
  workflow: Workflow;
}
export interface TaskItem extends ItemBase {
  type: 'task';
  task: Task;
}
export interface EndOfTurnItem extends ItemBase {
  type: 'end_of_turn';
}
export interface HiddenItem extends ItemBase {
  type: 'hidden_context_item' | 'sdk_hidden_context';
}
export type ThreadItem =
  | UserMessageItem
  | AssistantMessageItem
  | ClientToolCallItem
  | WidgetItem
  | GeneratedImageItem
  | StructuredInputItem
  | WorkflowItem
  | TaskItem
  | EndOfTurnItem
  | HiddenItem;

// --- Updates and events ---

export type ItemUpdate =
  | { type: 'assistant_message.content_part.added'; content_index: number; content: AssistantContent }
  | { type: 'assistant_message.content_part.text_delta'; content_index: number; delta: string }
  | {
      type: 'assistant_message.content_part.annotation_added';
      content_index: number;
      annotation_index: number;
      annotation: Annotation;
    }
  | { type: 'assistant_message.content_part.done'; content_index: number; content: AssistantContent }
  | { type: 'widget.streaming_text.value_delta'; component_id: string; delta: string; done: boolean }
  | { type: 'widget.root.updated'; widget: WidgetNode }
  | { type: 'widget.component.updated'; component_id: string; component: WidgetNode }
  | { type: 'workflow.task.added'; task_index: number; task: Task }
  | { type: 'workflow.task.updated'; task_index: number; task: Task }
  | { type: 'generated_image.updated'; image: GeneratedImage; progress?: number | null };

export interface ErrorEvent {
  type: 'error';
  code?: string;
  message?: string | null;
  allow_retry?: boolean;
}
export interface NoticeEvent {
  type: 'notice';
  level: 'info' | 'warning' | 'danger';
  message: string;
  title?: string | null;
}
export type ThreadStreamEvent =
  | { type: 'thread.created'; thread: ThreadMetadata }
  | { type: 'thread.updated'; thread: ThreadMetadata }
  | { type: 'thread.item.added'; item: ThreadItem }
  | { type: 'thread.item.updated'; item_id: string; update: ItemUpdate }
  | { type: 'thread.item.done'; item: ThreadItem }
  | { type: 'thread.item.removed'; item_id: string }
  | { type: 'thread.item.replaced'; item: ThreadItem }
  | { type: 'stream_options'; stream_options: { allow_cancel: boolean } }
  | { type: 'progress_update'; icon?: string | null; text: string }
  | { type: 'client_effect'; name: string; data?: Record<string, unknown> }
  | ErrorEvent
  | NoticeEvent;

// --- Requests ---

export interface CustomAction {
  thread_id: string;
  item_id?: string;
  action: { type: string; payload?: Record<string, unknown> };
}

/** Answers by the id of their question. */
export interface StructuredSubmission {
  status: 'answered' | 'skipped';
  answers: Record<string, StructuredAnswer>;
}

/** Operations that answer with a stream of events; the value is the request's parameters. */
export interface StreamingOperations {
  'threads.create': { input: UserMessageInput };
  'threads.add_user_message': { thread_id: string; input: UserMessageInput };
  'threads.add_client_tool_output': { thread_id: string; result: unknown };
  'threads.add_structured_input': { thread_id: string; item_id: string; input: StructuredSubmission };
  'threads.retry_after_item': { thread_id: string; item_id: string };
  'threads.custom_action': CustomAction;
  /** Vestibule's: the thread's live run from its first event, or what came after an event's id. */
  'threads.resume': { thread_id: string; after?: string };
}

/** Operations that answer with one JSON document: `[parameters, answer]`. */
export interface JsonOperations {
  'threads.get_by_id': [{ thread_id: string }, Thread];
  'threads.list': [{ limit: number; order: 'asc' | 'desc'; after?: string }, Page<ThreadMetadata>];
  'items.list': [{ thread_id: string; limit: number; order: 'asc' | 'desc'; after?: string }, Page<ThreadItem>];
  'items.feedback': [{ thread_id: string; item_ids: string[]; kind: 'positive' | 'negative' }, unknown];
  /** Vestibule's: conversations in which the words occur, the newest first. */
  'threads.search': [{ query: string; limit: number; after?: string }, Page<ThreadMetadata>];
  'threads.update': [{ thread_id: string; title: string }, ThreadMetadata];
  'threads.delete': [{ thread_id: string }, unknown];
  /** Vestibule's: stops the live run, or takes a queued message back. */
  'threads.cancel': [{ thread_id: string; item_id?: string }, unknown];
  /** An action that answers with one item at most, while another answer runs too. */
  'threads.sync_custom_action': [CustomAction, { updated_item?: ThreadItem | null }];
  'input.transcribe': [{ audio_base64: string; mime_type: string }, { text: string }];
  'attachments.create': [{ name: string; size: number; mime_type: string }, AnnouncedAttachment];
  'attachments.delete': [{ attachment_id: string }, unknown];
}

export const EVENT_TYPES: ReadonlySet<string> = new Set<ThreadStreamEvent['type']>([
  'thread.created',
  'thread.updated',
  'thread.item.added',
  'thread.item.updated',
  'thread.item.done',
  'thread.item.removed',
  'thread.item.replaced',
  'stream_options',
  'progress_update',
  'client_effect',
  'error',
  'notice',
]);
