/** Reads the parameters of `setComposerValue`: everything is checked before anything changes. */
import type { OpenAIChatKit } from '@openai/chatkit';
import { IntegrationError } from '../core/errors';
import type { Attachment } from '../core/protocol';
import { draftOf, type DraftTag } from '../store/tags';

export type ComposerParams = Parameters<OpenAIChatKit['setComposerValue']>[0];

export interface ComposerChange {
  /** `null`: stays as it is. */
  readonly text: string | null;
  readonly tags: readonly DraftTag[] | null;
  /** `''` takes the quotation away. */
  readonly quote: string | null;
  readonly attachments: readonly Attachment[] | null;
  readonly files: readonly File[];
}

/** What may be selected. */
interface Choices {
  readonly tools: readonly { readonly id: string }[];
  readonly models: readonly { readonly id: string; readonly disabled: boolean }[];
}

export function composerChange(params: ComposerParams, mayUpload: boolean, { tools, models }: Choices): ComposerChange {
  const { selectedToolId: tool, selectedModelId: model } = params;
  if (tool !== undefined && tool !== null && !tools.some(({ id }) => id === tool)) {
    throw new IntegrationError(`setComposerValue({ selectedToolId }) takes the id of one of composer.tools, or null; ${JSON.stringify(tool)} is none.`);
  }
  if (model !== undefined && !models.some(({ id, disabled }) => id === model && !disabled)) {
    throw new IntegrationError(`setComposerValue({ selectedModelId }) takes the id of one of composer.models that is not disabled; ${JSON.stringify(model)} is none.`);
  }
  const files = params.files === undefined ? [] : [...params.files];
  if (files.some((file: unknown) => !isFile(file))) throw new IntegrationError('setComposerValue({ files }) takes File objects.');
  if (files.length > 0 && !mayUpload) {
    throw new IntegrationError('setComposerValue({ files }) needs composer.attachments.enabled and, with api.url, api.uploadStrategy.');
  }
  const written = params.content === undefined ? null : draftOf(params.content);
  const text = params.text ?? written?.text ?? null;
  return { text, tags: params.text === undefined ? (written?.tags ?? null) : [], quote: params.reply ?? null, attachments: params.attachments === undefined ? null : params.attachments.map(checked), files };
}

/** Not `instanceof`: a file may come from another frame. */
function isFile(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'name' in value && 'size' in value && 'slice' in value;
}

function checked(attachment: Attachment): Attachment {
  const { id, name, mime_type: mimeType, type } = attachment as Partial<Attachment>;
  if (typeof id !== 'string' || id === '' || typeof name !== 'string' || typeof mimeType !== 'string' || (type !== 'file' && type !== 'image')) {
    throw new IntegrationError('setComposerValue({ attachments }) takes what the server answered to an upload: type, id, name and mime_type.');
  }
  return attachment;
}
