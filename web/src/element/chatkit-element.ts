/**
 * `<openai-chatkit>`: the custom element. It holds the options, the connection and the chat, decides
 * when methods may run, and mounts the interface into its open shadow root.
 */
import type { OpenAIChatKit } from '@openai/chatkit';
import { effect, signal } from '@preact/signals';
import { render } from 'preact';
import { DomainRefusedError, IntegrationError, RequestError, asError, callPage, detailsOf, isForDeveloper } from '../core/errors';
import { whenIdle } from '../core/idle';
import { browserLine } from '../core/retry';
import type { Uploader } from '../core/upload';
import { Languages } from '../i18n/language';
import { lex } from '../md/lexer';
import { Chat } from '../store/chat';
import type { Message } from '../store/ports';
import { DraftAttachments } from '../store/draft-attachments';
import { draftOf } from '../store/tags';
import { adopt } from '../theme/adopt';
import { elementCss } from '../theme/sheet';
import { mountedApp } from '../ui/app';
import { keepKeys } from '../ui/keys';
import { mountPoint } from '../ui/mount';
import type { Blocked, Ui } from '../ui/context';
import { refuseIfBusy, type Method } from './busy';
import { connect, type Connection } from './connection';
import { tellHeight } from './developer';
import type { Places } from './base-url';
import { emitterOf } from './events';
import { composerChange, type ComposerParams } from './composer-value';
import { lazyParts } from './lazy-parts';
import { mayAttach, readOptions, sameApi, type Options } from './options';
import { rememberedThread } from './reopen';

type SendParams = Parameters<OpenAIChatKit['sendUserMessage']>[0];
type Action = Parameters<OpenAIChatKit['sendCustomAction']>[0];

/** `chatkit.ready` waits for two frames; a hidden tab has none, so a timer stands in. */
const READY_WITHOUT_FRAMES_MS = 400;

/** How long the interface waits for its language. */
const LANGUAGE_WAIT_MS = 600;

let instances = 0;

