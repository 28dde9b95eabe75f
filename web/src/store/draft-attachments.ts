/** Runs the uploads of the message that is being written; the states and what follows what are in `drafts.ts`. */
import { computed, signal } from '@preact/signals';
import { RequestError, asError } from '../core/errors';
import { sortOut, type AttachmentRules, type Refusal } from '../core/limits';
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
const FINAL_STATUSES: ReadonlySet<number> = new Set([413, 415]);

export class DraftAttachments {
  readonly #drafts = signal<Drafts>([]);
  /** What a screen reader is told about the files. */
  readonly announcement = signal('');
  readonly list = computed(() => this.#drafts.value);
  readonly isEmpty = computed(() => this.#drafts.value.length === 0);
  readonly obstacle = computed(() => obstacle(this.#drafts.value));
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
    const [first, ...others] = refused;
    if (first !== undefined) this.#ports.say(this.#wordsFor(first, others.length));
    else this.#ports.say(null);
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
      const message = this.#wordsOf(error);
      this.#step({ type: 'fail', key, message, mayRetry: mayRetry(error) });
      this.announcement.value = t('attach.failed', { name: file.name, message });
      this.#ports.report(asError(error));
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

  #wordsFor(refusal: Refusal, others: number): string {
    const t = this.#ports.translate();
    const message = wordsFor(refusal, t, this.#ports.locale());
    return others === 0 ? message : t('attach.refusedMore', { message, count: others });
  }

  #wordsOf(error: unknown): string {
    const t = this.#ports.translate();
    if (error instanceof RequestError && error.forUser) return error.message;
    return t(error instanceof TypeError ? 'attach.network' : 'attach.server');
  }
}

function wordsFor(refusal: Refusal, t: Translate, locale: string): string {
  switch (refusal.because) {
    case 'type':
      return t('attach.wrongType', { name: refusal.name });
    case 'size':
      return t('attach.tooLarge', { name: refusal.name, limit: formatBytes(refusal.limit, locale) });
    case 'count':
      return t('attach.tooMany', { count: refusal.limit });
  }
}

function mayRetry(error: unknown): boolean {
  if (!(error instanceof RequestError)) return true;
  return !FINAL_STATUSES.has(error.status) && !FINAL_CODES.has(error.code ?? '');
}
