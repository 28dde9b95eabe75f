/** Credentials, retries and refusals over the transports, without a network. */
import { describe, expect, test, vi } from 'vitest';
import { SecretKeeper, expiryOf, fromCallback, type ClientSecret } from '../../src/core/auth';
import { ChatClient, type RunSupport } from '../../src/core/client';
import type { Frame } from '../../src/core/cursor';
import { checkDomainKey, checkPage, withReason } from '../../src/core/domain';
import { runClientTool } from '../../src/core/tools';
import { asError, callPage, RequestError, wordsOfPage } from '../../src/core/errors';
import type { RetryEnvironment } from '../../src/core/retry';
import { customTransport, hostedTransport, type Transport } from '../../src/core/transport';
import { visitorIssuer } from '../../src/core/visitor';

const secretEnding = (seconds: number, name = 'a'): string => `ek_${name}_00${btoa(JSON.stringify({ expires_at: seconds }))}`;
const signal = (): AbortSignal => new AbortController().signal;
const json = (value: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json', ...headers } });
const streamOf = (text: string): Response => new Response(text, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } });

function clock(): RetryEnvironment & { pauses: number[] } {
  const pauses: number[] = [];
  return { pauses, now: () => 1_000_000, delay: (ms) => (pauses.push(ms), Promise.resolve()) };
}

function clientOf(send: Transport['send'], environment = clock(), runs: RunSupport = { mayAnnounce: false, isKnown: false, hasKeys: false }) {
  const log = vi.fn();
  return { client: new ChatClient({ transport: { send }, runs, locale: () => 'de', environment, log }), log, environment };
}

async function collect(client: ChatClient, key?: string): Promise<Frame[]> {
  const all: Frame[] = [];
  const stream = await client.open('threads.retry_after_item', { thread_id: 't', item_id: 'i' }, { signal: signal(), key });
  for await (const batch of stream.frames) all.push(...batch);
  return all;
}

describe('what a function of the page throws', () => {
  const thrownBy = async (thrown: unknown): Promise<Error> => {
    try {
      await callPage(() => { throw thrown; });
    } catch (error) {
      return error as Error;
    }
    throw new Error('nothing was thrown');
  };

  test.each([
    [new Error('Please sign in again.'), 'Please sign in again.'],
    [Object.assign(new Error('Your plan has ended.'), { name: 'ApiError' }), 'Your plan has ended.'],
    ['Please sign in again.', 'Please sign in again.'],
    [{ message: 'Please sign in again.', code: 'PGRST301' }, 'Please sign in again.'],
    [new Error('x'.repeat(5000)), 'x'.repeat(600)],
    // What the browser says is not for people.
    [new TypeError('Failed to fetch'), null],
    [new SyntaxError('Unexpected token <'), null],
    [new DOMException('aborted', 'AbortError'), null],
    [new Error('  '), null],
  ])('%j is said as %j', async (thrown, words) => {
    const error = await thrownBy(thrown);
    expect(wordsOfPage(error)).toBe(words);
    if (thrown instanceof Error) expect(error).toBe(thrown);
  });

  test('words of anybody else are not the page\'s', () => {
    expect(wordsOfPage(new Error('cannot read properties of undefined'))).toBeNull();
    expect(asError({ code: 7 }).message).toBe('something failed without an error');
  });

  test.each([undefined, null, { status: 500 }, ''])('what a page throws without words is not read out: %j', async (thrown) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- pages do
    const error = await callPage(() => Promise.reject(thrown)).catch(asError);
    expect(wordsOfPage(error)).toBeNull();
  });
});

describe('the result of a client tool', () => {
  const call = { type: 'client_tool_call', id: 'c', thread_id: 't', created_at: '2026-01-01T00:00:00Z', status: 'pending', call_id: 'c1', name: 'look', arguments: {} } as const;
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;

  test.each<[unknown, unknown, number]>([
    [{ a: 1 }, { a: 1 }, 0],
    ['text', 'text', 0],
    [undefined, {}, 0],
    [() => 1, {}, 0],
    [circle, { error: expect.stringContaining('circular') as string }, 1],
    [{ many: 1n }, { error: expect.stringContaining('BigInt') as string }, 1],
  ])('is what a message can hold: case %#', async (result, sent, errors) => {
    const report = vi.fn();
    expect(await runClientTool(call, () => result, report)).toEqual(sent);
    expect(report).toHaveBeenCalledTimes(errors);
  });
});

