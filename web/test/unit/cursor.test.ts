/** Positions in a run: whatever the cuts, folds, replays and second streams, each byte is taken once. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Positions, cursorText, parseCursor, type Frame } from '../../src/core/cursor';
import { delta } from './fake-client';

describe('an id', () => {
  test('is a run and a position', () => {
    expect(parseCursor('run_abc:12')).toEqual({ run: 'run_abc', position: 12 });
    expect(cursorText({ run: 'run_abc', position: 12 })).toBe('run_abc:12');
  });

  test.each([null, '', '12', 'run_:1', 'run_a', 'run_a:', 'run_a:-1', 'run_a:1.5', 'run_a:x', 'other_a:1', 'run_a:1:2', 'run_a b:1', `run_a:${'9'.repeat(20)}`])('%s is another server’s', (id) => {
    expect(parseCursor(id)).toBeNull();
  });
});

const bytes = (text: string): number => new TextEncoder().encode(text).length;

test('any two streams of a run, folded anyhow, give its text once', () => {
  const pieces = fc.array(fc.constantFrom('a', 'é', '世', '🎉', 'word ', '\uFEFF', '\n'), { minLength: 1, maxLength: 30 });
  const cuts = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 20 });
  const framesOf = (text: string[], sizes: number[]): Frame[] => {
    const frames: Frame[] = [];
    let position = 5;
    for (let from = 0, index = 0; from < text.length; index += 1) {
      const folded = text.slice(from, from + 1 + sizes[index % sizes.length]!).join('');
      from += 1 + sizes[index % sizes.length]!;
      position += bytes(folded);
      frames.push({ id: { run: 'run_a', position }, event: delta('m', folded) });
    }
    return frames;
  };
  fc.assert(
    fc.property(pieces, cuts, cuts, fc.array(fc.boolean(), { minLength: 1 }), (text, left, right, turns) => {
      const positions = new Positions();
      positions.take({ id: { run: 'run_a', position: 5 }, event: null });
      const streams = [framesOf(text, left), framesOf(text, right)];
      let taken = '';
      for (let step = 0; streams.some(({ length }) => length > 0); step += 1) {
        const wanted = turns[step % turns.length]! ? 0 : 1;
        // A stream that is ahead of the other has a hole in front of it only if that one is left unread.
        const frame = streams[wanted]!.shift() ?? streams[1 - wanted]!.shift()!;
        const event = positions.take(frame);
        if (event?.type === 'thread.item.updated' && 'delta' in event.update) taken += event.update.delta;
      }
      expect(taken).toBe(text.join(''));
    }),
  );
});

test('runs are counted apart, frames without an id always count, and forgetting begins anew', () => {
  const positions = new Positions();
  const frame = (run: string, position: number): Frame => ({ id: { run, position }, event: { type: 'progress_update', text: 'x' } });
  expect(positions.take(frame('run_a', 3))).not.toBeNull();
  expect(positions.take(frame('run_a', 3))).toBeNull();
  expect(positions.take(frame('run_b', 1))).not.toBeNull();
  for (let times = 0; times < 2; times += 1) expect(positions.take({ id: null, event: { type: 'progress_update', text: 'x' } })).not.toBeNull();
  positions.forget();
  expect(positions.take(frame('run_a', 1))).not.toBeNull();
});
