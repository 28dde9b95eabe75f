/**
 * The client secret of the hosted doors: where it comes from, how long it lives, when it is renewed.
 * It lives in a private field and nowhere else: not in the DOM, a URL, storage, a log or an error.
 */
import { callPage, IntegrationError } from './errors';

/** A secret and, where known, the end of its life in Unix milliseconds. */
export interface ClientSecret {
  readonly value: string;
  readonly expiresAt: number | null;
}

/** Fetches the first secret (`null`) or the one that follows `current`. */
export type SecretIssuer = (current: string | null) => Promise<ClientSecret>;

/** Renew this long before the end, so that a request never starts with a secret about to die. */
const RENEW_BEFORE_MS = 30_000;

/**
 * The expiry that a client secret carries in clear: `ek_…_00` followed by base64 of
 * `{"expires_at": <Unix seconds>}`. `null` when the secret has no such tail.
 */
export function expiryOf(secret: string): number | null {
  const tail = /_00([A-Za-z0-9+/_-]+=*)$/.exec(secret)?.[1];
  if (tail === undefined) return null;
  try {
    const json: unknown = JSON.parse(atob(tail.replaceAll('-', '+').replaceAll('_', '/')));
    if (typeof json !== 'object' || json === null || !('expires_at' in json)) return null;
    return typeof json.expires_at === 'number' ? json.expires_at * 1000 : null;
  } catch {
    return null;
  }
}

/** Adapts `api.getClientSecret`, which gives the bare string. */
export function fromCallback(getClientSecret: (current: string | null) => Promise<string>): SecretIssuer {
  return async (current) => {
    const value: unknown = await callPage(() => getClientSecret(current));
    if (typeof value !== 'string' || value === '') {
      throw new IntegrationError('api.getClientSecret must resolve to the client secret, a non-empty string.');
    }
    return { value, expiresAt: expiryOf(value) };
  };
}

/** Holds the current secret; asks for the next one at most once at a time. */
export class SecretKeeper {
  #current: ClientSecret | null = null;
  #pending: Promise<ClientSecret> | null = null;
  readonly #issue: SecretIssuer;
  readonly #now: () => number;

  constructor(issue: SecretIssuer, now: () => number) {
    this.#issue = issue;
    this.#now = now;
  }

  /** A secret that is good for the next request. */
  async get(): Promise<string> {
    const current = this.#current;
    if (current !== null && !this.#isEnding(current)) return current.value;
    return (await this.#renew()).value;
  }

  /** The secret that replaces `rejected`; another caller may already have fetched it. */
  async replace(rejected: string): Promise<string> {
    const current = this.#current;
    if (current !== null && current.value !== rejected) return current.value;
    return (await this.#renew()).value;
  }

  /** Forgets the secret: whoever signed in anew has another one. */
  forget(): void {
    this.#current = null;
    this.#pending = null;
  }

  #isEnding(secret: ClientSecret): boolean {
    if (secret.expiresAt === null) return false;
    return secret.expiresAt - this.#now() < RENEW_BEFORE_MS;
  }

  #renew(): Promise<ClientSecret> {
    if (this.#pending !== null) return this.#pending;
    const asked = this.#next()
      .then((secret) => {
        // A new one that is over already says that this clock is wrong: then the server tells, with a 401.
        if (this.#pending === asked) this.#current = this.#isEnding(secret) ? { ...secret, expiresAt: null } : secret;
        return secret;
      })
      .finally(() => {
        if (this.#pending === asked) this.#pending = null;
      });
    this.#pending = asked;
    return asked;
  }

  /** A secret too old to be renewed (the laptop slept over night) must not lock the person out. */
  async #next(): Promise<ClientSecret> {
    const current = this.#current;
    if (current === null) return this.#issue(null);
    return this.#issue(current.value).catch(() => {
      this.#current = null;
      return this.#issue(null);
    });
  }
}

/** Runs a request with the secret. A 401 came before anything ran: renew once and try again, once. */
export async function withSecret(secrets: SecretKeeper, attempt: (secret: string) => Promise<Response>): Promise<Response> {
  const secret = await secrets.get();
  const response = await attempt(secret);
  if (response.status !== 401) return response;
  await response.body?.cancel();
  return attempt(await secrets.replace(secret));
}
