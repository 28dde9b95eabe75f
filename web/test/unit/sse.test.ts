/** The event stream reader against the cases of the HTML standard (9.2.6), and against any split of bytes. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { MAX_EVENT_CHARACTERS, SseParser, readEvents } from '../../src/core/sse';

function parse(...chunks: string[]): string[] {
  const parser = new SseParser();
  return [...chunks.flatMap((chunk) => parser.push(chunk)), ...parser.end()].map(({ data }) => data);
}

async function readBytes(chunks: Uint8Array[]): Promise<string[]> {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const all: string[] = [];
  for await (const batch of readEvents(body)) all.push(...batch.map(({ data }) => data));
  return all;
}

describe('the grammar', () => {
  test.each<[string, string, string[]]>([
    ['one event', 'data: a\n\n', ['a']],
    ['several lines of data', 'data: a\ndata: b\n\n', ['a\nb']],
    ['no space after the colon', 'data:a\n\n', ['a']],
    ['only one space is taken', 'data:  a\n\n', [' a']],
    ['a field without a colon', 'data\n\n', ['']],
    ['two empty data lines', 'data\ndata\n\n', ['\n']],
    ['comments', ': ping\n\n: x\ndata: a\n: y\n\n', ['a']],
    ['other fields', 'event: e\nid: 1\nretry: 10\ndata: a\n\n', ['a']],
    ['unknown fields', 'DATA: no\ndatax: no\ndata: a\n\n', ['a']],
    ['carriage returns', 'data: a\r\rdata: b\r\r', ['a', 'b']],
    ['both', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
    ['a byte order mark', '\uFEFFdata: a\n\n', ['a']],
    ['a colon in the data', 'data: {"a":1}\n\n', ['{"a":1}']],
    ['blank lines alone', '\n\n\n', []],
    ['no blank line at the end', 'data: a\n\ndata: b', ['a', 'b']],
  ])('%s', (_, source, events) => {
    expect(parse(source)).toEqual(events);
  });

  test('an event without end is refused before it fills the memory', () => {
    const parser = new SseParser();
    const megabyte = 'x'.repeat(1024 * 1024);
    expect(() => {
      parser.push('data: ');
      for (let size = 0; size <= MAX_EVENT_CHARACTERS; size += megabyte.length) parser.push(megabyte);
    }).toThrow('too large');
  });

  test('many lines in one event count together', () => {
    const parser = new SseParser();
    const line = `data: ${'x'.repeat(1024 * 1024)}\n`;
    expect(() => {
      for (let count = 0; count < 20; count += 1) parser.push(line);
    }).toThrow('too large');
  });
});

test('any split of the bytes gives the same events', async () => {
  const lines = fc.constantFrom('data: héllo 世界 🎉', 'data: {"x":1}', 'data', ': ping', 'id: 3', '', '');
  const ends = fc.constantFrom('\n', '\r\n', '\r');
  await fc.assert(
    fc.asyncProperty(fc.array(lines, { maxLength: 20 }), ends, fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }), async (source, end, steps) => {
      const text = source.map((line) => line + end).join('');
      const bytes = new TextEncoder().encode(text);
      const chunks: Uint8Array[] = [];
      for (let from = 0, index = 0; from < bytes.length; index += 1) {
        const size = steps[index % steps.length]!;
        chunks.push(bytes.slice(from, from + size));
        from += size;
      }
      expect(await readBytes(chunks)).toEqual(parse(text));
    }),
  );
});

test('leaving early closes the connection', async () => {
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new TextEncoder().encode('data: a\n\n')),
    cancel: () => void (cancelled = true),
  });
  const events = readEvents(body);
  await events.next();
  await events.return();
  expect(cancelled).toBe(true);
});

test('an event has the id of its own block, and of no other', () => {
  const parser = new SseParser();
  const events = [...parser.push('id: run_a:1\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: x\0y\ndata: d\n\nid: lost\n\ndata: e\n\n'), ...parser.end()];
  expect(events).toEqual([
    { data: 'a', id: 'run_a:1' },
    { data: 'b', id: null },
    { data: 'c', id: '' },
    { data: 'd', id: null },
    { data: 'e', id: null },
  ]);
});

test('everything that arrives is heard, comments included', async () => {
  const heard = vi.fn();
  const body = new Response(': keep-alive\n\n').body!;
  for await (const batch of readEvents(body, heard)) expect(batch).toEqual([]);
  expect(heard).toHaveBeenCalledTimes(1);
});