describe('client secrets', () => {
  test('carry their expiry in clear', () => {
    expect(expiryOf(secretEnding(1_760_045_715))).toBe(1_760_045_715_000);
    expect(expiryOf('ek_68e8283b23088190be1d13897c181bc60441400bb23b5dae_00eyJleHBpcmVzX2F0IjogMTc2MDA0NTcxNX0=')).toBe(1_760_045_715_000);
    for (const other of ['ek_plain', 'ek_x_00!!!', `ek_x_00${btoa('[]')}`, `ek_x_00${btoa('{"expires_at":"soon"}')}`]) expect(expiryOf(other)).toBeNull();
  });

  test('are asked for once, however many need one', async () => {
    const issue = vi.fn((current: string | null) => Promise.resolve<ClientSecret>({ value: `ek_${current ?? 'first'}`, expiresAt: null }));
    const keeper = new SecretKeeper(issue, () => 0);
    expect(await Promise.all([keeper.get(), keeper.get(), keeper.get()])).toEqual(['ek_first', 'ek_first', 'ek_first']);
    await Promise.all([keeper.replace('ek_first'), keeper.replace('ek_first')]);
    expect(issue.mock.calls).toEqual([[null], ['ek_first']]);
  });

  test('are renewed before they end', async () => {
    let now = 0;
    const issue = vi.fn((current: string | null) => Promise.resolve<ClientSecret>({ value: current === null ? 'one' : 'two', expiresAt: now + 60_000 }));
    const keeper = new SecretKeeper(issue, () => now);
    expect(await keeper.get()).toBe('one');
    now = 29_000;
    expect(await keeper.get()).toBe('one');
    now = 31_000;
    expect(await keeper.get()).toBe('two');
  });

  test('are not asked for with every request where the clock is wrong', async () => {
    // By this clock, each is over a day ago when it comes.
    const issue = vi.fn((current: string | null) => Promise.resolve<ClientSecret>({ value: current === null ? 'one' : 'two', expiresAt: 600_000 }));
    const keeper = new SecretKeeper(issue, () => 86_400_000);
    expect([await keeper.get(), await keeper.get(), await keeper.get()]).toEqual(['one', 'one', 'one']);
    // The server says when it is.
    expect([await keeper.replace('one'), await keeper.get()]).toEqual(['two', 'two']);
    expect(issue).toHaveBeenCalledTimes(2);
  });

  test('are asked for again after a failure', async () => {
    const issue = vi.fn().mockRejectedValueOnce(new Error('down')).mockResolvedValue({ value: 'ek', expiresAt: null });
    const keeper = new SecretKeeper(issue, () => 0);
    await expect(keeper.get()).rejects.toThrow('down');
    await expect(keeper.get()).resolves.toBe('ek');
  });

  test('that are too old to be renewed are replaced by a first one', async () => {
    const issue = vi.fn((current: string | null) => (current === null ? Promise.resolve<ClientSecret>({ value: 'fresh', expiresAt: null }) : Promise.reject(new Error('family has ended'))));
    const keeper = new SecretKeeper(issue, () => 0);
    await keeper.get();
    await expect(keeper.replace('fresh')).resolves.toBe('fresh');
    expect(issue.mock.calls).toEqual([[null], ['fresh'], [null]]);
  });

  test('must be strings', async () => {
    const issue = fromCallback(() => Promise.resolve(undefined as unknown as string));
    await expect(issue(null)).rejects.toMatchObject({ name: 'IntegrationError' });
  });
});

describe('the hosted door', () => {
  const request = { body: '{}', streaming: true, locale: 'en', signal: signal() };

  test('renews once on 401 and sends the same body again', async () => {
    const fetch = vi.fn().mockResolvedValueOnce(json({}, 401)).mockResolvedValueOnce(json({}));
    const keeper = new SecretKeeper((current) => Promise.resolve({ value: current === null ? 'old' : 'new', expiresAt: null }), () => 0);
    const response = await hostedTransport('https://chat.example', keeper, fetch).send(request);
    expect(response.status).toBe(200);
    expect(fetch.mock.calls.map(([url, init]): unknown[] => [url, (init as RequestInit & { headers: Record<string, string> }).headers['Authorization'], (init as RequestInit).body])).toEqual([
      ['https://chat.example/v1/chatkit/conversation', 'Bearer old', '{}'],
      ['https://chat.example/v1/chatkit/conversation', 'Bearer new', '{}'],
    ]);
  });

  test('gives up after the second 401', async () => {
    const fetch = vi.fn(() => Promise.resolve(json({}, 401)));
    const keeper = new SecretKeeper((current) => Promise.resolve({ value: `${current ?? ''}x`, expiresAt: null }), () => 0);
    expect((await hostedTransport('https://chat.example', keeper, fetch).send(request)).status).toBe(401);
    expect(fetch).toHaveBeenCalledTimes(2);
  });
});

