/** Runs the uploads of the message that is being written; the states and what follows what are in `drafts.ts`. */
import { computed, signal } from '@preact/signals';
import { RequestError, asError, mayBeSignedOut, wordsOfPage } from '../core/errors';
import { kindsOf, sortOut, type AttachmentRules, type Refusal } from '../core/limits';
import type { Attachment } from '../core/protocol';
import type { Uploader } from '../core/upload';
import { formatBytes } from '../i18n/bytes';
import type { Translate } from '../i18n/translate';
import { attachmentsOf, obstacle, startable, step, type Draft, type Drafts, type Step } from './drafts';

export interface DraftPorts {
  /** `null` when no file can be uploaded here. */
  readonly uploader: () => Uploader | null;
  readonly rules: () => AttachmentRules;
  readonly locale: () => string;
  readonly translate: () => Translate;
  readonly newId: () => string;
  /** Shows a sentence beside the conversation; `null` takes it away. */
  readonly say: (words: string | null) => void;
  readonly report: (error: Error) => void;
}

/** Refusals that another attempt with the same file cannot change. */
const FINAL_CODES: ReadonlySet<string> = new Set([
  'chatkit.file_upload_disabled',
  'chatkit.file_upload_type_rejected',
  'chatkit.file_upload_too_large',
]);
/** Refusals that pass: a login that ended, a slow line, a conflict, too many requests. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([401, 408, 409, 425, 429]);
/** There is room again once other files are gone. */
const PASSING_CODE = 'chatkit.file_upload_limit_reached';

