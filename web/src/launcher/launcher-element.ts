/**
 * `<vestibule-launcher>`: a bubble in the corner of a page that opens a chat. The element itself is loaded with the
 * first opening. The chat is a child of the launcher, in the page's own tree, so that its events and methods are
 * as everywhere; one that the page has put there is taken.
 */
import type { ChatKitOptions, OpenAIChatKit } from '@openai/chatkit';
import { adopt } from '../theme/adopt';
import { CHAT_ICON, CLOSE_ICON, icon, make } from './dom';
import css from './launcher.css';
import { loadElement } from './load';
import { ENGLISH, wordsIn, type Words } from './words';
import { isOfInputMethod } from '../ui/keys';

/** What the element takes; `api` may be a public token beside the official shapes. */
export type LauncherOptions = Omit<Partial<ChatKitOptions>, 'api'> & { readonly api?: unknown };

export interface LauncherEvents {
  /** The chat came up. */
  'launcher.open': undefined;
  /** The chat was closed. */
  'launcher.close': undefined;
  /** Words beside the bubble were shown, or taken away without opening. */
  'launcher.message': { readonly text: string; readonly dismissed: boolean };
  /** The number on the bubble changed. */
  'launcher.badge': { readonly count: number };
}

const PHONE = '(max-width: 600px)';
const DEFAULT_MESSAGE_SECONDS = 4;
const MAX_BADGE = 99;
/** What closes by the browser itself on Escape, before the chat does. */
const NATIVE_LAYERS = 'dialog[open], :popover-open';
/** What the chat closes on Escape. */
const OWN_LAYERS = '.history, .rename, [role=alertdialog]';

let server = '';

export class LauncherElement extends HTMLElement {
  static readonly observedAttributes = ['label', 'message', 'badge', 'open', 'locale', 'client-token'];

