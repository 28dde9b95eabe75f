// The login: Better Auth's client, and the user's JWT for Vestibule.
import { jwtClient } from "better-auth/client/plugins";
import { createAuthClient } from "better-auth/react";

export const authClient = createAuthClient({ plugins: [jwtClient()] });

let current: { userId: string; jwt: string; expiresAt: number } | null = null;
let pending: Promise<string> | null = null;

/**
 * A JWT of the signed-in user that is valid for at least another half minute.
 *
 * Kept in memory only: the session cookie gets the next one, and no script can read that.
 */
export async function getJwt(userId: string): Promise<string> {
  if (current?.userId === userId && current.expiresAt - Date.now() > 30_000) {
    return current.jwt;
  }
  pending ??= fetchJwt(userId).finally(() => {
    pending = null;
  });
  return pending;
}

/** Forgets the JWT; called on sign-out. */
export function forgetJwt(): void {
  current = null;
}

async function fetchJwt(userId: string): Promise<string> {
  const { data, error } = await authClient.token();
  if (error) {
    // The session ended elsewhere: the page looks again, and shows the sign-in form.
    authClient.$store.notify("$sessionSignal");
    throw new Error("Your session has ended. Sign in again.");
  }
  current = { userId, jwt: data.token, expiresAt: expiryOf(data.token) };
  return data.token;
}

/** The `exp` of a JWT in milliseconds. Read only to know when to ask again; the server verifies. */
function expiryOf(jwt: string): number {
  const payload = jwt.split(".")[1] ?? "";
  const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { exp: number };
  return claims.exp * 1000;
}
