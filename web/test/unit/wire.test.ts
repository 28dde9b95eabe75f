/**
 * The whole way from bytes to the transcript against a server that speaks the wire of runs, with a
 * network that breaks after any number of bytes, and replays that fold what they can.
 */
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { ChatClient } from '../../src/core/client';
import type { ThreadItem, ThreadStreamEvent } from '../../src/core/protocol';
import type { Line } from '../../src/core/retry';
import type { Transport } from '../../src/core/transport';
import { translate } from '../../src/i18n/translate';
import { Chat } from '../../src/store/chat';
import { asked, created, delta, message, said } from './fake-client';

interface Frame {
  readonly position: number;
  readonly event: ThreadStreamEvent;
}

const width = (event: ThreadStreamEvent): number =>
  event.type === 'thread.item.updated' && event.update.type === 'assistant_message.content_part.text_delta' ? new TextEncoder().encode(event.update.delta).length : 1;

/** One run with two items; `words` are the deltas of both. */
function runOf(words: readonly string[]): Frame[] {
  const half = Math.ceil(words.length / 2);
  const itemOf = (id: string, part: readonly string[]): ThreadStreamEvent[] => [
    { type: 'thread.item.added', item: { ...said(id, ''), content: [] } as ThreadItem },
    ...part.map((word) => delta(id, word)),
    { type: 'thread.item.done', item: said(id, part.join('')) },
  ];
  const events = [created('thr_1'), { type: 'thread.item.done', item: asked('m1', 'one') } as const, ...itemOf('a1', words.slice(0, half)), ...itemOf('a2', words.slice(half))];
  let position = 0;
  return events.map((event) => ({ position: (position += width(event)), event }));
}

/** What a late reader gets: deltas of one item in one, or nothing of an item but its end. */
function foldedAfter(run: readonly Frame[], after: number, drops: boolean): Frame[] {
  const frames: Frame[] = [];
  for (const { position, event } of run) {
    if (position <= after) continue;
    const last = frames.at(-1);
    if (width(event) === 1 && event.type !== 'thread.item.updated') {
      if (drops && event.type === 'thread.item.done') while (frames.at(-1) !== undefined && isOf(frames.at(-1)!.event, event.item.id)) frames.pop();
      frames.push({ position, event });
      continue;
    }
    // A reader may stand in the middle of a delta; it gets the rest.
    const text = event.type === 'thread.item.updated' && 'delta' in event.update ? event.update.delta : '';
    const rest = new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text).slice(Math.max(0, width(event) - (position - after))));
    const id = event.type === 'thread.item.updated' ? event.item_id : '';
    const before = last?.event.type === 'thread.item.updated' && last.event.item_id === id && 'delta' in last.event.update ? last.event.update.delta : null;
    if (before !== null) frames.pop();
    frames.push({ position, event: delta(id, (before ?? '') + rest) });
  }
  return frames;
}

const isOf = (event: ThreadStreamEvent, id: string): boolean =>
  (event.type === 'thread.item.updated' && event.item_id === id) || (event.type === 'thread.item.added' && event.item.id === id);

const encode = (frames: readonly Frame[]): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(`: keep-alive\n\n${frames.map(({ position, event }) => `id: run_a:${position}\ndata: ${JSON.stringify(event)}\n\n`).join('')}`);

/** Pauses pass at once; silence never comes. */
const line: Line = {
  now: () => 0,
  chance: () => 1,
  isOnline: () => true,
  onOnline: () => () => undefined,
  delay: (ms, signal) => new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new DOMException('stopped', 'AbortError')));
    if (ms < 30_000) resolve();
  }),
};

/** A body that breaks after `cut` bytes, in pieces of `piece`. */
function body(bytes: Uint8Array<ArrayBuffer>, cut: number, piece: number): ReadableStream<Uint8Array<ArrayBuffer>> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      const end = Math.min(bytes.length, cut, sent + piece);
      if (end > sent) controller.enqueue(bytes.slice(sent, end));
      sent = end;
      if (sent === bytes.length) controller.close();
      else if (sent >= cut) controller.error(new TypeError('network error'));
    },
  });
}

test('whatever breaks, wherever: every word is there once', async () => {
  const words = fc.array(fc.constantFrom('a', 'é ', '世界', '🎉', 'word ', '\n\n'), { minLength: 2, maxLength: 12 });
  const cuts = fc.array(fc.record({ cut: fc.nat({ max: 900 }), piece: fc.integer({ min: 1, max: 200 }), drops: fc.boolean(), fails: fc.boolean() }), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(words, cuts, async (deltas, faults) => {
      const run = runOf(deltas);
      const sent: { type: string; key: string | undefined }[] = [];
      let fault = 0;
      const send: Transport['send'] = (request) => {
        const { type, params } = JSON.parse(request.body) as { type: string; params: { after?: string } };
        sent.push({ type, key: request.headers?.['Idempotency-Key'] });
        const now = faults[fault];
        fault += 1;
        if (now?.fails === true) return Promise.reject(new TypeError('Failed to fetch'));
        const after = Number(params.after?.split(':')[1] ?? 0);
        const bytes = encode(type === 'threads.resume' ? foldedAfter(run, after, now?.drops ?? false) : run);
        return Promise.resolve(new Response(body(bytes, now?.cut ?? Infinity, now?.piece ?? 4096), { headers: { 'content-type': 'text/event-stream', 'vestibule-run': 'run_a' } }));
      };
      const runs = { mayAnnounce: true, isKnown: true, hasKeys: true };
      const client = new ChatClient({ transport: { send }, runs, locale: () => 'en', environment: line, log: () => undefined });
      const emit = vi.fn();
      let ids = 0;
      const chat = new Chat({ client: () => client, line, clientTool: () => null, widgetAction: () => null, log: () => undefined, emit, translate: () => translate, newId: () => `id_${(ids += 1)}`, now: () => new Date(0), signIn: () => Promise.resolve(), giveBack: () => undefined });
      await chat.send(message('one'));
      const texts = chat.transcript.state.entries.map(({ item }) => (item.type === 'user_message' || item.type === 'assistant_message' ? item.content.map(({ text }) => text).join('') : item.type));
      const half = Math.ceil(deltas.length / 2);
      // A message that was tried for half a minute without an answer is given up on, in words.
      const gaveUp = sent.length === 7 && sent.every(({ type }) => type === 'threads.create') && chat.transcript.error.value !== null;
      if (gaveUp) return;
      expect(texts).toEqual(['one', deltas.slice(0, half).join(''), deltas.slice(half).join('')]);
      expect(chat.transcript.state.entries.every(({ live, optimistic }) => live === undefined && optimistic === undefined)).toBe(true);
      expect([chat.phase.value, chat.transcript.error.value]).toEqual(['idle', null]);
      expect(emit.mock.calls.filter(([name]) => name === 'chatkit.error')).toEqual([]);
      expect(new Set(sent.filter(({ type }) => type === 'threads.create').map(({ key }) => key)).size).toBe(1);
    }),
    { numRuns: 300 },
  );
});
