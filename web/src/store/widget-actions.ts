/**
 * What widgets ask for: of the page, of the server with a streamed answer, or of the server with one
 * item as the answer. Nothing here throws: what fails is said to the person and to the page.
 */
import type { ReadonlySignal } from '@preact/signals';
import { IntegrationError, RequestError, asError, callPage, isAbort, wordsOfPage } from '../core/errors';
import type { WidgetItem } from '../core/protocol';
import type { MessageKey } from '../i18n/en';
import type { ChatPorts, Phase, PlainAction } from './ports';
import type { TranscriptSignals } from './signals';
import { reduce } from './transcript';

export type LoadingBehavior = 'auto' | 'none' | 'self' | 'container';

/** An action as a widget declares it. */
export interface DeclaredAction extends PlainAction {
  readonly handler: 'client' | 'server';
  readonly loadingBehavior: LoadingBehavior;
  /** `false`: the answer is one item, and may come while another answer streams. */
  readonly streaming: boolean;
}

interface Host {
  readonly ports: ChatPorts;
  readonly transcript: TranscriptSignals;
  readonly threadId: ReadonlySignal<string | null>;
  readonly phase: ReadonlySignal<Phase>;
  readonly send: (action: PlainAction, itemId: string) => Promise<void>;
  readonly say: (words: string) => void;
}

export class WidgetActions {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Runs an action of a widget; resolves when it is over, however it went. */
  async run(item: WidgetItem, action: DeclaredAction): Promise<void> {
    const { ports, transcript, say } = this.#host;
    const plain: PlainAction = { type: action.type, ...(action.payload === undefined ? {} : { payload: action.payload }) };
    if (!transcript.state.entries.some((entry) => entry.item.id === item.id)) {
      ports.log('widget.action.stale', { type: action.type });
      return;
    }
    try {
      if (action.handler === 'client') await this.#tellPage(item, plain);
      else if (action.streaming) await this.#stream(item, plain);
      else await this.#replace(item, plain);
    } catch (error) {
      if (isAbort(error)) return;
      say(error instanceof RequestError && error.forUser ? error.message : (wordsOfPage(asError(error)) ?? this.#words('action.failed')));
      ports.emit('chatkit.error', { error: asError(error) });
    }
  }

  async #tellPage(item: WidgetItem, action: PlainAction): Promise<void> {
    const handler = this.#host.ports.widgetAction();
    if (handler === null) throw new IntegrationError(`The widget action “${action.type}” is for this page; set widgets.onAction to handle it.`);
    await callPage(() => handler(action, { id: item.id, widget: item.widget }));
  }

  async #stream(item: WidgetItem, action: PlainAction): Promise<void> {
    const { phase, ports, say, send } = this.#host;
    if (phase.value !== 'idle') {
      say(this.#words('action.busy'));
      ports.log('widget.action.busy', { type: action.type });
      return;
    }
    await send(action, item.id);
  }

  async #replace(item: WidgetItem, action: PlainAction): Promise<void> {
    const { ports, transcript, threadId } = this.#host;
    const thread = threadId.value;
    if (thread === null) return;
    const answer = await ports.client().request('threads.sync_custom_action', { thread_id: thread, item_id: item.id, action }, new AbortController().signal);
    const updated = answer.updated_item ?? null;
    // Another thread is open by now: that one has no place for it.
    if (updated === null || threadId.value !== thread) return;
    transcript.set(reduce(transcript.state, { type: 'thread.item.replaced', item: updated }));
  }

  #words(key: MessageKey): string {
    return this.#host.ports.translate()(key);
  }
}

/** Reads what a widget declares; `null` where it declares nothing that could run. */
export function readAction(value: unknown): DeclaredAction | null {
  if (typeof value !== 'object' || value === null) return null;
  const { type, payload, handler, loadingBehavior, streaming } = value as Record<string, unknown>;
  if (typeof type !== 'string' || type === '') return null;
  const behavior = (['none', 'self', 'container'] as const).find((word) => word === loadingBehavior) ?? 'auto';
  return {
    type,
    ...(payload === undefined || payload === null ? {} : { payload: payload as Record<string, unknown> }),
    handler: handler === 'client' ? 'client' : 'server',
    loadingBehavior: behavior,
    // The official guide writes the word once.
    streaming: streaming !== false && streaming !== 'false',
  };
}
