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

/** The feature is part of the ChatKit interface, but this version of the element does not have it. */
export class NotYetSupportedError extends Error {
  override name = 'NotYetSupportedError';
}

/** The server refused this page's domain key. */
export class DomainRefusedError extends Error {
  override name = 'DomainRefusedError';
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

  constructor(message: string, detail: { status?: number; code?: string | null; forUser?: boolean } = {}) {
    super(message);
    this.status = detail.status ?? 0;
    this.code = detail.code ?? null;
    this.forUser = detail.forUser ?? false;
  }
}

/** Whatever was thrown, as an `Error`. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** True for the error that `AbortController.abort()` causes. */
export function isAbort(thrown: unknown): boolean {
  return thrown instanceof DOMException && thrown.name === 'AbortError';
}
