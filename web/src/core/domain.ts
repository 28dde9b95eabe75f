/**
 * The domain key check of a page that uses our own server through the custom door. Only keys of
 * ours (`dk_…`) are checked, and only at the server the integration named: nothing else is called.
 */
import { errorOf } from './client';
import { DomainRefusedError } from './errors';

/**
 * Throws `DomainRefusedError` when the server says no. Anything but a plain 400 lets the page go on,
 * with a warning: the check tells a developer early and in words, while CORS and the credential
 * are what protects the server.
 */
export async function checkDomain(
  serverOrigin: string,
  domainKey: string,
  pageOrigin: string,
  fetch: (url: string, init: RequestInit) => Promise<Response>,
  log: (name: string, data?: Record<string, unknown>) => void,
): Promise<void> {
  if (!domainKey.startsWith('dk_')) return;
  let response: Response;
  try {
    response = await fetch(`${serverOrigin}/v1/chatkit/domain_keys/verify`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ domain_key: domainKey, domain: pageOrigin }),
      credentials: 'omit',
    });
  } catch {
    log('domain.check.unreachable');
    return;
  }
  if (response.status === 400) {
    throw new DomainRefusedError((await errorOf(response)).message);
  }
  if (!response.ok) log('domain.check.skipped', { status: response.status });
}
