/** The ways a file reaches a server, without a network. */
import { describe, expect, test, vi } from 'vitest';
import { SecretKeeper } from '../../src/core/auth';
import { bytesThroughPage, type Bytes, type UploadJob } from '../../src/core/bytes';
import { ChatClient } from '../../src/core/client';
import { RequestError } from '../../src/core/errors';
import type { RetryEnvironment } from '../../src/core/retry';
import { directUpload, hostedUpload, twoPhaseUpload, uploaderOf } from '../../src/core/upload';

const API = 'https://app.example/chatkit';
const file = new File(['hello'], 'notes.txt', { type: 'text/plain' });
const environment: RetryEnvironment = { now: () => 0, delay: () => Promise.resolve() };
const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json', ...headers } });
const refusal = (status: number, message: string, code: string): Response => json({ error: { message, code } }, status);
const stored = { type: 'file', id: 'file_1', name: 'notes.txt', mime_type: 'text/plain' };

function jobOf(controller = new AbortController()): UploadJob {
  return { signal: controller.signal, onProgress: () => undefined };
}

/** Answers one after the other; keeps what was sent. */
function sender(...answers: (Response | Error)[]) {
  const sent: Bytes[] = [];
  const send = (bytes: Bytes): Promise<Response> => {
    sent.push(bytes);
    const answer = answers.shift();
    if (answer === undefined) throw new Error('nothing more was expected');
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  return { send, sent };
}

function clientOf(...answers: Response[]) {
  const calls: { type: string; params: unknown }[] = [];
  const send = ({ body }: { body: string }): Promise<Response> => {
    calls.push(JSON.parse(body) as { type: string; params: unknown });
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new TypeError('down')) : Promise.resolve(answer);
  };
  return { calls, client: new ChatClient({ transport: { send }, runs: { mayAnnounce: false, isKnown: false, hasKeys: false }, locale: () => 'en', environment, log: () => undefined }) };
}

/** Without reading a file: happy-dom's are not those of the browser. */
const fileIn = ({ body }: Bytes): unknown => (body instanceof FormData ? (body.get('file') as File).name : null);

describe('the hosted doors', () => {
  const secrets = () => {
    let issued = 0;
    return new SecretKeeper(() => Promise.resolve({ value: `ek_${(issued += 1)}`, expiresAt: null }), () => 0);
  };

  test('send a form with the client secret', async () => {
    const { send, sent } = sender(json({ ...stored, preview_url: null, upload_url: null }));
    await expect(hostedUpload('https://chat.example', secrets(), send, environment)(file, jobOf())).resolves.toEqual(stored);
    expect(sent).toMatchObject([{ url: 'https://chat.example/v1/chatkit/files', method: 'POST', headers: { Authorization: 'Bearer ek_1' } }]);
    expect(fileIn(sent[0]!)).toBe('notes.txt');
  });

  test('renew the secret once', async () => {
    const { send, sent } = sender(refusal(401, 'expired', 'x'), json(stored));
    await hostedUpload('', secrets(), send, environment)(file, jobOf());
    expect(sent.map(({ headers }) => headers['Authorization'])).toEqual(['Bearer ek_1', 'Bearer ek_2']);
    const again = sender(refusal(401, 'expired', 'x'), refusal(401, 'You have signed out.', 'x'));
    await expect(hostedUpload('', secrets(), again.send, environment)(file, jobOf())).rejects.toMatchObject({ status: 401, message: 'You have signed out.' });
  });

  test('wait when the server asks for it', async () => {
    const { send, sent } = sender(json({}, 429, { 'retry-after': '1' }), json(stored));
    await hostedUpload('', secrets(), send, environment)(file, jobOf());
    expect(sent).toHaveLength(2);
  });

  test('fail in the words of the server', async () => {
    const { send } = sender(refusal(400, 'File uploads are disabled for this session.', 'chatkit.file_upload_disabled'));
    await expect(hostedUpload('', secrets(), send, environment)(file, jobOf())).rejects.toMatchObject({ code: 'chatkit.file_upload_disabled', forUser: true });
  });

  test.each([['an empty answer', new Response('')], ['no id', json({ name: 'x' })], ['a list', json([])]])('%s is no attachment', async (_name, answer) => {
    await expect(hostedUpload('', secrets(), sender(answer).send, environment)(file, jobOf())).rejects.toThrow('without an attachment');
  });
});

describe('direct', () => {
  test('sends a form to the address', async () => {
    const { send, sent } = sender(json({ type: 'image', id: 'img_1', name: 'x.png', mime_type: 'image/png', preview_url: 'https://cdn.example/1' }));
    await expect(directUpload('https://app.example/upload', send, environment)(file, jobOf())).resolves.toEqual({
      type: 'image', id: 'img_1', name: 'x.png', mime_type: 'image/png', preview_url: 'https://cdn.example/1',
    });
    expect(sent).toMatchObject([{ url: 'https://app.example/upload', method: 'POST', headers: {} }]);
    expect(fileIn(sent[0]!)).toBe('notes.txt');
  });

  test('asks little of the answer', async () => {
    await expect(directUpload('https://a.example/', sender(json({ id: 'x' })).send, environment)(file, jobOf())).resolves.toEqual({ ...stored, id: 'x' });
  });
});

