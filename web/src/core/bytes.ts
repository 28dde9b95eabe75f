/**
 * Sends the bytes of a file. `fetch` cannot tell how far it is, so this uses the older interface;
 * the answer is a `Response` all the same, so that refusals are read in one place.
 */

export interface Bytes {
  readonly url: string;
  readonly method: string;
  /** A plain object, because integrations spread it. */
  readonly headers: Record<string, string>;
  readonly body: Blob | FormData;
}

export interface UploadJob {
  readonly signal: AbortSignal;
  /** Told from 0 to 1, where it is known. */
  readonly onProgress: (fraction: number) => void;
}

export type SendBytes = (bytes: Bytes, job: UploadJob) => Promise<Response>;
type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** An upload that takes longer than this has lost its connection. */
const LONGEST_MS = 15 * 60_000;
/** A `Response` with one of these must not have a body, not even an empty one. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

export const sendByXhr: SendBytes = ({ url, method, headers, body }, { signal, onProgress }) =>
  new Promise((resolve, reject) => {
    const stopped = (): void => reject(new DOMException('The upload was stopped.', 'AbortError'));
    if (signal.aborted) {
      stopped();
      return;
    }
    const broken = (): void => reject(new TypeError('The upload did not reach the server.'));
    const request = new XMLHttpRequest();
    request.open(method, url);
    request.timeout = LONGEST_MS;
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener('progress', ({ lengthComputable, loaded, total }) => {
      if (lengthComputable && total > 0) onProgress(loaded / total);
    });
    request.addEventListener('load', () => resolve(responseOf(request)));
    request.addEventListener('error', broken);
    request.addEventListener('timeout', broken);
    request.addEventListener('abort', stopped);
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(body);
  });

function responseOf(request: XMLHttpRequest): Response {
  const headers = new Headers();
  for (const line of request.getAllResponseHeaders().trim().split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const { status } = request;
  return new Response(WITHOUT_BODY.has(status) ? null : request.responseText, { status, headers });
}

/**
 * The custom door's way for bytes. The page's `fetch` adds a credential to whatever it is given, so
 * it gets only addresses of the page or of the API; a storage provider refuses a signed address that
 * comes with an `Authorization` it did not ask for, and should not see it either.
 */
export function bytesThroughPage(latestFetch: () => Fetch | null, origins: readonly string[], otherwise: SendBytes): SendBytes {
  return (bytes, job) => {
    const pageFetch = latestFetch();
    if (pageFetch === null || !origins.includes(new URL(bytes.url).origin)) return otherwise(bytes, job);
    const { url, ...init } = bytes;
    return pageFetch(url, { ...init, signal: job.signal });
  };
}
