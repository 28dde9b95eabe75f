// @vitest-environment node
/**
 * `core/protocol.ts` is written by hand; the server's golden files keep it true. What the server sends has
 * to be a value of our types, and no property that we know may be one that nobody sends.
 */
import { expect, test } from 'vitest';
import { EVENT_TYPES } from '../../src/core/protocol';
import { check, goldenFiles, knownProperties } from './golden.mjs';

/** Which type each folder's files are. */
const KINDS: Record<string, string> = {
  attachment: 'p.AnnouncedAttachment', event: 'p.ThreadStreamEvent', item: 'p.ThreadItem', source: 'p.Source', task: 'p.Task',
  thread: 'p.Thread', update: 'p.ItemUpdate', workflow: 'p.Workflow',
};

/** What the server sends and the element has no use for. */
const UNREAD: readonly string[] = [
  'AnnouncedAttachment.thread_id', 'Attachment.thread_id', 'Attachment.upload_descriptor', 'ClientToolCallItem.output', 'EntitySource.preview', 'HiddenItem.content',
  'ThreadMetadata.items', 'ThreadMetadata.metadata',
];

/** Requests that the element does not make yet. */
const UNASKED: readonly string[] = [];

/** What only other servers send. */
const ELSEWHERE: readonly string[] = ['upload_url'];

const answers = Object.entries(KINDS).flatMap(([kind, type]) => goldenFiles(kind).map(({ name, value }) => ({ name: `${kind}/${name}`, type, value })));
const requests = goldenFiles('request').filter(({ name }) => !name.endsWith('.minimal'));

test('what the server sends is what our types say', () => {
  const { extra, mistakes } = check(answers);
  expect(mistakes).toEqual([]);
  expect(extra).toEqual(UNREAD);
}, 60_000);

test('what we send is what the server reads', () => {
  const asked = requests.filter(({ name }) => !UNASKED.includes(name));
  const operations = '(p.StreamingOperations & { [K in keyof p.JsonOperations]: p.JsonOperations[K][0] })';
  const values = asked.map(({ name, value }) => ({ name, type: `${operations}['${name}']`, value: value['params'] }));
  expect(check(values)).toEqual({ extra: [], mistakes: [] });
  expect(UNASKED.every((name) => requests.some((request) => request.name === name))).toBe(true);
}, 60_000);

test('no property that we know is one that nobody sends', () => {
  const sent = JSON.stringify([...answers.map(({ value }) => value), ...goldenFiles('request'), ...goldenFiles('sync_action').map(({ value }) => value)]);
  // An operation is a name in our types, and a value on the wire.
  expect(knownProperties().filter((name) => !sent.includes(`"${name}":`) && !sent.includes(`:"${name}"`))).toEqual(ELSEWHERE);
});

test('every event is one that we take', () => {
  expect([...EVENT_TYPES].toSorted()).toEqual([...new Set(goldenFiles('event').map(({ value }) => value['type']))].toSorted());
});
