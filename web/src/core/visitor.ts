/**
 * The public-token door: a `pk_…` opens (or, through the server's HttpOnly cookie, resumes) an
 * anonymous visitor, who then chats with a client secret like everybody else.
 */
import { expiryOf, type SecretIssuer } from './auth';
import { errorOf } from './client';
import { RequestError } from './errors';

export function visitorIssuer(
  baseUrl: string,
  clientToken: string,
  fetch: (url: string, init: RequestInit) => Promise<Response>,
): SecretIssuer {
  return async () => {
    const response = await fetch(`${baseUrl}/api/chatkit/visitor`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${clientToken}`, 'Content-Type': 'application/json' },
      body: '{}',
      // The visitor's identity is a cookie of the chat server, which may be on another origin.
      credentials: 'include',
    });
    if (!response.ok) throw await errorOf(response);
    const answer: unknown = await response.json();
    const value = typeof answer === 'object' && answer !== null && 'client_secret' in answer ? answer.client_secret : null;
    if (typeof value !== 'string' || value === '') {
      throw new RequestError('The chat server did not give this visitor a session.', { status: response.status });
    }
    return { value, expiresAt: expiryOf(value) };
  };
}
