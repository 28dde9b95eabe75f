/** The thread that a reload of the page comes back to. */
import { expect, test } from 'vitest';
import { rememberedThread } from '../../src/element/reopen';
import type { ApiOptions } from '../../src/element/options';

const custom = (url: string): ApiOptions => ({ door: 'custom', url, domainKey: '', fetch: null, uploadStrategy: null });
const secret: ApiOptions = { door: 'secret', getClientSecret: () => Promise.resolve(''), baseUrl: null };
const token: ApiOptions = { door: 'token', clientToken: 'pk_live_secretive', baseUrl: null };

test('one per server and door, and nothing but its id', () => {
  const stored = new Map<string, string>();
  const storage = { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, value: string) => stored.set(key, value), removeItem: (key: string) => stored.delete(key) } as unknown as Storage;
  const memoryOf = (api: ApiOptions, base = '') => rememberedThread(api, base, storage);
  memoryOf(custom('https://a.example/chat')).write('thr_a');
  memoryOf(custom('https://b.example/chat')).write('thr_b');
  memoryOf(token, 'https://c.example').write('thr_c');
  memoryOf(secret, 'https://c.example').write('thr_d');
  expect(memoryOf(custom('https://a.example/chat')).read()).toBe('thr_a');
  expect(memoryOf(token, 'https://c.example').read()).toBe('thr_c');
  expect(Object.fromEntries(stored)).toEqual({
    'vestibule.thread https://a.example/chat': 'thr_a',
    'vestibule.thread https://b.example/chat': 'thr_b',
    'vestibule.thread https://c.example token': 'thr_c',
    'vestibule.thread https://c.example secret': 'thr_d',
  });
  memoryOf(token, 'https://c.example').write(null);
  expect(memoryOf(token, 'https://c.example').read()).toBeNull();
});

test('a page without storage has no memory, and no error', () => {
  const full = { getItem: () => null, setItem: () => { throw new DOMException('full', 'QuotaExceededError'); } } as unknown as Storage;
  for (const storage of [null, full]) {
    const memory = rememberedThread(token, '', storage);
    memory.write('thr_a');
    expect(memory.read()).toBeNull();
  }
});
