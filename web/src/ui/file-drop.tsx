/** Files that are dragged over the chat, or pasted into it. */
import { useSignal, type ReadonlySignal } from '@preact/signals';
import { Upload } from 'lucide';
import type { JSX } from 'preact';
import { Icon } from '../icons/icon';
import { mayAttach } from '../element/options';
import { useUi, type Ui } from './context';

export interface FileDrop {
  /** Whether files hover over the chat now. */
  readonly isOver: ReadonlySignal<boolean>;
  readonly onDragEnter: (event: DragEvent) => void;
  readonly onDragOver: (event: DragEvent) => void;
  readonly onDragLeave: (event: DragEvent) => void;
  readonly onDrop: (event: DragEvent) => void;
}

/** Handlers for the whole chat: nobody should have to aim at the composer. */
export function useFileDrop(): FileDrop {
  const ui = useUi();
  const isOver = useSignal(false);
  const takes = (event: DragEvent): boolean => canAttachNow(ui) && (event.dataTransfer?.types.includes('Files') ?? false);
  const over = (event: DragEvent): void => {
    if (!takes(event)) {
      stay(event);
      return;
    }
    event.preventDefault();
    // As with a frame, a drop zone of the page around hears nothing of it.
    event.stopPropagation();
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = 'copy';
    isOver.value = true;
  };
  return {
    isOver,
    onDragEnter: over,
    onDragOver: over,
    onDragLeave(event) {
      const { currentTarget, relatedTarget } = event;
      if (currentTarget instanceof Node && relatedTarget instanceof Node && currentTarget.contains(relatedTarget)) return;
      isOver.value = false;
    },
    onDrop(event) {
      isOver.value = false;
      if (!takes(event) || event.dataTransfer === null) {
        stay(event);
        return;
      }
      event.preventDefault();
      event.stopPropagation();
      const { files, hasFolder } = filesOf(event.dataTransfer);
      ui.attachments.add(files);
      // Behind the list of conversations nobody would see the result.
      ui.chat.uncover();
      if (hasFolder) ui.chat.toast.value = ui.t('attach.folder');
    },
  };
}

/** A file that the chat does not take would be opened by the browser, in place of the page. */
function stay(event: DragEvent): void {
  if (event.dataTransfer?.types.includes('Files') === true) event.preventDefault();
}

/** A paste that brings files and no text. With text beside it (a cell, a paragraph) the picture is only its look. */
export function pasteFiles(event: ClipboardEvent, ui: Ui): void {
  const data = event.clipboardData;
  if (data === null || data.files.length === 0 || data.types.includes('text/plain') || !canAttachNow(ui)) return;
  event.preventDefault();
  ui.attachments.add([...data.files]);
}

function canAttachNow({ options, chat, blocked }: Ui): boolean {
  const current = options.peek();
  const status = chat.transcript.thread.peek()?.status?.type ?? 'active';
  return current !== null && mayAttach(current) && status === 'active' && blocked.peek() === null;
}

/** A folder comes as a file that cannot be read. */
function filesOf(data: DataTransfer): { files: File[]; hasFolder: boolean } {
  const files: File[] = [];
  let hasFolder = false;
  for (const item of data.items) {
    if (item.kind !== 'file') continue;
    const file = item.getAsFile();
    if (item.webkitGetAsEntry()?.isDirectory === true) hasFolder = true;
    else if (file !== null) files.push(file);
  }
  return { files, hasFolder };
}

export function DropHint(): JSX.Element {
  const { t } = useUi();
  return (
    <div class="drop-hint" role="status">
      <span>
        <Icon of={Upload} size={22} />
        {t('attach.drop')}
      </span>
    </div>
  );
}
