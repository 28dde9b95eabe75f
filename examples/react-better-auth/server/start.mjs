// Starts the login server and the pages together, in one process:
//   PORT (3000)        the pages; /api/auth is passed on to the login server
//   AUTH_PORT (3001)   the login server, loopback only
//   TODO_URL           the task list, for /api/tasks (http://127.0.0.1:9000)
//   APP_URL            where browsers reach the pages (http://localhost:PORT)
//   AUTH_SECRET        signs session cookies; made at random when unset
//   AUTH_TOKEN_LIFETIME, TRUSTED_ORIGINS (comma-separated)   see auth.mjs
// With --dev the pages are served from source and reload when it changes.
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";

import { createServer, preview } from "vite";

import { startAuth } from "./auth.mjs";

const { env } = process;
const port = Number(env.PORT ?? 3000);
const authPort = Number(env.AUTH_PORT ?? 3001);
const appUrl = env.APP_URL ?? `http://localhost:${port}`;
const todoUrl = env.TODO_URL ?? "http://127.0.0.1:9000";
const trustedOrigins = (env.TRUSTED_ORIGINS ?? "").split(",").filter(Boolean);

const auth = await startAuth({
  port: authPort,
  baseURL: appUrl,
  secret: env.AUTH_SECRET ?? randomBytes(32).toString("hex"),
  trustedOrigins,
  tokenLifetime: env.AUTH_TOKEN_LIFETIME,
});

const serving = {
  host: "127.0.0.1",
  port,
  strictPort: true,
  allowedHosts: trustedOrigins.map((origin) => new URL(origin).hostname),
  // One origin for all: the session cookie is a first-party cookie, and the list needs no CORS.
  proxy: {
    "/api/auth": { target: `http://127.0.0.1:${authPort}` },
    "/api/tasks": { target: todoUrl, rewrite: () => "/tasks" },
  },
};
const root = fileURLToPath(new URL("..", import.meta.url));
const pages = process.argv.includes("--dev")
  ? await createServer({ root, server: serving }).then((server) => server.listen())
  : await preview({ root, preview: serving });

console.log(`The example is at ${appUrl}`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    auth.close();
    auth.closeAllConnections();
    void pages.close().finally(() => process.exit(0));
  });
}
