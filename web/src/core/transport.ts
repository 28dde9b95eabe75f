/**
 * The doors as the browser sees them: how one JSON body reaches the server and with which credential.
 * `custom` posts to the integration's own address through its own `fetch`; `hosted` posts to the
 * server this script came from, with a client secret.
 */
import { withSecret, type SecretKeeper } from './auth';

export interface Outgoing {
  readonly body: string;
  readonly streaming: boolean;
  /** Headers beyond the protocol's own. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly locale: string;
  readonly signal: AbortSignal;
}

export interface Transport {
  /** Sends one request. Anything but a network failure comes back as a response, refusals included. */
  send(request: Outgoing): Promise<Response>;
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Headers are a plain object and the body a string, because integrations spread them:
 * `fetch(url, { ...init, headers: { ...init.headers, Authorization } })`.
 */
function initOf(request: Outgoing, headers: Record<string, string>): RequestInit {
  return {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: request.streaming ? 'text/event-stream' : 'application/json',
      'Accept-Language': request.locale,
      ...request.headers,
      ...headers,
    },
    body: request.body,
    signal: request.signal,
  };
}

/** `latestFetch` is asked for every request, because React hands over a new function on every render. */
export function customTransport(url: string, latestFetch: () => Fetch): Transport {
  return { send: (request) => latestFetch()(url, initOf(request, {})) };
}

export function hostedTransport(baseUrl: string, secrets: SecretKeeper, fetch: Fetch): Transport {
  const url = `${baseUrl}/v1/chatkit/conversation`;
  return {
    send: (request) =>
      withSecret(secrets, (secret) =>
        fetch(url, { ...initOf(request, { Authorization: `Bearer ${secret}` }), credentials: 'omit' }),
      ),
  };
}