  readonly #panel = make('dialog', 'panel');
  readonly #bar = make('div', 'bar');
  readonly #shut = make('button', 'shut', icon(CLOSE_ICON));
  readonly #wait = make('div', 'wait');
  readonly #said = make('p', 'said');
  readonly #bubble = make('button', 'bubble');
  readonly #badge = make('span', 'badge');
  readonly #message = make('div', 'message');
  readonly #messageWords = make('button', 'words');
  readonly #dismiss = make('button', 'dismiss', icon(CLOSE_ICON));
  readonly #phone = matchMedia(PHONE);
  #words: Words = ENGLISH;
  #asked = '';
  #options: LauncherOptions | null = null;
  #chat: (HTMLElement & OpenAIChatKit) | null = null;
  #starting: Promise<void> | null = null;
  #isOpen = false;
  #count = 0;
  #timer = 0;
  #wasOpened = false;
  /** Where the focus was before. */
  #cameFrom: Element | null = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    adopt(root, css);
    this.#panel.tabIndex = -1;
    this.#bar.append(this.#shut);
    this.#panel.append(this.#bar, this.#wait, this.#said, document.createElement('slot'));
    this.#message.append(this.#messageWords, this.#dismiss);
    this.#message.setAttribute('role', 'status');
    this.#bubble.setAttribute('aria-haspopup', 'dialog');
    for (const node of [this.#message, this.#badge, this.#wait, this.#said]) node.hidden = true;
    this.#said.setAttribute('role', 'alert');
    root.append(this.#panel, this.#message, this.#bubble);
    this.#bubble.addEventListener('click', () => this.#quietly(this.toggle()));
    this.#messageWords.addEventListener('click', () => this.#quietly(this.open()));
    this.#dismiss.addEventListener('click', () => this.#hideMessage(true));
    this.#shut.addEventListener('click', () => this.close());
    // Whoever comes near will want it.
    for (const near of ['pointerenter', 'focus']) this.#bubble.addEventListener(near, () => void loadElement(server).catch(() => undefined));
    this.#panel.addEventListener('keydown', (event) => this.#onEscape(event), { capture: true });
    // The back gesture of a phone.
    this.#panel.addEventListener('cancel', (event) => {
      if (event.target !== this.#panel) return;
      event.preventDefault();
      this.close();
    });
    // Where a browser closes it by itself.
    this.#panel.addEventListener('close', (event) => {
      if (event.target === this.#panel && !this.#panel.open && !this.#isMoving) this.close();
    });
    this.addEventListener('chatkit.response.end', () => {
      if (!this.#isOpen) this.badge += 1;
    });
  }

  connectedCallback(): void {
    this.#phone.addEventListener('change', this.#onScreen);
    void this.#speak();
    this.#draw();
    this.#plan();
    if (this.hasAttribute('open')) this.#quietly(this.open());
  }

  disconnectedCallback(): void {
    this.#phone.removeEventListener('change', this.#onScreen);
    clearTimeout(this.#timer);
  }

  attributeChangedCallback(name: string, before: string | null, now: string | null): void {
    if (before === now) return;
    // Read as it comes: an element that is being made has its attributes before its place in the page.
    if (name === 'badge') this.badge = Number(now ?? 0);
    if (!this.isConnected) return;
    if (name === 'open') {
      if (now === null) this.close();
      else this.#quietly(this.open());
    } else if (name === 'message') this.#plan();
    else if (name === 'locale') {
      this.#apply();
      void this.#speak();
    } else if (name === 'client-token') this.#apply();
    this.#draw();
  }

  /** The chat, once it was opened; a page's own chat from the beginning. */
  get chat(): (HTMLElement & OpenAIChatKit) | null {
    return this.#chat ?? this.querySelector<HTMLElement & OpenAIChatKit>('openai-chatkit');
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The number on the bubble: answers that ended while the chat was closed, or what the page sets. */
  get badge(): number {
    return this.#count;
  }

  set badge(count: number) {
    const next = Number.isFinite(count) ? Math.max(0, Math.floor(count)) : 0;
    if (next === this.#count) return;
    this.#count = next;
    this.#draw();
    this.#emit('launcher.badge', { count: next });
  }

  /** The options of the chat, as its own `setOptions` takes them. They are kept until it is there. */
  setOptions(options: LauncherOptions): void {
    this.#options = options;
    const scheme = schemeOf(options);
    if (scheme === null) this.removeAttribute('scheme');
    else this.setAttribute('scheme', scheme);
    this.#apply();
    void this.#speak();
  }

  /** Opens the chat; resolves when it can be used, and rejects when it could not be loaded. */
  async open(): Promise<void> {
    if (this.#isOpen || !this.isConnected) {
      await this.#starting;
      return;
    }
    this.#isOpen = true;
    this.#wasOpened = true;
    this.#cameFrom = focused();
    this.#hideMessage(false);
    this.badge = 0;
    this.#show();
    this.toggleAttribute('open', true);
    this.#draw();
    this.#emit('launcher.open', undefined);
    this.#starting = this.#start();
    await this.#starting;
  }

  /** Closes the chat and gives the focus back. An answer that runs goes on. */
  close(): void {
    if (!this.#isOpen) return;
    const hadFocus = this.matches(':focus-within') || this.#panel.matches(':focus-within') || focused() === null;
    this.#isOpen = false;
    this.#panel.close();
    this.toggleAttribute('open', false);
    this.#draw();
    if (hadFocus) {
      const back = this.#cameFrom;
      if (back instanceof HTMLElement && back.isConnected && back !== this) back.focus({ preventScroll: true });
      else this.#bubble.focus({ preventScroll: true });
    }
    this.#cameFrom = null;
    this.#emit('launcher.close', undefined);
  }

  async toggle(): Promise<void> {
    if (this.#isOpen) this.close();
    else await this.open();
  }

  /** Says something beside the bubble; pressing it opens the chat. Nothing, while the chat is open. */
  say(text: string): void {
    if (this.#isOpen || text.trim() === '') return;
    this.#messageWords.textContent = text;
    this.#message.hidden = false;
    this.#emit('launcher.message', { text, dismissed: false });
  }

  // --- Inside ---

  async #start(): Promise<void> {
    this.#said.hidden = true;
    this.#wait.hidden = this.#chat !== null;
    try {
      await loadElement(server);
      if (this.#chat === null) {
        const own = this.querySelector<HTMLElement & OpenAIChatKit>('openai-chatkit');
        this.#chat = own ?? (document.createElement('openai-chatkit'));
        if (own === null) this.append(this.#chat);
        this.#apply();
      }
      this.#wait.hidden = true;
      await this.#focusChat(this.#chat);
    } catch (error) {
      this.#wait.hidden = true;
      this.#said.textContent = this.#words.failed;
      this.#said.hidden = false;
      throw error;
    }
  }

  /** Where one writes; with a finger only into the chat, so that no keyboard comes up before it is wanted. */
  async #focusChat(chat: OpenAIChatKit): Promise<void> {
    if (matchMedia('(pointer: coarse)').matches) return;
    // A page's own chat may wait for its options for as long as it likes.
    if (this.#options === null && !this.hasAttribute('client-token')) {
      void chat.focusComposer().catch(() => undefined);
      return;
    }
    await chat.focusComposer().catch(() => undefined);
  }

  /** Hands the options on. The chat's own header closes it, where the page has left the place free. */
  #apply(): void {
    const token = this.getAttribute('client-token');
    const options = this.#options ?? (token === null ? null : {});
    this.#bar.hidden = false;
    if (this.#chat === null || options === null) return;
    const isFree = options.header?.enabled !== false && options.header?.rightAction === undefined;
    const close = { icon: 'close', label: this.#words.close, onClick: () => this.close() };
    const header = isFree ? { ...options.header, rightAction: close } : options.header;
    const api = options.api ?? { clientToken: token };
    const locale = this.#locale;
    this.#chat.setOptions({ ...options, api, ...(locale === undefined ? {} : { locale }), ...(header === undefined ? {} : { header }) } as ChatKitOptions);
    this.#bar.hidden = isFree;
  }

  /** What nobody awaits: a failure is said in the panel. */
  #quietly(opening: Promise<void>): void {
    void opening.catch(() => undefined);
  }

  /** The language that the page asks for. */
  get #locale(): string | undefined {
    return this.getAttribute('locale') ?? this.#options?.locale;
  }

  async #speak(): Promise<void> {
    const asked = this.#locale ?? navigator.language;
    this.#asked = asked;
    const words = await wordsIn(asked, server);
    // What was asked for meanwhile goes before what took longer.
    if (this.#asked !== asked || words.tag === this.#words.tag) return;
    this.#words = words;
    this.#draw();
    this.#apply();
  }

  #draw(): void {
    const { open, close, dismiss, fresh } = this.#words;
    const given = this.getAttribute('label') ?? '';
    const label = given.trim() === '' ? open : given;
    this.#bubble.setAttribute('aria-expanded', String(this.#isOpen));
    this.#bubble.setAttribute('aria-label', this.#isOpen ? close : this.#count > 0 ? `${label} (${fresh(this.#count)})` : label);
    this.#bubble.replaceChildren(icon(this.#isOpen ? CLOSE_ICON : CHAT_ICON), this.#badge);
    this.#badge.hidden = this.#count === 0 || this.#isOpen;
    this.#badge.textContent = this.#count > MAX_BADGE ? `${MAX_BADGE}+` : String(this.#count);
    this.#badge.setAttribute('aria-hidden', 'true');
    this.#dismiss.setAttribute('aria-label', dismiss);
    this.#shut.setAttribute('aria-label', close);
    this.#panel.setAttribute('aria-label', this.#options?.frameTitle ?? label);
  }

  #show(focus?: HTMLElement | null): void {
    // Over everything and alone on a phone; beside the page elsewhere.
    if (this.#phone.matches) this.#panel.showModal();
    else this.#panel.show();
    (focus ?? this.#panel).focus({ preventScroll: true });
  }

  #isMoving = false;
  readonly #onScreen = (): void => {
    if (!this.#isOpen) return;
    this.#isMoving = true;
    const focus = this.#panel.matches(':focus-within') || this.matches(':focus-within') ? deepest(this.ownerDocument) : null;
    this.#panel.close();
    this.#show(focus);
    // The event of this closing comes later.
    setTimeout(() => (this.#isMoving = false), 0);
  };

  #onEscape(event: KeyboardEvent): void {
    if (event.key !== 'Escape' || isOfInputMethod(event)) return;
    const inside = this.chat?.shadowRoot;
    if (inside?.querySelector(NATIVE_LAYERS)) return;
    // A dialog over the page would go with any Escape that nobody has taken.
    event.preventDefault();
    if (!inside?.querySelector(OWN_LAYERS)) {
      event.stopPropagation();
      this.close();
    }
  }

  /** Says the page's words after a while, unless the chat was opened before. */
  #plan(): void {
    clearTimeout(this.#timer);
    const text = this.getAttribute('message');
    if (text === null) {
      this.#message.hidden = true;
      return;
    }
    const seconds = Number(this.getAttribute('message-after') ?? DEFAULT_MESSAGE_SECONDS);
    this.#timer = window.setTimeout(() => {
      if (!this.#wasOpened) this.say(text);
    }, (Number.isFinite(seconds) ? Math.max(0, seconds) : DEFAULT_MESSAGE_SECONDS) * 1000);
  }

  #hideMessage(dismissed: boolean): void {
    if (this.#message.hidden) return;
    const had = this.#message.matches(':focus-within');
    this.#message.hidden = true;
    if (!dismissed) return;
    if (had) this.#bubble.focus({ preventScroll: true });
    this.#emit('launcher.message', { text: this.#messageWords.textContent, dismissed: true });
  }

  #emit<K extends keyof LauncherEvents>(name: K, detail: LauncherEvents[K]): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }
}

/** What has the focus, if anything. */
function focused(): Element | null {
  const { activeElement } = document;
  return activeElement === document.body ? null : activeElement;
}

/** What has the focus, through all shadow roots. */
function deepest(root: Document | ShadowRoot): HTMLElement | null {
  const active = root.activeElement;
  if (!(active instanceof HTMLElement)) return null;
  return active.shadowRoot === null ? active : (deepest(active.shadowRoot) ?? active);
}

function schemeOf({ theme }: LauncherOptions): string | null {
  if (theme === undefined) return 'light';
  return typeof theme === 'string' ? theme : (theme.colorScheme ?? 'light');
}

/** Defines the launcher once per page; `from` is the server it came from. */
export function defineLauncher(from: string): void {
  if (customElements.get('vestibule-launcher') !== undefined) return;
  server = from;
  customElements.define('vestibule-launcher', LauncherElement);
}
