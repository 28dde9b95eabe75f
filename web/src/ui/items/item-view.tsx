/** The one table from item type to component. Types it does not know are skipped and logged. */
import type { ReadonlySignal } from '@preact/signals';
import type { FunctionComponent, JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { ThreadItem } from '../../core/protocol';
import type { Entry } from '../../store/transcript';
import { Boundary } from '../boundary';
import { useUi } from '../context';
import { aiMark, type AiMark } from './ai-mark';
import { AssistantMessage } from './assistant-message';
import { GeneratedImage } from './generated-image';
import { StructuredInput } from './structured-input';
import { TaskItem } from './task';
import { UserMessage } from './user-message';
import { WidgetItem } from './widget';
import { WorkflowItem } from './workflow';

export interface ItemProps {
  readonly entry: ReadonlySignal<Entry>;
  /** Attributes of what a machine made. */
  readonly mark: AiMark;
}

/** `null`: on the wire, but not shown. */
const VIEWS: Readonly<Record<ThreadItem['type'], FunctionComponent<ItemProps> | null>> = {
  user_message: UserMessage,
  assistant_message: AssistantMessage,
  widget: WidgetItem,
  generated_image: GeneratedImage,
  structured_input: StructuredInput,
  workflow: WorkflowItem,
  task: TaskItem,
  client_tool_call: null,
  end_of_turn: null,
  hidden_context_item: null,
  sdk_hidden_context: null,
};

export function ItemView({ entry, model }: { readonly entry: ReadonlySignal<Entry>; readonly model: string | null | undefined }): JSX.Element | null {
  const { item } = entry.peek();
  const { type } = item;
  const View = Object.hasOwn(VIEWS, type) ? VIEWS[type] : undefined;
  if (View === undefined) return <UnknownItem type={type} />;
  return View === null ? null : (
    <Boundary of={entry} otherwise={null} onFail={(error) => reportBroken(type, error)}>
      <View entry={entry} mark={aiMark(item, model)} />
    </Boundary>
  );
}

function reportBroken(type: string, error: unknown): void {
  // eslint-disable-next-line no-console -- an item that is not shown would be a riddle otherwise
  console.error(`<openai-chatkit>: an item of the type “${type}” could not be drawn and is left out.`, error);
}

function UnknownItem({ type }: { readonly type: string }): null {
  const { log } = useUi();
  useEffect(() => log('item.unknown', { type }), [type]);
  return null;
}