export class DraftAttachments {
  readonly #drafts = signal<Drafts>([]);
  /** What a screen reader is told about the files. */
  readonly announcement = signal('');
  readonly list = computed(() => this.#drafts.value);
  readonly isEmpty = computed(() => this.#drafts.value.length === 0);
  readonly obstacle = computed(() => obstacle(this.#drafts.value));
  /** Whether uploading again can help each file that failed. */
  readonly mayRetry = computed(() => this.#drafts.value.every(({ state }) => state.at !== 'failed' || state.mayRetry));
  readonly #running = new Map<string, AbortController>();
  readonly #ports: DraftPorts;
  #isSuspended = false;

  constructor(ports: DraftPorts) {
    this.#ports = ports;
  }

  /** Adds files that keep to the rules, and says which ones do not. */
  add(files: readonly File[]): void {
    if (files.length === 0 || this.#ports.uploader() === null) return;
    const { taken, refused } = sortOut(files, this.#drafts.value.length, this.#ports.rules());
    this.#ports.say(refused.length === 0 ? null : this.#wordsFor(refused));
    this.#step({ type: 'add', drafts: taken.map((file) => this.#draftOf(file)) });
    this.#pump();
  }

  /** Puts attachments in place that the page uploaded itself. */
  replace(attachments: readonly Attachment[]): void {
    this.#discardAll();
    const drafts = attachments.map((attachment): Draft => ({
      key: this.#ports.newId(),
      name: attachment.name,
      mimeType: attachment.mime_type,
      file: null,
      state: { at: 'done', attachment },
    }));
    this.#step({ type: 'add', drafts });
  }

  /** Takes a file out again; the server is asked to forget it. */
  remove(key: string): void {
    const draft = this.#drafts.value.find((candidate) => candidate.key === key);
    if (draft === undefined) return;
    this.#discard(draft);
    this.announcement.value = this.#ports.translate()('attach.removed', { name: draft.name });
    this.#pump();
  }

  retry(key: string): void {
    this.#step({ type: 'retry', key });
    this.#pump();
  }

  /** Somebody has signed in again: what was refused for that is sent now. */
  signedIn(): void {
    for (const { key, state } of this.#drafts.value) if (state.at === 'failed' && state.signIn) this.retry(key);
  }

  /** Hands the attachments over to the message that is sent. */
  take(): Attachment[] {
    const attachments = attachmentsOf(this.#drafts.value);
    this.#drafts.value = [];
    this.announcement.value = '';
    return attachments;
  }

  /** Another server is at the other end: what was for the former one is dropped where it is. */
  reset(): void {
    this.#abortAll();
    this.#drafts.value = [];
    this.announcement.value = '';
  }

  /** While the element is not in a document, nothing is sent. */
  suspend(): void {
    this.#isSuspended = true;
    const keys = [...this.#running.keys()];
    this.#abortAll();
    for (const key of keys) this.#step({ type: 'pause', key });
  }

  resume(): void {
    this.#isSuspended = false;
    this.#pump();
  }

  #pump(): void {
    const uploader = this.#ports.uploader();
    if (uploader === null || this.#isSuspended) return;
    for (const { key, file } of startable(this.#drafts.value)) if (file !== null) void this.#run(key, file, uploader);
  }

  async #run(key: string, file: File, uploader: Uploader): Promise<void> {
    const controller = new AbortController();
    const isCurrent = (): boolean => this.#running.get(key) === controller;
    this.#running.set(key, controller);
    this.#step({ type: 'begin', key });
    const t = this.#ports.translate();
    try {
      const attachment = await uploader.upload(file, {
        signal: controller.signal,
        onProgress: (fraction) => {
          if (isCurrent()) this.#step({ type: 'progress', key, fraction });
        },
      });
      if (!isCurrent()) {
        // Taken out in the moment it arrived.
        void uploader.discard(attachment.id);
        return;
      }
      this.#step({ type: 'done', key, attachment });
      this.announcement.value = t('attach.added', { name: file.name });
    } catch (error) {
      if (!isCurrent()) return;
      const failure = asError(error);
      const message = this.#wordsOf(failure);
      this.#step({ type: 'fail', key, message, mayRetry: mayRetry(failure), signIn: mayBeSignedOut(failure) });
      this.announcement.value = t('attach.failed', { name: file.name, message });
      this.#ports.report(failure);
    } finally {
      if (isCurrent()) {
        this.#running.delete(key);
        this.#pump();
      }
    }
  }

  #discardAll(): void {
    for (const draft of this.#drafts.value) this.#discard(draft);
  }

  /** What the page uploaded stays the page's; it may need it elsewhere. */
  #discard({ key, file, state }: Draft): void {
    const run = this.#running.get(key);
    this.#running.delete(key);
    run?.abort();
    this.#step({ type: 'remove', key });
    if (file !== null && state.at === 'done') void this.#ports.uploader()?.discard(state.attachment.id);
  }

  #abortAll(): void {
    const runs = [...this.#running.values()];
    this.#running.clear();
    for (const run of runs) run.abort();
  }

  #step(action: Step): void {
    this.#drafts.value = step(this.#drafts.value, action);
  }

  #draftOf(file: File): Draft {
    return { key: this.#ports.newId(), name: file.name, mimeType: file.type, file, state: { at: 'waiting' } };
  }

  /** One line a reason, with all the files that it keeps out. */
  #wordsFor(refused: readonly Refusal[]): string {
    const t = this.#ports.translate();
    const kinds = kindsOf(this.#ports.rules().accept).join(', ');
    const reasons = new Map<string, { readonly refusal: Refusal; readonly names: string[] }>();
    for (const refusal of refused) {
      const reason = `${refusal.because} ${refusal.because === 'type' ? '' : refusal.limit}`;
      const known = reasons.get(reason);
      if (known === undefined) reasons.set(reason, { refusal, names: [refusal.name] });
      else known.names.push(refusal.name);
    }
    return [...reasons.values()].map(({ refusal, names }) => wordsFor(refusal, listed(names, t), kinds, t, this.#ports.locale())).join('\n');
  }

  #wordsOf(error: Error): string {
    const t = this.#ports.translate();
    if (error instanceof RequestError && error.forUser) return error.message;
    return wordsOfPage(error) ?? t(error instanceof TypeError ? 'attach.network' : 'attach.server');
  }
}

function wordsFor(refusal: Refusal, names: string, kinds: string, t: Translate, locale: string): string {
  switch (refusal.because) {
    case 'type':
      return t('attach.wrongType', { names, kinds });
    case 'size':
      return t('attach.tooLarge', { names, limit: formatBytes(refusal.limit, locale) });
    case 'count':
      return t('attach.tooMany', { names, count: refusal.limit });
  }
}

/** More names than this are a number: the sentence has to be read. */
const MOST_NAMES = 6;

function listed(names: readonly string[], t: Translate): string {
  const shown = names.slice(0, MOST_NAMES).join(', ');
  return names.length <= MOST_NAMES ? shown : t('attach.more', { names: shown, count: names.length - MOST_NAMES });
}

/** Whether the same file may fare better: not where the server has understood and refused. */
function mayRetry(error: Error): boolean {
  if (!(error instanceof RequestError)) return true;
  return (error.status < 400 || error.status >= 500 || PASSING_STATUSES.has(error.status) || error.code === PASSING_CODE) && !FINAL_CODES.has(error.code ?? '');
}