describe('two phases', () => {
  const announced = (descriptor: unknown): Response => json({ ...stored, upload_descriptor: descriptor });

  test('announce, then send where the answer says', async () => {
    const { client, calls } = clientOf(announced({ url: 'https://bucket.example/key?sig=1', method: 'PUT', headers: { 'x-ms-blob-type': 'BlockBlob' } }));
    const { send, sent } = sender(new Response(null, { status: 204 }));
    const discard = vi.fn(() => Promise.resolve());
    await expect(twoPhaseUpload(client, API, send, environment, discard)(file, jobOf())).resolves.toEqual(stored);
    expect(calls).toEqual([{ type: 'attachments.create', params: { name: 'notes.txt', size: 5, mime_type: 'text/plain' } }]);
    expect(sent).toEqual([{ url: 'https://bucket.example/key?sig=1', method: 'PUT', headers: { 'x-ms-blob-type': 'BlockBlob' }, body: file }]);
    expect(discard).not.toHaveBeenCalled();
  });

  test.each([
    [{ url: '/put/1', method: 'POST', headers: {} }, { url: 'https://app.example/put/1', method: 'POST' }],
    [{ url: '/put/1', method: 'DELETE' }, { url: 'https://app.example/put/1', method: 'PUT' }],
  ])('%j', async (descriptor, expected) => {
    const { client } = clientOf(announced(descriptor));
    const { send, sent } = sender(new Response(''));
    await twoPhaseUpload(client, API, send, environment, () => Promise.resolve())(file, jobOf());
    expect(sent).toMatchObject([expected]);
  });

  test('the form of older servers', async () => {
    const { client } = clientOf(json({ ...stored, upload_url: 'https://bucket.example/1' }));
    const { send, sent } = sender(new Response(''));
    await twoPhaseUpload(client, API, send, environment, () => Promise.resolve())(file, jobOf());
    expect(sent).toMatchObject([{ url: 'https://bucket.example/1', method: 'POST' }]);
    expect(fileIn(sent[0]!)).toBe('notes.txt');
  });

  test.each([[null], [{ url: '' }], [{ url: 'javascript:alert(1)' }], [{ url: 'https://[' }]])('an answer with %j is refused', async (descriptor) => {
    const { client } = clientOf(announced(descriptor));
    const discard = vi.fn(() => Promise.resolve());
    await expect(twoPhaseUpload(client, API, sender().send, environment, discard)(file, jobOf())).rejects.toThrow('upload_descriptor');
    expect(discard.mock.calls).toEqual([['file_1']]);
  });

  test('what was announced and failed is discarded', async () => {
    for (const answer of [new TypeError('offline'), refusal(400, 'no', 'x'), new DOMException('stopped', 'AbortError')]) {
      const { client } = clientOf(announced({ url: '/put/1' }));
      const discard = vi.fn(() => Promise.resolve());
      await expect(twoPhaseUpload(client, API, sender(answer).send, environment, discard)(file, jobOf())).rejects.toThrow();
      expect(discard.mock.calls).toEqual([['file_1']]);
    }
  });

  test('a file of no known type is announced as bytes', async () => {
    const { client, calls } = clientOf(announced({ url: '/put/1' }));
    await twoPhaseUpload(client, API, sender(new Response('')).send, environment, () => Promise.resolve())(new File(['x'], 'a'), jobOf());
    expect(calls[0]?.params).toMatchObject({ mime_type: 'application/octet-stream' });
  });
});

describe('discarding', () => {
  test('is asked for once, and may fail', async () => {
    const { client, calls } = clientOf(refusal(404, 'gone', 'x'));
    const { discard } = uploaderOf(client, () => () => Promise.reject(new RequestError('unused')));
    await discard('file_1');
    await discard('file_2');
    expect(calls).toEqual(['file_1', 'file_2'].map((id) => ({ type: 'attachments.delete', params: { attachment_id: id } })));
  });
});

describe("the page's fetch", () => {
  const bytes = (url: string): Bytes => ({ url, method: 'PUT', headers: { a: 'b' }, body: file });
  const origins = ['https://page.example', 'https://api.example'];

  test.each([
    ['https://page.example/put', true],
    ['https://api.example/put', true],
    ['https://api.example:8443/put', false],
    ['https://bucket.example/put?sig=1', false],
  ])('%s: %s', async (url, isAsked) => {
    const { send, sent } = sender(new Response(''));
    const pageFetch = vi.fn(() => Promise.resolve(new Response('')));
    const job = jobOf();
    await bytesThroughPage(() => pageFetch, origins, send)(bytes(url), job);
    expect(pageFetch.mock.calls).toEqual(isAsked ? [[url, { method: 'PUT', headers: { a: 'b' }, body: file, signal: job.signal }]] : []);
    expect(sent).toHaveLength(isAsked ? 0 : 1);
  });

  test('is not missed', async () => {
    const { send, sent } = sender(new Response(''));
    await bytesThroughPage(() => null, origins, send)(bytes('https://page.example/put'), jobOf());
    expect(sent).toHaveLength(1);
  });
});
