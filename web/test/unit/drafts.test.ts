/** The files of the message that is being written: their states, and what runs them. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { UploadJob } from '../../src/core/bytes';
import { RequestError } from '../../src/core/errors';
import type { Attachment } from '../../src/core/protocol';
import { translate } from '../../src/i18n/translate';
import { DraftAttachments } from '../../src/store/draft-attachments';
import { attachmentsOf, obstacle, startable, step, type Draft, type Drafts, type Step } from '../../src/store/drafts';

const attachment = (id: string): Attachment => ({ type: 'file', id, name: id, mime_type: 'text/plain' });
const draft = (key: string): Draft => ({ key, name: key, mimeType: '', file: new File(['x'], key), state: { at: 'waiting' } });
const run = (...steps: Step[]): Drafts => steps.reduce(step, []);
const added: Step = { type: 'add', drafts: ['a', 'b', 'c', 'd'].map(draft) };

describe('the states', () => {
  test('lead from waiting to done', () => {
    const drafts = run(added, { type: 'begin', key: 'a' }, { type: 'progress', key: 'a', fraction: 0.5 }, { type: 'done', key: 'a', attachment: attachment('1') });
    expect(drafts[0]?.state).toEqual({ at: 'done', attachment: attachment('1') });
    expect(attachmentsOf(drafts)).toEqual([attachment('1')]);
    expect(obstacle(drafts)).toBe('uploading');
  });

  test('lead from failed to another attempt', () => {
    const failed = run(added, { type: 'begin', key: 'a' }, { type: 'fail', key: 'a', message: 'no', mayRetry: true, signIn: false });
    expect(obstacle(failed)).toBe('failed');
    expect(step(failed, { type: 'retry', key: 'a' })[0]?.state).toEqual({ at: 'waiting' });
  });

  test('ignore what comes late', () => {
    const removed = run(added, { type: 'begin', key: 'a' }, { type: 'remove', key: 'a' });
    for (const late of [{ type: 'progress', key: 'a', fraction: 1 }, { type: 'done', key: 'a', attachment: attachment('1') }, { type: 'retry', key: 'a' }] satisfies Step[]) {
      expect(step(removed, late)).toBe(removed);
    }
    const waiting = run(added);
    expect(step(waiting, { type: 'done', key: 'a', attachment: attachment('1') })).toBe(waiting);
  });

  test('never let more than three run, whatever happens', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const action = fc.oneof(
      fc.record({ type: fc.constantFrom('pause' as const, 'retry' as const, 'remove' as const), key }),
      fc.record({ type: fc.constant('progress' as const), key, fraction: fc.double({ noNaN: true }) }),
      fc.record({ type: fc.constant('fail' as const), key, message: fc.string(), mayRetry: fc.boolean(), signIn: fc.boolean() }),
      fc.record({ type: fc.constant('done' as const), key, attachment: fc.constant(attachment('1')) }),
    );
    fc.assert(
      fc.property(fc.array(action), (steps) => {
        let drafts = run({ type: 'add', drafts: ['a', 'b', 'c', 'd', 'e'].map(draft) });
        for (const next of steps) {
          for (const { key: ready } of startable(drafts)) drafts = step(drafts, { type: 'begin', key: ready });
          drafts = step(drafts, next);
          const running = drafts.filter(({ state }) => state.at === 'uploading');
          expect(running.length).toBeLessThanOrEqual(3);
          for (const { state } of running) expect(state.at === 'uploading' && (state.progress === null || (state.progress >= 0 && state.progress <= 1))).toBe(true);
        }
      }),
    );
  });
});

interface Running {
  readonly file: File;
  readonly job: UploadJob;
  readonly done: (attachment: Attachment) => void;
  readonly fail: (error: unknown) => void;
}

function setUp({ maxCount = 10, mayUpload = true } = {}) {
  const uploads: Running[] = [];
  const discard = vi.fn(() => Promise.resolve());
  const say = vi.fn();
  const report = vi.fn();
  const uploader = {
    discard,
    upload: (file: File, job: UploadJob) =>
      new Promise<Attachment>((done, fail) => {
        job.signal.addEventListener('abort', () => fail(new DOMException('stopped', 'AbortError')));
        uploads.push({ file, job, done, fail });
      }),
  };
  let ids = 0;
  const drafts = new DraftAttachments({
    uploader: () => (mayUpload ? uploader : null),
    rules: () => ({ enabled: true, maxBytes: { '*': 10 }, maxCount, accept: [{ type: 'text/plain', extensions: [] }] }),
    locale: () => 'en',
    translate: () => translate,
    newId: () => `k${(ids += 1)}`,
    say,
    report,
  });
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < 20; turns += 1) await Promise.resolve();
  };
  const states = (): string[] => drafts.list.value.map(({ state }) => state.at);
  const key = (index: number): string => drafts.list.value[index]!.key;
  return { drafts, uploads, discard, say, report, settle, states, key };
}
const text = (name: string, content = 'x', type = 'text/plain'): File => new File([content], name, { type });

describe('uploading', () => {
  test('three at a time, the next one as one ends', async () => {
    const { drafts, uploads, settle, states } = setUp();
    drafts.add(['a', 'b', 'c', 'd'].map((name) => text(name)));
    expect(states()).toEqual(['uploading', 'uploading', 'uploading', 'waiting']);
    uploads[1]!.done(attachment('b'));
    await settle();
    expect(states()).toEqual(['uploading', 'done', 'uploading', 'uploading']);
    expect(drafts.obstacle.value).toBe('uploading');
    for (const { file, done } of uploads) done(attachment(file.name));
    await settle();
    expect(drafts.obstacle.value).toBeNull();
    expect(drafts.take().map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
    expect(drafts.isEmpty.value).toBe(true);
  });

  test('what is sent is not deleted', async () => {
    const { drafts, uploads, settle, discard } = setUp();
    drafts.add([text('a')]);
    uploads[0]!.done(attachment('a'));
    await settle();
    drafts.take();
    expect(discard).not.toHaveBeenCalled();
  });

  test('progress is told, and late progress is not', () => {
    const { drafts, uploads, key } = setUp();
    drafts.add([text('a'), text('b')]);
    uploads[0]!.job.onProgress(0.4);
    expect(drafts.list.value[0]?.state).toEqual({ at: 'uploading', progress: 0.4 });
    const before = drafts.list.value.length;
    drafts.remove(key(0));
    uploads[0]!.job.onProgress(0.9);
    expect(drafts.list.value).toHaveLength(before - 1);
  });

  test('a file that breaks a rule is not added, and the reason is shown', () => {
    const { drafts, say, states } = setUp({ maxCount: 1 });
    drafts.add([text('big', 'x'.repeat(11))]);
    expect(say).toHaveBeenLastCalledWith('Larger than 10 bytes: big');
    drafts.add([text('a.zip', 'x', 'application/zip')]);
    expect(say).toHaveBeenLastCalledWith('This kind of file cannot be attached here: a.zip. Allowed: text');
    drafts.add([text('a'), text('b'), text('c')]);
    expect(say).toHaveBeenLastCalledWith('Files in one message: 1 at most. Left out: b, c');
    expect(states()).toEqual(['uploading']);
  });

  test('all files that are kept out are named, by reason, and many by their number', () => {
    const { drafts, say } = setUp();
    drafts.add([text('big', 'x'.repeat(11)), text('a.zip', 'x', 'application/zip'), text('b.zip', 'x', 'application/zip'), text('large', 'x'.repeat(12))]);
    expect(say).toHaveBeenLastCalledWith('Larger than 10 bytes: big, large\nThis kind of file cannot be attached here: a.zip, b.zip. Allowed: text');
    drafts.add(Array.from({ length: 9 }, (_, index) => text(`${index}`, 'x'.repeat(11))));
    expect(say).toHaveBeenLastCalledWith('Larger than 10 bytes: 0, 1, 2, 3, 4, 5 and 3 more');
  });

  test.each([
    [400, false],
    [403, false],
    [404, false],
    [413, false],
    [401, true],
    [408, true],
    [429, true],
    [500, true],
    [503, true],
    [0, true],
  ])('after a refusal with %i another attempt is offered: %s', async (status, isOffered) => {
    const { drafts, uploads, settle } = setUp();
    drafts.add([text('a')]);
    uploads[0]!.fail(new RequestError('No.', { status, forUser: true }));
    await settle();
    expect(drafts.list.value[0]?.state).toMatchObject({ at: 'failed', mayRetry: isOffered });
    expect(drafts.mayRetry.value).toBe(isOffered);
  });

  test('a file that is added takes an old reason away', () => {
    const { drafts, say } = setUp();
    drafts.add([text('a')]);
    expect(say).toHaveBeenLastCalledWith(null);
  });

  test('nothing is added where nothing can be uploaded', () => {
    const { drafts } = setUp({ mayUpload: false });
    drafts.add([text('a')]);
    expect(drafts.isEmpty.value).toBe(true);
  });
});

describe('removing', () => {
  test('stops a running upload', async () => {
    const { drafts, uploads, discard, report, settle, key } = setUp();
    drafts.add([text('a')]);
    drafts.remove(key(0));
    await settle();
    expect(uploads[0]!.job.signal.aborted).toBe(true);
    expect(drafts.isEmpty.value).toBe(true);
    expect([discard.mock.calls, report.mock.calls]).toEqual([[], []]);
  });

  test('has the server forget what had arrived', async () => {
    const { drafts, uploads, discard, settle, key } = setUp();
    drafts.add([text('a')]);
    uploads[0]!.done(attachment('file_1'));
    await settle();
    drafts.remove(key(0));
    expect(discard.mock.calls).toEqual([['file_1']]);
    expect(drafts.announcement.value).toBe('a was removed.');
  });

  test('has the server forget what arrives in that moment', async () => {
    const { drafts, uploads, discard, settle, key } = setUp();
    drafts.add([text('a')]);
    uploads[0]!.done(attachment('file_1'));
    drafts.remove(key(0));
    await settle();
    expect(discard.mock.calls).toEqual([['file_1']]);
    expect(drafts.isEmpty.value).toBe(true);
  });

  test('leaves to the page what the page uploaded', () => {
    const { drafts, discard, key } = setUp();
    drafts.replace([attachment('page_1')]);
    drafts.remove(key(0));
    expect(discard).not.toHaveBeenCalled();
  });

  test('all of them for others', async () => {
    const { drafts, uploads, discard, settle, states } = setUp();
    drafts.add([text('a'), text('b')]);
    uploads[0]!.done(attachment('file_1'));
    await settle();
    drafts.replace([attachment('page_1'), attachment('page_2')]);
    expect(states()).toEqual(['done', 'done']);
    expect(discard.mock.calls).toEqual([['file_1']]);
    expect(uploads[1]!.job.signal.aborted).toBe(true);
  });
});

describe('a failure', () => {
  test.each([
    [new RequestError('File uploads are disabled for this session.', { status: 400, code: 'chatkit.file_upload_disabled', forUser: true }), 'File uploads are disabled for this session.', false],
    [new RequestError('Too large.', { status: 413, forUser: true }), 'Too large.', false],
    [new RequestError('No space.', { status: 400, code: 'chatkit.file_upload_limit_reached', forUser: true }), 'No space.', true],
    [new RequestError('status 502', { status: 502 }), translate('attach.server'), true],
    [new TypeError('Failed to fetch'), translate('attach.network'), true],
    [new DOMException('of a fetch of the page', 'AbortError'), translate('attach.server'), true],
    [new RequestError('Please sign in.', { status: 401, forUser: true }), 'Please sign in.', true],
  ])('%s is shown and reported', async (error, message, mayRetry) => {
    const { drafts, uploads, report, settle } = setUp();
    drafts.add([text('a')]);
    uploads[0]!.fail(error);
    await settle();
    expect(drafts.list.value[0]?.state).toEqual({ at: 'failed', message, mayRetry, signIn: error instanceof RequestError && error.status === 401 });
    expect(report.mock.calls).toEqual([[error]]);
    expect(drafts.announcement.value).toBe(`a was not uploaded: ${message}`);
  });

  test('is followed by another attempt on request', async () => {
    const { drafts, uploads, settle, key, states } = setUp();
    drafts.add([text('a')]);
    uploads[0]!.fail(new TypeError('offline'));
    await settle();
    drafts.retry(key(0));
    expect(states()).toEqual(['uploading']);
    uploads[1]!.done(attachment('a'));
    await settle();
    expect(drafts.take()).toEqual([attachment('a')]);
  });
});

describe('an element that is taken out of the document', () => {
  test('stops, and goes on when it is back', async () => {
    const { drafts, uploads, report, settle, states } = setUp();
    drafts.add([text('a')]);
    drafts.suspend();
    await settle();
    expect(uploads[0]!.job.signal.aborted).toBe(true);
    expect(states()).toEqual(['waiting']);
    drafts.resume();
    uploads[1]!.done(attachment('a'));
    await settle();
    expect(states()).toEqual(['done']);
    expect(report).not.toHaveBeenCalled();
  });

  test('and given another server drops everything, without a word to the new one', async () => {
    const { drafts, uploads, discard, settle } = setUp();
    drafts.add([text('a'), text('b')]);
    uploads[0]!.done(attachment('a'));
    await settle();
    drafts.reset();
    await settle();
    expect(drafts.isEmpty.value).toBe(true);
    expect(discard).not.toHaveBeenCalled();
  });
});
