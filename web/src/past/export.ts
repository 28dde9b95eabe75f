/**
 * A conversation as a file: Markdown to read, JSON to process. Both say of every answer that a machine made it
 * (Art. 50(2) of the EU's AI Act), with its time, and the model where the wire tells it.
 */
import type { ChatClient } from '../core/client';
import { annotationsOf, isWhole } from '../core/items';
import type { Annotation, ThreadItem, ThreadMetadata } from '../core/protocol';
import type { Translate } from '../i18n/translate';

export interface Exported {
  readonly thread: ThreadMetadata;
  readonly title: string;
  /** Oldest first. */
  readonly items: readonly ThreadItem[];
  readonly now: Date;
  /** There are more items than one file takes. */
  readonly isCut: boolean;
}

const PAGE = 100;
/** The most items of one file: more would not fit into a tab's memory twice. */
const MAX_ITEMS = 20_000;
/** What a machine made; the rest was said by the person, or is no content. */
const MADE: ReadonlySet<string> = new Set(['assistant_message', 'widget', 'generated_image', 'workflow', 'task', 'client_tool_call', 'structured_input']);

/** All items of a thread that can be shown, up to the most that a file takes. Rejects as the client does. */
export async function allItems(client: Pick<ChatClient, 'request'>, threadId: string, signal: AbortSignal): Promise<Pick<Exported, 'items' | 'isCut'>> {
  const items: ThreadItem[] = [];
  let after: string | undefined;
  for (;;) {
    const page = await client.request('items.list', { thread_id: threadId, limit: PAGE, order: 'asc', ...(after === undefined ? {} : { after }) }, signal);
    items.push(...page.data.filter(isWhole));
    const last = page.after ?? page.data.at(-1)?.id;
    const isLast = !page.has_more || last === undefined || last === after;
    if (isLast || items.length >= MAX_ITEMS) return { items: items.slice(0, MAX_ITEMS), isCut: !isLast || items.length > MAX_ITEMS };
    after = last;
  }
}

/** A name that every file system takes. */
export function fileName(title: string): string {
  const plain = title.normalize('NFC').replaceAll(/[\p{Cc}\p{Cf}/\\:*?"<>|]+/gu, ' ').replaceAll(/\s+/g, ' ').replace(/^[.\s]+/, '').trim();
  return Array.from(plain).slice(0, 80).join('').trim() || 'chat';
}

/** Each item with the model that its message asked for. */
function withModels(items: readonly ThreadItem[]): { item: ThreadItem; model: string | null }[] {
  let model: string | null = null;
  return items.map((item) => {
    if (item.type === 'user_message') model = item.inference_options?.model ?? null;
    return { item, model };
  });
}

export function asJson({ thread, title, items, now, isCut }: Exported): string {
  const marked = withModels(items).map(({ item, model }) =>
    MADE.has(item.type) ? { ...item, generated_by: 'ai', generated_at: item.created_at, ...(model === null ? {} : { model }) } : item,
  );
  return `${JSON.stringify({ title, thread_id: thread.id, created_at: thread.created_at, exported_at: now.toISOString(), contains: 'ai_generated_content', ...(isCut ? { complete: false } : {}), items: marked }, null, 2)}\n`;
}

export function asMarkdown({ thread, title, items, now, isCut }: Exported, t: Translate): string {
  const head = [
    '---',
    // A title is whatever somebody wrote: JSON's strings are YAML's, too.
    `title: ${JSON.stringify(title)}`,
    `thread_id: ${JSON.stringify(thread.id)}`,
    `created_at: ${JSON.stringify(thread.created_at)}`,
    `exported_at: ${JSON.stringify(now.toISOString())}`,
    'contains: ai_generated_content',
    '---',
  ].join('\n');
  const parts = [head, `# ${oneLine(title)}`];
  let speaker: 'person' | 'machine' | null = null;
  for (const { item, model } of withModels(items)) {
    const text = textOf(item);
    if (text === '') continue;
    if (item.type === 'user_message') {
      parts.push(`## ${t('message.user')}`, text);
      speaker = 'person';
      continue;
    }
    if (speaker !== 'machine') parts.push(`## ${t('message.assistant')}`);
    speaker = 'machine';
    const made = [t('ai.made'), model ?? '', item.created_at].filter((part) => part !== '').join(' · ');
    parts.push(text, `*${oneLine(made)}*`);
  }
  if (isCut) parts.push('---', t('history.exportCut', { count: items.length }));
  return `${parts.join('\n\n')}\n`;
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim();

function textOf(item: ThreadItem): string {
  switch (item.type) {
    case 'user_message': {
      const quoted = (item.quoted_text ?? '').trim();
      return [
        quoted === '' ? '' : quoted.split('\n').map((line) => `> ${line}`).join('\n'),
        item.content.map((part) => part.text).join(''),
        ...(item.attachments ?? []).map(({ name }) => `- 📎 ${oneLine(name)}`),
      ].filter((part) => part !== '').join('\n\n');
    }
    case 'assistant_message':
      return item.content.map((part) => [part.text, ...sourcesOf(annotationsOf(part))].join('\n\n').trim()).join('\n\n');
    case 'widget':
      return item.copy_text ?? `\`\`\`json\n${JSON.stringify(item.widget, null, 2)}\n\`\`\``;
    case 'generated_image':
      return item.image === null || item.image === undefined ? '' : `![](<${item.image.url}>)`;
    case 'workflow':
      return item.workflow.tasks.map(({ title }) => title ?? '').filter((title) => title !== '').map((title) => `- ${oneLine(title)}`).join('\n');
    case 'task':
      return item.task.title === null || item.task.title === undefined ? '' : `- ${oneLine(item.task.title)}`;
    case 'structured_input':
      return item.inputs.map(({ question, answer }) => `- ${oneLine(question)} ${(answer?.values ?? []).map(oneLine).join(', ')}`.trimEnd()).join('\n');
    case 'client_tool_call':
    case 'end_of_turn':
    case 'hidden_context_item':
    case 'sdk_hidden_context':
      return '';
    default:
      // A type of the future: the file has it in its JSON form only.
      return '';
  }
}

function sourcesOf(annotations: readonly Annotation[]): string[] {
  return annotations.map(({ source }) => (source.type === 'url' ? `- [${oneLine(source.title)}](<${source.url}>)` : `- ${oneLine(source.title)}`));
}
