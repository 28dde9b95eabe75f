/**
 * How a file becomes an attachment that a message can name: one function for each way in. All of
 * them end with the server's own description of it, or throw in the server's words.
 */
import { withSecret, type SecretKeeper } from './auth';
import type { Bytes, SendBytes, UploadJob } from './bytes';
import { errorOf, type ChatClient } from './client';
import { RequestError } from './errors';
import type { AnnouncedAttachment, Attachment } from './protocol';
import { withRetry, type RetryEnvironment } from './retry';

export type Upload = (file: File, job: UploadJob) => Promise<Attachment>;

export interface Uploader {
  readonly upload: Upload;
  /** Removes a file that no message has; best effort, since the server forgets it by itself some day. */
  readonly discard: (id: string) => Promise<void>;
}

/** The media type of a file that the browser cannot place. */
const UNKNOWN_TYPE = 'application/octet-stream';

export function uploaderOf(client: ChatClient, upload: (discard: Uploader['discard']) => Upload): Uploader {
  const discard = async (id: string): Promise<void> => {
    try {
      await client.request('attachments.delete', { attachment_id: id }, new AbortController().signal);
    } catch {
      // Nobody waits for this, and the server forgets what is left over after a day.
    }
  };
  return { upload: upload(discard), discard };
}

/** The hosted doors: a form to the server the script came from, with the client secret. */
export function hostedUpload(baseUrl: string, secrets: SecretKeeper, send: SendBytes, environment: RetryEnvironment): Upload {
  const url = `${baseUrl}/v1/chatkit/files`;
  return async (file, job) => {
    const attempt = (secret: string): Promise<Response> =>
      send({ ...formOf(url, file), headers: { Authorization: `Bearer ${secret}` } }, job);
    const response = await withRetry(() => withSecret(secrets, attempt), false, job.signal, environment);
    return described(await answerOf(response), file);
  };
}

/** `direct`: a form to the integration's own address. */
export function directUpload(url: string, send: SendBytes, environment: RetryEnvironment): Upload {
  return async (file, job) => {
    const response = await withRetry(() => send(formOf(url, file), job), false, job.signal, environment);
    return described(await answerOf(response), file);
  };
}

/** `two_phase`: announce the file, then send its bytes where the answer says. */
export function twoPhaseUpload(
  client: ChatClient,
  apiUrl: string,
  send: SendBytes,
  environment: RetryEnvironment,
  discard: Uploader['discard'],
): Upload {
  return async (file, job) => {
    const facts = { name: file.name, size: file.size, mime_type: file.type === '' ? UNKNOWN_TYPE : file.type };
    const announced = await client.request('attachments.create', facts, job.signal);
    const attachment = described(announced, file);
    try {
      const bytes = bytesOf(announced, file, apiUrl);
      const response = await withRetry(() => send(bytes, job), false, job.signal, environment);
      if (!response.ok) throw await errorOf(response);
      await response.body?.cancel();
    } catch (error) {
      // An announcement takes room on the server; the next attempt makes its own.
      void discard(attachment.id);
      throw error;
    }
    return attachment;
  };
}

function bytesOf({ upload_descriptor: descriptor, upload_url: legacy }: AnnouncedAttachment, file: File, apiUrl: string): Bytes {
  const url = webAddress(descriptor?.url ?? legacy ?? '', apiUrl);
  if (url === null) throw new RequestError('attachments.create has to answer with an upload_descriptor that holds a web address.');
  if (descriptor === undefined || descriptor === null) return formOf(url, file);
  return { url, method: descriptor.method === 'POST' ? 'POST' : 'PUT', headers: descriptor.headers ?? {}, body: file };
}

function webAddress(given: string, base: string): string | null {
  try {
    const url = new URL(given, base);
    return given !== '' && (url.protocol === 'https:' || url.protocol === 'http:') ? url.href : null;
  } catch {
    return null;
  }
}

function formOf(url: string, file: File): Bytes {
  const body = new FormData();
  body.append('file', file, file.name);
  return { url, method: 'POST', headers: {}, body };
}

async function answerOf(response: Response): Promise<unknown> {
  if (!response.ok) throw await errorOf(response);
  return response.json().catch(() => null);
}

/** The attachment as the server describes it; only the id has to come from there. */
function described(answer: unknown, file: File): Attachment {
  const { id, type, name, mime_type, preview_url } = (typeof answer === 'object' && answer !== null ? answer : {}) as Partial<Attachment>;
  if (typeof id !== 'string' || id === '') throw new RequestError('The upload was answered without an attachment.');
  return {
    type: type === 'image' ? 'image' : 'file',
    id,
    name: typeof name === 'string' && name !== '' ? name : file.name,
    mime_type: typeof mime_type === 'string' ? mime_type : file.type,
    ...(typeof preview_url === 'string' ? { preview_url } : {}),
  };
}
