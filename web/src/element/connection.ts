/**
 * Builds the way to the server from the `api` option: transport, credential, and the checks before
 * the first use. A change of `api` makes a new one.
 */
import { fromCallback, SecretKeeper } from '../core/auth';
import { bytesThroughPage, sendByXhr } from '../core/bytes';
import { ChatClient, type RunSupport } from '../core/client';
import { checkDomainKey, checkPage, withReason, type DomainCheck } from '../core/domain';
import { callPage, IntegrationError, RequestError } from '../core/errors';
import { browserEnvironment } from '../core/retry';
import { customTransport, hostedTransport } from '../core/transport';
import { directUpload, hostedUpload, twoPhaseUpload, uploaderOf, type Uploader } from '../core/upload';
import { visitorIssuer } from '../core/visitor';
import type { ApiOptions } from './options';

type Log = (name: string, data?: Record<string, unknown>) => void;

export interface Connection {
  readonly client: ChatClient;
  /** The way for files, by the options as they are now; `null` when there is none. */
  readonly uploader: () => Uploader | null;
  /** Forgets what the server was shown so far: the next request asks for a new secret. */
  readonly forget: () => void;
  /** Throws when this page may not use the chat; a hosted door also fetches its first secret here. */
  readonly prepare: () => Promise<void>;
}

/** `latest` gives the `api` option as it is now: functions in it change on every render. */
export function connect(latest: () => ApiOptions, scriptBase: string, locale: () => string, log: Log): Connection {
  const api = latest();
  const pageFetch = (url: string, init: RequestInit): Promise<Response> => fetch(url, init);
  const clientOf = (transport: ReturnType<typeof customTransport>, runs: RunSupport): ChatClient =>
    new ChatClient({ transport, runs, locale, environment: browserEnvironment, log });

  const domainCheck = (serverUrl: string): DomainCheck => ({ serverUrl, pageOrigin: location.origin, fetch: pageFetch, log });

  if (api.door === 'custom') {
    const ownFetch = () => {
      const now = latest();
      const own = now.door === 'custom' ? now.fetch : null;
      if (own === null) return null;
      return async (url: string, init: RequestInit) => {
        const response = await callPage(() => own(url, init));
        // A page may forget to hand it on, or hand on what it has read already.
        if (typeof (response as Partial<Response> | undefined)?.headers?.get !== 'function') throw new IntegrationError('api.fetch must resolve to a Response.');
        return response;
      };
    };
    const serverOrigin = new URL(api.url).origin;
    // Where the page's own `fetch` sends a request to is not known here, so headers that a strict server
    // might refuse wait until the server has shown that it is ours.
    const runs: RunSupport = { mayAnnounce: serverOrigin === location.origin && api.fetch === null, isKnown: false, hasKeys: false };
    const client = clientOf(withReason(customTransport(api.url, () => ownFetch() ?? pageFetch), domainCheck(serverOrigin)), runs);
    const send = bytesThroughPage(ownFetch, [location.origin, serverOrigin], sendByXhr);
    return {
      client,
      uploader: () => {
        const now = latest();
        const strategy = now.door === 'custom' ? now.uploadStrategy : null;
        if (strategy === null) return null;
        return uploaderOf(client, (discard) =>
          strategy.type === 'direct'
            ? directUpload(strategy.uploadUrl, send, browserEnvironment)
            : twoPhaseUpload(client, api.url, send, browserEnvironment, discard),
        );
      },
      forget: () => undefined,
      prepare: async () => {
        if (await checkDomainKey(api.domainKey, domainCheck(serverOrigin))) Object.assign(runs, { mayAnnounce: true, isKnown: true, hasKeys: api.fetch === null });
      },
    };
  }

  const baseUrl = api.baseUrl ?? scriptBase;
  const issue =
    api.door === 'token'
      ? visitorIssuer(baseUrl, api.clientToken, pageFetch)
      : fromCallback((current) => {
          const now = latest();
          return now.door === 'secret' ? now.getClientSecret(current) : api.getClientSecret(current);
        });
  const secrets = new SecretKeeper(issue, () => Date.now());
  const client = clientOf(hostedTransport(baseUrl, secrets, pageFetch), { mayAnnounce: true, isKnown: true, hasKeys: true });
  const uploader = uploaderOf(client, () => hostedUpload(baseUrl, secrets, sendByXhr, browserEnvironment));
  return {
    client,
    uploader: () => uploader,
    forget: () => secrets.forget(),
    prepare: async () => {
      try {
        await secrets.get();
      } catch (error) {
        // Words of the server are good enough; a failure without any may be a refusal of this page.
        if (!(error instanceof RequestError)) await checkPage(domainCheck(baseUrl), api.door === 'token' ? api.clientToken : null);
        throw error;
      }
    },
  };
}