describe('the public door', () => {
  test('opens a visitor with the cookie of the server', async () => {
    const fetch = vi.fn(() => Promise.resolve(json({ client_secret: secretEnding(9) })));
    await expect(visitorIssuer('https://chat.example', 'pk_test_x', fetch)(null)).resolves.toEqual({ value: secretEnding(9), expiresAt: 9000 });
    expect(fetch).toHaveBeenCalledWith('https://chat.example/api/chatkit/visitor', expect.objectContaining({ credentials: 'include' }));
  });

  test('hands on the refusal in the words of the server', async () => {
    const fetch = () => Promise.resolve(json({ error: { message: 'Add http://a with: vestibule domain add http://a', code: 'origin_not_allowed' } }, 403));
    await expect(visitorIssuer('https://chat.example', 'pk_test_x', fetch)(null)).rejects.toMatchObject({ message: expect.stringContaining('domain add') as string, forUser: true });
  });
});

describe('the custom door', () => {
  test('O003 calls the latest fetch with a plain object of headers and a string', async () => {
    const calls: [string, RequestInit][] = [];
    let name = 'first';
    const transport = customTransport('https://app.example/chat', () => (url, init) => {
      calls.push([`${name} ${url}`, init]);
      return Promise.resolve(json({}));
    });
    await transport.send({ body: '{"a":1}', streaming: true, locale: 'fr', signal: signal() });
    name = 'second';
    await transport.send({ body: '{}', streaming: false, locale: 'fr', signal: signal() });
    expect(calls.map(([url]) => url)).toEqual(['first https://app.example/chat', 'second https://app.example/chat']);
    expect(Object.getPrototypeOf(calls[0]![1].headers)).toBe(Object.prototype);
    expect(calls[0]![1]).toMatchObject({ body: '{"a":1}', method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', 'Accept-Language': 'fr' } });
    expect(calls[1]![1].headers).toMatchObject({ Accept: 'application/json' });
  });
});

describe('requests', () => {
  test('skip what they do not know and log its type only', async () => {
    const { client, log } = clientOf(() => Promise.resolve(streamOf('data: {"type":"event.of.the.future","secret":"s"}\n\ndata: not json\n\ndata: {"type":"progress_update","text":"x"}\n\n')));
    expect(await collect(client)).toEqual([{ id: null, event: { type: 'progress_update', text: 'x' } }]);
    expect(log.mock.calls).toEqual([['stream.event.unknown', { type: 'event.of.the.future' }], ['stream.event.invalid']]);
  });

  test('refuse a reply that is not a stream', async () => {
    const { client } = clientOf(() => Promise.resolve(json({})));
    await expect(collect(client)).rejects.toThrow('not with a stream');
  });

  test('say what the server said', async () => {
    const { client } = clientOf(() => Promise.resolve(json({ error: { message: 'Too many visitors today.', code: 'quota' } }, 403)));
    await expect(client.request('threads.list', { limit: 1, order: 'desc' }, signal())).rejects.toMatchObject({ message: 'Too many visitors today.', status: 403, code: 'quota', forUser: true });
  });

  test('do not show error pages of something in between', async () => {
    const { client } = clientOf(() => Promise.resolve(new Response('<html>nginx</html>', { status: 502 })));
    const error = await client.request('threads.list', { limit: 1, order: 'desc' }, signal()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RequestError);
    expect((error as RequestError).message).not.toContain('nginx');
    expect((error as RequestError).forUser).toBe(false);
  });
});

describe('runs', () => {
  const headersOf = (send: ReturnType<typeof vi.fn>): unknown => (send.mock.calls.at(-1) as [{ headers: unknown }])[0].headers;

  test('a server that shows none is sent no headers of ours', async () => {
    const send = vi.fn(() => Promise.resolve(streamOf('data: {"type":"progress_update","text":"x"}\n\n')));
    const { client } = clientOf(send);
    await collect(client, 'k1');
    await collect(client, 'k2');
    expect(headersOf(send)).toEqual({});
    expect(client.resumes).toBe(false);
  });

  test.each([
    ['a header', new Response('data: {"type":"progress_update","text":"x"}\n\n', { headers: { 'content-type': 'text/event-stream', 'vestibule-run': 'run_a' } })],
    ['an id', streamOf('id: run_a:1\ndata: {"type":"progress_update","text":"x"}\n\n')],
  ])('%s tells that a server has them, and from then on it is told that we resume', async (_, response) => {
    const send = vi.fn(() => Promise.resolve(response.clone()));
    const { client } = clientOf(send);
    await collect(client, 'k1');
    expect(headersOf(send)).toEqual({});
    await collect(client, 'k2');
    expect(headersOf(send)).toEqual({ 'Vestibule-Client': 'resume', 'Idempotency-Key': 'k2' });
    expect(client.resumes).toBe(true);
  });

  test('a key is sure to arrive once a stream with ids has answered one, and not where there were none', async () => {
    const frame = 'data: {"type":"progress_update","text":"x"}\n\n';
    const bare = (): Response => new Response(frame, { headers: { 'content-type': 'text/event-stream', 'vestibule-run': 'run_a' } });
    const withIds = (): Response => streamOf(`id: run_a:1\n${frame}`);
    const send = vi.fn(() => Promise.resolve(bare()));
    const { client } = clientOf(send);
    // Told nothing, and a header of the answer: that it is a Vestibule is known, and no more.
    await collect(client, 'k1');
    expect([client.resumes, client.hasKeys]).toEqual([true, false]);
    // Announced, and a stream without ids: something in between took our headers off.
    await collect(client, 'k2');
    expect(client.hasKeys).toBe(false);
    // `threads.resume` has ids without them.
    send.mockImplementation(() => Promise.resolve(withIds()));
    const resumed = await client.open('threads.resume', { thread_id: 't' }, { signal: signal() });
    for await (const batch of resumed.frames) expect(batch).toHaveLength(1);
    expect(client.hasKeys).toBe(false);
    await collect(client, 'k3');
    expect(client.hasKeys).toBe(true);
    send.mockImplementation(() => Promise.resolve(bare()));
    await collect(client, 'k4');
    expect(client.hasKeys).toBe(false);
  });

  test('an unknown event moves the reader on, and another server’s ids mean nothing', async () => {
    const { client } = clientOf(() => Promise.resolve(streamOf('id: run_a:7\ndata: {"type":"new"}\n\nid: 12\ndata: {"type":"progress_update","text":"x"}\n\n')));
    expect(await collect(client)).toEqual([{ id: { run: 'run_a', position: 7 }, event: null }, { id: null, event: { type: 'progress_update', text: 'x' } }]);
  });

  test('a stream says its run, and under which id a message waits', async () => {
    const headers = { 'content-type': 'text/event-stream', 'vestibule-run': 'run_a', 'vestibule-queued': 'msg_1' };
    const { client } = clientOf(() => Promise.resolve(new Response('', { headers })));
    expect(await client.open('threads.resume', { thread_id: 't' }, { signal: signal() })).toMatchObject({ run: 'run_a', queued: 'msg_1' });
  });
});

describe('repeating', () => {
  const offline = (): Promise<Response> => Promise.reject(new TypeError('Failed to fetch'));
  const busy = (after: string) => (): Promise<Response> => Promise.resolve(json({}, 503, { 'retry-after': after }));

  test('reading tries three times without an answer', async () => {
    const send = vi.fn(offline);
    const { client, environment } = clientOf(send);
    await expect(client.request('threads.list', { limit: 1, order: 'desc' }, signal())).rejects.toThrow(TypeError);
    expect(send).toHaveBeenCalledTimes(3);
    expect(environment.pauses).toEqual([400, 800]);
  });

  test('a turn is never sent again when it may have arrived', async () => {
    const send = vi.fn(offline);
    const { client } = clientOf(send);
    await expect(collect(client)).rejects.toThrow(TypeError);
    expect(send).toHaveBeenCalledTimes(1);
  });

  test('a turn is sent again when the server asks for it', async () => {
    const send = vi.fn().mockImplementationOnce(busy('2')).mockResolvedValue(streamOf(''));
    const { client, environment } = clientOf(send as Transport['send']);
    await collect(client);
    expect(environment.pauses).toEqual([2000]);
  });

  test.each(['60', 'nonsense'])('Retry-After: %s is not waited for', async (after) => {
    const send = vi.fn(busy(after));
    const { client, environment } = clientOf(send);
    await expect(client.request('threads.list', { limit: 1, order: 'desc' }, signal())).rejects.toMatchObject({ status: 503 });
    expect([send.mock.calls.length, environment.pauses.length]).toEqual([1, 0]);
  });

  test('a server error is not repeated', async () => {
    const send = vi.fn(() => Promise.resolve(new Response('', { status: 500 })));
    const { client } = clientOf(send);
    await expect(client.request('threads.list', { limit: 1, order: 'desc' }, signal())).rejects.toMatchObject({ status: 500 });
    expect(send).toHaveBeenCalledTimes(1);
  });
});

describe('the domain key', () => {
  const check = (key: string, response: () => Promise<Response>) => {
    const fetch = vi.fn(response);
    const log = vi.fn();
    return { fetch, log, result: checkDomainKey(key, { serverUrl: 'https://chat.example', pageOrigin: 'https://app.example', fetch, log }) };
  };

  test('of others is not checked', async () => {
    const { fetch, result } = check('domain_pk_x', () => Promise.resolve(json({})));
    await result;
    expect(fetch).not.toHaveBeenCalled();
  });

  test('refused is refused in words', async () => {
    const { result } = check('dk_live_x', () => Promise.resolve(json({ error: { message: 'not open to this page', details: { command: 'vestibule domain add …', next: 7, registered: ['https://a.example', 7] } } }, 400)));
    await expect(result).rejects.toMatchObject({ name: 'DomainRefusedError', message: 'not open to this page', details: { command: 'vestibule domain add …', registered: ['https://a.example'] } });
  });

  test('a page without a key asks for its origin alone', async () => {
    const fetch = vi.fn<(url: string, init: RequestInit) => Promise<Response>>(() => Promise.resolve(json({ error: { message: 'Run: vestibule domain add https://app.example' } }, 400)));
    const asking = checkPage({ serverUrl: 'https://chat.example', pageOrigin: 'https://app.example', fetch, log: vi.fn() }, null);
    await expect(asking).rejects.toMatchObject({ name: 'DomainRefusedError' });
    expect(fetch.mock.calls[0]?.[1].body).toBe('{"domain":"https://app.example"}');
    await expect(checkPage({ serverUrl: 'https://chat.example', pageOrigin: 'https://app.example', fetch, log: vi.fn() }, 'pk_test_x')).rejects.toThrow();
    expect(fetch.mock.calls[1]?.[1].body).toBe('{"domain":"https://app.example","client_token":"pk_test_x"}');
  });

  test('a request without an answer asks whether the page is refused', async () => {
    const broken = new TypeError('Failed to fetch');
    const send = vi.fn(() => Promise.reject(broken));
    const outgoing = { body: '{}', streaming: false, locale: 'en', signal: signal() };
    const through = (answer: () => Promise<Response>) => {
      const fetch = vi.fn<(url: string, init: RequestInit) => Promise<Response>>(answer);
      const check = { serverUrl: 'https://chat.example', pageOrigin: 'https://app.example', fetch, log: vi.fn() };
      return { fetch, sent: withReason({ send }, check).send(outgoing) };
    };
    const refused = through(() => Promise.resolve(json({ error: { message: 'not open to this page', details: { next: 'run it' } } }, 400)));
    await expect(refused.sent).rejects.toMatchObject({ name: 'RequestError', message: 'not open to this page', forUser: true, details: { next: 'run it' } });
    expect(refused.fetch.mock.calls[0]?.[1].body).toBe('{"domain":"https://app.example"}');
    await expect(through(() => Promise.resolve(json({ verified: true }))).sent).rejects.toBe(broken);
    await expect(through(() => Promise.reject(new TypeError('x'))).sent).rejects.toBe(broken);
  });

  test.each([
    ['accepted', () => Promise.resolve(json({ verified: true })), 0],
    ['unreachable', () => Promise.reject(new TypeError('x')), 1],
    ['not served', () => Promise.resolve(json({}, 404)), 1],
    ['failing', () => Promise.resolve(json({}, 500)), 1],
  ])('%s lets the chat start', async (_, response, warnings) => {
    const { log, result } = check('dk_live_x', response);
    await expect(result).resolves.toBe(warnings === 0);
    expect(log).toHaveBeenCalledTimes(warnings);
  });
});
