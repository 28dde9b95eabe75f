/** The one table from item type to component. Types it does not know are skipped and logged. */
import { useSignal, type ReadonlySignal } from '@preact/signals';
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
  /** What could not be drawn: from then on each change of the item is another try. */
  const failed = useSignal<ThreadItem | null>(null);
  const { item } = failed.value === null ? entry.peek() : entry.value;
  const { type } = item;
  const View = Object.hasOwn(VIEWS, type) ? VIEWS[type] : undefined;
  if (View === undefined) return <UnknownItem type={type} />;
  if (View === null) return null;
  const onFail = (error: unknown): void => {
    failed.value = entry.peek().item;
    reportBroken(`an item of the type “${type}”`, error);
  };
  return (
    <Boundary of={item} otherwise={null} onFail={onFail}>
      <View entry={entry} mark={aiMark(item, model)} />
    </Boundary>
  );
}

export function reportBroken(what: string, error: unknown): void {
  // eslint-disable-next-line no-console -- an item that is not shown would be a riddle otherwise
  console.error(`<openai-chatkit>: ${what} could not be drawn and is left out.`, error);
}

function UnknownItem({ type }: { readonly type: string }): null {
  const { log } = useUi();
  useEffect(() => log('item.unknown', { type }), [type]);
  return null;
}
