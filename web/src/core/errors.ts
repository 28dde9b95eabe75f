/**
 * The errors that integrations see in `chatkit.error` and in rejected promises, told apart by `name`.
 * No message ever contains a credential.
 */

/** The options or the way the element is used are wrong: the developer has to change something. */
export class IntegrationError extends Error {
  override name = 'IntegrationError';
}

/** A method was called while the chat was loading or answering. */
export class BusyError extends Error {
  override name = 'BusyError';
}

/** What the server tells the page's developer about a refusal (`error.details`). */
export interface RefusalDetails {
  readonly reason?: string;
  readonly next?: string;
  readonly command?: string;
  /** Which credentials would do. */
  readonly takes?: string;
  /** The pages that may use the server, which only its operator is told. */
  readonly registered?: readonly string[];
}

/** The server refused this page. */
export class DomainRefusedError extends Error {
  override name = 'DomainRefusedError';
  readonly details: RefusalDetails | null;

  constructor(message: string, details: RefusalDetails | null = null) {
    super(message);
    this.details = details;
  }
}

/** The server answered with an error, outside a stream or inside it. */
export class RequestError extends Error {
  override name = 'RequestError';
  /** HTTP status, or 0 when the error came inside a stream or no answer came at all. */
  readonly status: number;
  /** The server's machine-readable code, when it sent one. */
  readonly code: string | null;
  /** Whether `message` was written by the server for the person at the screen. */
  readonly forUser: boolean;
  /** What the server said to the page's developer. */
  readonly details: RefusalDetails | null;

  constructor(message: string, detail: { status?: number; code?: string | null; forUser?: boolean; details?: RefusalDetails | null } = {}) {
    super(message);
    this.status = detail.status ?? 0;
    this.code = detail.code ?? null;
    this.forUser = detail.forUser ?? false;
    this.details = detail.details ?? null;
  }
}

/** What an error holds for the page's developer. */
export function detailsOf(error: unknown): RefusalDetails | null {
  return error instanceof DomainRefusedError || error instanceof RequestError ? error.details : null;
}

/** Refusals whose words tell a developer what to change; whoever sits at the screen can do nothing with them. */
const FOR_DEVELOPERS: ReadonlySet<string> = new Set([
  'door_closed',
  'header_not_allowed',
  'idempotency_key_reused',
  'invalid_api_key',
  'invalid_host',
  'invalid_json',
  'missing_credentials',
  'server_key_in_browser',
  'unknown_path',
  'unsupported_request',
  'user_id_mismatch',
  'workflow_not_found',
  'wrong_credential_kind',
]);

/** Whether the server's words for a code are for the page's developer alone. */
export function isForDeveloper(code: string | null): boolean {
  return code !== null && FOR_DEVELOPERS.has(code);
}

/** What an error is called that nobody gave words to. */
const NAMELESS = 'something failed without an error';

/** Whatever was thrown, as an `Error`. Some libraries throw plain objects that have a message. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const message = typeof thrown === 'object' && thrown !== null && 'message' in thrown ? thrown.message : thrown;
  return new Error(typeof message === 'string' ? message : NAMELESS);
}

/** Errors whose words a page wrote, in a function that it gave us. */
const ofPage = new WeakSet<Error>();
/** What the language and the browser throw by themselves; nobody wrote those words for a person. */
const NATIVE: ReadonlySet<string> = new Set(['TypeError', 'SyntaxError', 'ReferenceError', 'RangeError', 'EvalError', 'URIError', 'AggregateError']);
/** Longest text that a person is shown, in characters. */
export const MAX_WORDS = 600;

/** Calls a function of the page and remembers what it throws as the page's. */
export async function callPage<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (thrown) {
    const error = asError(thrown);
    ofPage.add(error);
    throw error;
  }
}

export function isOfPage(error: Error): boolean {
  return ofPage.has(error);
}

/** What the page says to the person, by an error that it threw; `null` where it says nothing. */
export function wordsOfPage(error: Error): string | null {
  if (!ofPage.has(error) || NATIVE.has(error.name) || error instanceof DOMException) return null;
  const words = error.message.trim();
  return words === '' || words === NAMELESS ? null : words.slice(0, MAX_WORDS);
}

/** Whether a login that has ended may be why: the server knows nobody (401), or the page said no in its own words. */
export function mayBeSignedOut(error: Error): boolean {
  return (error instanceof RequestError && error.status === 401) || wordsOfPage(error) !== null;
}

/** True for the error that `AbortController.abort()` causes. */
export function isAbort(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === 'AbortError';
}
