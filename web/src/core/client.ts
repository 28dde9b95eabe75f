/**
 * The protocol's operations over a transport. Everything the server says about a failure is turned
 * into a `RequestError` here, once, with the server's own words where it wrote some.
 */
import { isWholeEvent } from './items';
import { parseCursor, type Frame } from './cursor';
import { MAX_WORDS, RequestError, isForDeveloper, type RefusalDetails } from './errors';
import { EVENT_TYPES, type JsonOperations, type StreamingOperations, type ThreadStreamEvent } from './protocol';
import { withRetry, type RetryEnvironment } from './retry';
import { readEvents, type SseEvent } from './sse';
import type { Transport } from './transport';

/** Operations that change nothing, and may therefore be sent again when no answer came. */
const READ_ONLY: ReadonlySet<string> = new Set(['threads.get_by_id', 'threads.list', 'threads.search', 'items.list']);

/** What is known about the server's runs. Other servers have none: there, closing the stream is Stop. */
export interface RunSupport {
  /**
   * Whether our request headers may be sent. A server of another origin that does not know them would
   * refuse the whole request (CORS).
   */
  mayAnnounce: boolean;
  /** Whether this is a Vestibule. */
  isKnown: boolean;
  /**
   * Whether a key makes a repeated send harmless: our headers are sure to reach the server. A `fetch` of the
   * page, or a relay, may drop them; a stream with ids shows that they arrive.
   */
  hasKeys: boolean;
}

export interface OpenOptions {
  readonly signal: AbortSignal;
  /** Makes the request safe to repeat, where the server knows what that is. */
  readonly key?: string | undefined;
  /** Called whenever something arrives, keep-alives included. */
  readonly onBytes?: () => void;
}

/** A stream of events that the server has agreed to. */
export interface EventStream {
  readonly run: string | null;
  /** The id under which the message waits for the answer before it. */
  readonly queued: string | null;
  /** A batch per network read. Leaving the loop closes the connection. */
  readonly frames: AsyncGenerator<Frame[], void, undefined>;
}

export interface ClientOptions {
  readonly transport: Transport;
  readonly runs: RunSupport;
  readonly locale: () => string;
  readonly environment: RetryEnvironment;
  /** Told about what was skipped; never about content. */
  readonly log: (name: string, data?: Record<string, unknown>) => void;
}

export class ChatClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  async request<K extends keyof JsonOperations>(
    type: K,
    params: JsonOperations[K][0],
    signal: AbortSignal,
  ): Promise<JsonOperations[K][1]> {
    const response = await this.#send(type, params, false, signal);
    if (!response.ok) throw await errorOf(response);
    return (await response.json()) as JsonOperations[K][1];
  }

  /** Whether the server is known to keep a run alive without its reader. */
  get resumes(): boolean {
    return this.#options.runs.isKnown;
  }

  /** Whether the next request with a key may be sent again. */
  get hasKeys(): boolean {
    return this.#options.runs.hasKeys;
  }

  /**
   * Opens a stream of events. Aborting the signal closes the connection, which servers without runs
   * take for Stop.
   */
  async open<K extends keyof StreamingOperations>(type: K, params: StreamingOperations[K], options: OpenOptions): Promise<EventStream> {
    const { runs } = this.#options;
    const isAnnounced = runs.mayAnnounce;
    const announced = isAnnounced ? { 'Vestibule-Client': 'resume', ...(options.key === undefined ? {} : { 'Idempotency-Key': options.key }) } : {};
    const response = await this.#send(type, params, true, options.signal, announced);
    options.onBytes?.();
    if (!response.ok) throw await errorOf(response);
    const contentType = response.headers.get('content-type') ?? '';
    if (!contentType.toLowerCase().startsWith('text/event-stream')) {
      await response.body?.cancel();
      throw new RequestError(`The chat address answered with ${contentType === '' ? 'no content type' : contentType} and not with a stream of events.`, {
        status: response.status,
      });
    }
    const run = response.headers.get('vestibule-run');
    if (run !== null) this.#recognise();
    // A resumed stream has ids for everybody, and shows nothing.
    const shows = isAnnounced && type !== 'threads.resume';
    return { run, queued: response.headers.get('vestibule-queued'), frames: this.#frames(response.body, shows, options.onBytes) };
  }

  async *#frames(body: ReadableStream<Uint8Array> | null, shows: boolean, onBytes?: () => void): AsyncGenerator<Frame[], void, undefined> {
    if (body === null) return;
    for await (const batch of readEvents(body, onBytes)) {
      // An unknown event moves the reader on as well.
      const frames = batch.map((event) => this.#frame(event)).filter(({ id, event }) => id !== null || event !== null);
      if (shows && frames[0] !== undefined) this.#options.runs.hasKeys = frames[0].id !== null;
      if (frames.length > 0) yield frames;
    }
  }

  #frame({ data, id }: SseEvent): Frame {
    const cursor = parseCursor(id);
    // A relay may not hand the response's headers on; the ids say the same.
    if (cursor !== null) this.#recognise();
    return { id: cursor, event: this.#parse(data) };
  }

  #recognise(): void {
    Object.assign(this.#options.runs, { mayAnnounce: true, isKnown: true });
  }

  async #send(type: string, params: unknown, streaming: boolean, signal: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
    const { transport, locale, environment } = this.#options;
    const body = JSON.stringify({ type, params });
    return withRetry(
      () => transport.send({ body, streaming, locale: locale(), signal, headers }),
      READ_ONLY.has(type),
      signal,
      environment,
    );
  }

  /** Unknown events are skipped and logged: a newer server must not break an older page. */
  #parse(data: string): ThreadStreamEvent | null {
    let event: unknown;
    try {
      event = JSON.parse(data);
    } catch {
      this.#options.log('stream.event.invalid');
      return null;
    }
    const type = typeof event === 'object' && event !== null && 'type' in event ? event.type : undefined;
    if (typeof type !== 'string' || !EVENT_TYPES.has(type)) {
      this.#options.log('stream.event.unknown', { type: String(type) });
      return null;
    }
    if (!isWholeEvent(event as Record<string, unknown>)) {
      this.#options.log('stream.event.invalid', { type });
      return null;
    }
    return event as ThreadStreamEvent;
  }
}

/** What is there of the right type; the rest may be anything. */
function readDetails(value: unknown): RefusalDetails | null {
  if (typeof value !== 'object' || value === null) return null;
  const fields = value as Record<string, unknown>;
  const text = (name: string): Record<string, string> => (typeof fields[name] === 'string' ? { [name]: fields[name] } : {});
  const registered = Array.isArray(fields['registered']) ? { registered: fields['registered'].filter((origin) => typeof origin === 'string') } : {};
  return { ...text('reason'), ...text('next'), ...text('command'), ...text('takes'), ...registered };
}

/** Reads `{"error":{"message","code","details"}}`, the shape of every refusal outside a stream. */
export async function errorOf(response: Response): Promise<RequestError> {
  const { status } = response;
  try {
    const body: unknown = JSON.parse(await response.text());
    const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : null;
    if (typeof error === 'object' && error !== null && 'message' in error && typeof error.message === 'string') {
      const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
      const details = 'details' in error ? readDetails(error.details) : null;
      return new RequestError(error.message.slice(0, MAX_WORDS), { status, code, forUser: !isForDeveloper(code), details });
    }
  } catch {
    // Not JSON: an error page of something in between. Its text is not for people.
  }
  return new RequestError(`The chat server answered with status ${status}.`, { status });
}