/** Ids need to be unique, not secret; `crypto.randomUUID` does not exist on plain http. */
function newId(): string {
  return `local_${Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

let places: Places = { api: '', assets: '' };
const parts = lazyParts(() => places.assets);

export class ChatKitElement extends HTMLElement implements OpenAIChatKit {
  declare addEventListener: OpenAIChatKit['addEventListener'];
  declare removeEventListener: OpenAIChatKit['removeEventListener'];

  readonly #emit = emitterOf(this);
  readonly #options = signal<Options | null>(null);
  readonly #blocked = signal<Blocked | null>(null);
  readonly #focusRequests = signal(0);
  readonly #selection = { tool: signal<string | null>(null), model: signal<string | null>(null) };
  readonly #languages = new Languages(parts.locales, parts.messages);
  readonly #chat: Chat;
  readonly #attachments: DraftAttachments;
  readonly #mount: HTMLElement;
  readonly #reported = new Set<string>();
  #connection: Connection | null = null;
  #prepared: Promise<void> | null = null;
  /** Opens the first thread, once there is a way to the server. */
  #whenPrepared: (() => Promise<void>) | null = null;
  /** The element was removed while something was under way. */
  #wasCut = false;
  #started: (() => void) | null = null;
  /** Resolves with the first valid options on a connected element; methods called before wait for it. */
  readonly #start = new Promise<void>((resolve) => (this.#started = resolve));

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    adopt(root, elementCss);
    this.#mount = mountPoint();
    root.append(this.#mount);
    keepKeys(root);
    instances += 1;
    this.#chat = new Chat({
      client: () => this.#connected().client,
      line: browserLine,
      clientTool: () => this.#options.value?.onClientTool ?? null,
      widgetAction: () => this.#options.value?.widgets.onAction ?? null,
      log: (name, data) => this.#log(name, data),
      emit: this.#emit,
      translate: () => this.#languages.current.value.t,
      newId,
      now: () => new Date(),
      signIn: async () => {
        await callPage(() => this.#options.value?.onSignIn?.());
        this.#connection?.forget();
        this.#attachments.signedIn();
      },
      giveBack: (message, whole) => this.#giveBack(message, whole),
    });
    this.#attachments = new DraftAttachments({
      uploader: () => this.#uploader(),
      rules: () => this.#currentOptions().composer.attachments,
      locale: () => this.#languages.current.value.format,
      translate: () => this.#languages.current.value.t,
      newId,
      say: (words) => (this.#chat.toast.value = words),
      report: (error) => this.#emit('chatkit.error', { error }),
    });
  }

  setOptions(raw: unknown): void {
    const previous = this.#options.value;
    let options: Options;
    try {
      const page = { language: navigator.language, baseUri: document.baseURI };
      options = readOptions(raw, page, (path) => this.#reportOnce(path));
    } catch (error) {
      this.#emit('chatkit.error', { error: asError(error) });
      throw error;
    }
    const newPartner = previous === null || !sameApi(previous.api, options.api);
    this.#options.value = options;
    void this.#languages.use(options.locale);
    this.#reportMissingStrategy(options);
    if (newPartner) this.#connect(previous === null);
    else if (this.#selection.tool.value !== null && !options.composer.tools.some(({ id }) => id === this.#selection.tool.value)) {
      this.#selectTool(null);
    }
    // What waited for a way to the server may have one now.
    if (this.isConnected) this.#attachments.resume();
  }

  connectedCallback(): void {
    this.#begin();
    this.#attachments.resume();
    if (!this.#wasCut) return;
    // Taken out while a thread was loading or answered: what there is of it by now is shown.
    this.#wasCut = false;
    if (this.#chat.threadId.value !== null) void this.#chat.refresh();
  }

  disconnectedCallback(): void {
    // A move in the document disconnects and connects at once; only a real removal ends anything here.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#wasCut = this.#chat.phase.value !== 'idle';
      this.#chat.leave();
      this.#attachments.suspend();
    });
  }

  // --- Methods of the ChatKit interface ---

  async focusComposer(): Promise<void> {
    await this.#whenAllowed('focusComposer');
    if (this.#chat.isCovered.value) {
      // The text field can have the focus once it is drawn without the history.
      this.#chat.hideHistory();
      await new Promise((drawn) => setTimeout(drawn, 0));
    }
    this.#focusRequests.value += 1;
  }

  async setThreadId(threadId?: string | null): Promise<void> {
    await this.#whenAllowed('setThreadId');
    // The Python guide calls it without a value for a new chat.
    await this.#chat.open(threadId ?? null);
  }

  async sendCustomAction(action: Action, itemId?: string): Promise<void> {
    await this.#whenAllowed('sendCustomAction');
    await this.#chat.sendAction(action, itemId);
  }

  /** The older name of `sendCustomAction`, still in the official guides. */
  async sendAction(action: Action, itemId?: string): Promise<void> {
    await this.sendCustomAction(action, itemId);
  }

  async sendUserMessage(params: SendParams): Promise<void> {
    await this.#whenAllowed('sendUserMessage');
    const content = params.content?.map((part) => (part.type === 'input_tag' ? { data: {}, ...part } : part)) ?? [
      { type: 'input_text' as const, text: params.text ?? '' },
    ];
    if (!content.some((part) => part.text.trim() !== '') && (params.attachments ?? []).length === 0) {
      throw new IntegrationError('sendUserMessage() needs text, content or attachments.');
    }
    if (params.newThread === true) await this.#chat.open(null);
    await this.#chat.send({
      content,
      ...(params.attachments === undefined ? {} : { attachments: params.attachments }),
      ...(params.reply === undefined ? {} : { quotedText: params.reply }),
      inference: {
        ...(params.toolChoice === undefined ? {} : { tool_choice: params.toolChoice }),
        ...(params.model === undefined ? {} : { model: params.model }),
      },
    });
  }

  async setComposerValue(params: ComposerParams): Promise<void> {
    await this.#whenAllowed('setComposerValue');
    const options = this.#currentOptions();
    const change = composerChange(params, mayAttach(options), options.composer);
    if (change.text !== null) this.#chat.draft.value = change.text;
    if (change.tags !== null) this.#chat.tags.value = change.tags;
    if (change.quote !== null) this.#chat.quote.value = change.quote === '' ? null : change.quote;
    if (change.attachments !== null) this.#attachments.replace(change.attachments);
    this.#attachments.add(change.files);
    if (params.selectedToolId !== undefined) this.#selectTool(params.selectedToolId);
    if (params.selectedModelId !== undefined) this.#selection.model.value = params.selectedModelId;
  }

  async showHistory(): Promise<void> {
    await this.#whenAllowed('showHistory');
    await this.#chat.showHistory();
  }

  async hideHistory(): Promise<void> {
    await this.#whenAllowed('hideHistory');
    this.#chat.hideHistory();
  }

  async fetchUpdates(): Promise<void> {
    await this.#whenAllowed('fetchUpdates');
    await this.#chat.refresh();
  }

  // --- Inside ---

  async #whenAllowed(method: Method): Promise<void> {
    await this.#start;
    const blocked = this.#blocked.value;
    if (blocked !== null) throw new IntegrationError(blocked.message);
    refuseIfBusy(method, this.#chat.phase.value);
  }

  #connected(): Connection {
    if (this.#connection === null) throw new IntegrationError('Call setOptions() before using the chat.');
    return this.#connection;
  }

  #uploader(): Uploader | null {
    const options = this.#options.value;
    return options !== null && mayAttach(options) ? (this.#connection?.uploader() ?? null) : null;
  }

  #currentOptions(): Options {
    const options = this.#options.value;
    if (options === null) throw new IntegrationError('Call setOptions() before using the chat.');
    return options;
  }

  /** Another server or credential: nothing of the old conversation may stay on the screen. */
  #connect(first: boolean): void {
    if (!first) {
      this.#chat.reset();
      this.#attachments.reset();
    }
    this.#blocked.value = null;
    this.#prepared = null;
    this.#connection = connect(
      () => this.#currentOptions().api,
      places.api,
      () => this.#currentOptions().locale,
      (name, data) => this.#log(name, data),
    );
    this.#begin();
  }

  /** Mounts and prepares, once there are options and the element is in a document. */
  #begin(): void {
    const connection = this.#connection;
    if (connection === null || !this.isConnected || this.#prepared !== null) return;
    const first = this.#started !== null;
    const preparing = this.#prepare(connection);
    this.#prepared = preparing;
    if (!first) return;
    this.#hideUntilRead();
    render(mountedApp(this.#ui()), this.#mount);
    this.#started?.();
    this.#started = null;
    const { initialThread } = this.#currentOptions();
    const remembered = this.#rememberThread();
    const threadId = initialThread ?? remembered;
    if (threadId !== null) this.#whenPrepared = () => this.#chat.openFirst(threadId, initialThread === null);
    void preparing;
    this.#announceReady();
  }

  /** Nobody should see English turn into their language; a slow network must not hide the chat either. */
  #hideUntilRead(): void {
    const { style } = this.#mount;
    style.opacity = '0';
    const show = (): void => {
      style.removeProperty('opacity');
    };
    setTimeout(show, LANGUAGE_WAIT_MS);
    void this.#languages.use(this.#currentOptions().locale).then(show);
  }

  /** Makes sure that there is a way to the server; then whatever waited for that. */
  async #prepare(connection: Connection): Promise<void> {
    try {
      await connection.prepare();
    } catch (error) {
      this.#prepareFailed(connection, asError(error));
      return;
    }
    if (this.#connection !== connection) return;
    const next = this.#whenPrepared;
    this.#whenPrepared = null;
    await Promise.all([next?.(), this.#chat.refreshHistory()]);
  }

  /** Keeps the id of the open thread for the next load of the page, while the page wants that; gives the one of the last. */
  #rememberThread(): string | null {
    const { api, history } = this.#currentOptions();
    const before = history.reopen ? rememberedThread(api, places.api).read() : null;
    let isFirst = true;
    effect(() => {
      const threadId = this.#chat.threadId.value;
      const options = this.#options.value;
      if (!isFirst && options?.history.reopen === true) rememberedThread(options.api, places.api).write(threadId);
      isFirst = false;
    });
    return before;
  }

  /** A message that was not sent, or was taken back, is written again. */
  #giveBack({ content, attachments = [], quotedText = '' }: Message, whole: boolean): void {
    const { draft, tags, quote } = this.#chat;
    const { text, tags: given } = draftOf(content);
    const isFree = draft.value.trim() === '';
    if (isFree) draft.value = text;
    else if (whole) draft.value = `${text}\n\n${draft.value}`;
    if (isFree || whole) {
      tags.value = [...given, ...tags.value];
      quote.value ??= quotedText === '' ? null : quotedText;
    }
    if (this.#attachments.isEmpty.value && (isFree || whole)) this.#attachments.replace(attachments);
  }

  #prepareFailed(connection: Connection, error: Error): void {
    if (this.#connection !== connection) return;
    this.#emit('chatkit.error', { error });
    const refused = error instanceof DomainRefusedError || (error instanceof RequestError && (error.forUser || isForDeveloper(error.code)) && error.status < 500 && error.status !== 429);
    if (refused) this.#blocked.value = { message: isForDeveloper(error instanceof RequestError ? error.code : null) ? this.#languages.current.value.t('blocked.owner') : error.message, details: detailsOf(error) };
    else {
      this.#chat.cannotStart(error, async () => {
        this.#chat.canStart();
        await this.#prepare(connection);
      });
    }
  }

  /** Late on purpose: React attaches its listeners after the first frames. */
  #announceReady(): void {
    let announced = false;
    const announce = (): void => {
      if (announced) return;
      announced = true;
      this.#emit('chatkit.ready');
      tellHeight(this);
      // What reads Markdown is made now, so that no answer waits for it.
      whenIdle(() => void lex(''));
    };
    const timer = document.hidden ? READY_WITHOUT_FRAMES_MS : READY_WITHOUT_FRAMES_MS * 10;
    setTimeout(announce, timer);
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(announce, 0)));
  }

  #selectTool(toolId: string | null): void {
    if (this.#selection.tool.value === toolId) return;
    this.#selection.tool.value = toolId;
    this.#emit('chatkit.tool.change', { toolId });
  }

  #reportOnce(path: string): void {
    if (this.#reported.has(path)) return;
    this.#reported.add(path);
    this.#log('options.unknown', { path });
    // eslint-disable-next-line no-console -- an option without effect should not need a listener to be seen
    console.warn(`<openai-chatkit>: ${path} is not an option and was ignored.`);
  }

  /** Attachments that were switched on and have no way to the server: a button would only fail. */
  #reportMissingStrategy(options: Options): void {
    const path = 'api.uploadStrategy';
    if (!options.composer.attachments.enabled || mayAttach(options) || this.#reported.has(path)) return;
    this.#reported.add(path);
    this.#log('attachments.strategy.missing', { path });
    // eslint-disable-next-line no-console -- without it, the missing button would be a riddle
    console.error('<openai-chatkit>: composer.attachments is enabled, but api.uploadStrategy is missing, so nobody can attach files. Set { type: "two_phase" } or { type: "direct", uploadUrl }.');
  }

  #log(name: string, data: Record<string, unknown> = {}): void {
    this.#emit('chatkit.log', { name, data });
  }

  #ui(): Ui {
    const language = this.#languages.current;
    return {
      chat: this.#chat,
      attachments: this.#attachments,
      options: this.#options,
      blocked: this.#blocked,
      card: signal(null),
      focusRequests: this.#focusRequests,
      selection: { ...this.#selection, selectTool: (id) => this.#selectTool(id) },
      get t() {
        return language.value.t;
      },
      language,
      emit: this.#emit,
      log: (name, data) => this.#log(name, data),
      parts,
      id: `ck${instances}`,
    };
  }
}

/** Defines the element once per page. */
export function defineElement(found: Places): void {
  if (customElements.get('openai-chatkit') !== undefined) {
    // eslint-disable-next-line no-console -- the page has no element of ours to listen on
    console.warn("<openai-chatkit> is already defined by another script; Vestibule's element stays out of the way.");
    return;
  }
  places = found;
  customElements.define('openai-chatkit', ChatKitElement);
}
