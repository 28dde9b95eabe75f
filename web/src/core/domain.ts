/**
 * Asks our own server whether this page may use it, so that a refusal shows up at once and in words.
 * Only the server that the integration named is asked; nothing else is ever called.
 */
import { errorOf } from './client';
import { DomainRefusedError, RequestError } from './errors';
import type { Transport } from './transport';

export interface DomainCheck {
  readonly serverUrl: string;
  readonly pageOrigin: string;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly log: (name: string, data?: Record<string, unknown>) => void;
}

/** The check of the custom door. Only keys of ours (`dk_…`) are checked. `true`: a Vestibule said yes. */
export async function checkDomainKey(domainKey: string, check: DomainCheck): Promise<boolean> {
  return domainKey.startsWith('dk_') && (await ask({ domain_key: domainKey, domain: check.pageOrigin }, check));
}

/**
 * A transport that asks for the reason when no answer comes: a browser keeps the refusal of a page that
 * is not allowed from the page itself, and what is left looks like a broken line.
 */
export function withReason(transport: Transport, check: DomainCheck): Transport {
  return {
    send: async (request) => {
      try {
        return await transport.send(request);
      } catch (error) {
        if (error instanceof TypeError && !request.signal.aborted) await checkPage(check, null).catch(refuse);
        throw error;
      }
    },
  };
}

/** The refusal as the answer that the page could not read. */
function refuse(error: unknown): never {
  if (!(error instanceof DomainRefusedError)) throw error;
  throw new RequestError(error.message, { status: 403, code: 'origin_not_allowed', forUser: true, details: error.details });
}

/**
 * The check of the hosted doors, after the server could not be used: a page that is not allowed
 * cannot read the refusal itself, only the answer of this address.
 */
export async function checkPage(check: DomainCheck, clientToken: string | null): Promise<void> {
  // With the page's public token, which is public, the answer knows which credential has to be mended.
  await ask({ domain: check.pageOrigin, ...(clientToken === null ? {} : { client_token: clientToken }) }, check);
}

/**
 * Throws `DomainRefusedError` when the server says no. Anything but a plain 400 lets the page go on,
 * with a warning: the check tells a developer early and in words, while CORS and the credential
 * are what protects the server. `true` when it said yes.
 */
async function ask(body: Record<string, string>, { serverUrl, fetch, log }: DomainCheck): Promise<boolean> {
  let response: Response;
  try {
    response = await fetch(`${serverUrl}/v1/chatkit/domain_keys/verify`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      credentials: 'omit',
    });
  } catch {
    log('domain.check.unreachable');
    return false;
  }
  if (response.status === 400) {
    const { message, details } = await errorOf(response);
    throw new DomainRefusedError(message, details);
  }
  if (!response.ok) log('domain.check.skipped', { status: response.status });
  return response.ok;
}
