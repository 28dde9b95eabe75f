/**
 * When a failed request is sent again without asking. The rule is "never run a turn twice": a
 * streaming operation is repeated only when the server refused it before starting (429 or 503 with
 * `Retry-After`), an operation that only reads also when no answer came at all.
 */

const ATTEMPTS = 3;
const FIRST_DELAY_MS = 400;
/** A server that asks for a longer pause gets none: the person sees its message and decides. */
const LONGEST_DELAY_MS = 10_000;

export interface RetryEnvironment {
  readonly now: () => number;
  /** Resolves after `ms`; rejects when the signal aborts. */
  readonly delay: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Sends until there is an answer worth handing on. `repeatable` says that sending twice does no harm. */
export async function withRetry(
  send: () => Promise<Response>,
  repeatable: boolean,
  signal: AbortSignal,
  environment: RetryEnvironment,
): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    let pause: number | null;
    try {
      const response = await send();
      pause = retryAfter(response, environment.now());
      if (pause === null || pause > LONGEST_DELAY_MS || attempt === ATTEMPTS) return response;
      await response.body?.cancel();
    } catch (error) {
      if (!(error instanceof TypeError) || !repeatable || signal.aborted || attempt === ATTEMPTS) throw error;
      pause = FIRST_DELAY_MS * 2 ** (attempt - 1);
    }
    await environment.delay(pause, signal);
  }
}

/** Milliseconds to wait, from `Retry-After` as seconds or as a date (RFC 9110, 10.2.3). */
function retryAfter(response: Response, now: number): number | null {
  if (response.status !== 429 && response.status !== 503) return null;
  const value = response.headers.get('retry-after');
  if (value === null) return null;
  const seconds = Number(value);
  const pause = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - now;
  return Number.isFinite(pause) ? Math.max(0, pause) : null;
}

/** What following a run needs to know of the machine. */
export interface Line extends RetryEnvironment {
  /** A number in [0, 1), so that many readers of one server do not come back in the same moment. */
  readonly chance: () => number;
  readonly isOnline: () => boolean;
  /** Calls back when the machine is on a network again; the result ends that. */
  readonly onOnline: (back: () => void) => () => void;
}

/** The browser's clock and timer. */
export const browserEnvironment: RetryEnvironment = {
  now: () => Date.now(),
  delay: (ms, signal) =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        reject(new DOMException('The request was stopped.', 'AbortError'));
      };
      const timer = setTimeout(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      }, ms);
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    }),
};

/** The browser's line to the network. */
export const browserLine: Line = {
  ...browserEnvironment,
  chance: () => Math.random(),
  isOnline: () => navigator.onLine,
  onOnline: (back) => {
    addEventListener('online', back);
    return () => removeEventListener('online', back);
  },
};
