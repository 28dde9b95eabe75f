// The example's login: a real Better Auth server whose users live in memory, so that the example
// needs no database. With the next start the users and the signing keys are new ones.
import { createServer } from "node:http";

import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { bearer, jwt } from "better-auth/plugins";

/**
 * Starts Better Auth on the loopback interface.
 *
 * `baseURL` is the address that browsers use; it becomes `iss` and `aud` of the tokens.
 * `tokenLifetime` is a time span such as "15m".
 */
export async function startAuth({ port, baseURL, secret, trustedOrigins = [], tokenLifetime = "15m" }) {
  const auth = betterAuth({
    baseURL,
    secret,
    // Every model needs its list from the start.
    database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [], rateLimit: [] }),
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    trustedOrigins: [baseURL, ...trustedOrigins],
    plugins: [
      jwt({
        jwt: {
          expirationTime: tokenLifetime,
          // Without this the token carries the whole user record. A chat needs the name at most.
          definePayload: ({ user }) => ({ name: user.name }),
        },
      }),
      bearer(),
    ],
  });
  const server = createServer(toNodeHandler(auth));
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return server;
}
