// An app whose server opens chat sessions through the official Node SDK, as code written for OpenAI's hosted backend
// does: only `baseURL` is ours. Its page has our element and `getClientSecret`.
import { once } from "node:events";
import { createServer } from "node:http";

import OpenAI from "openai";

/** Starts the app for one user of it; `openai` is the SDK that its server uses, `configuration()` what its sessions may do. */
export async function startHostedApp({ chatUrl, apiKey, user, workflow, composer = {}, configuration = () => undefined }) {
  const openai = new OpenAI({ apiKey, baseURL: `${chatUrl}/v1` });
  const app = {
    openai,
    user,
    /** What the page asked for: the secret that it had, or null. */
    asked: [],
    /** The sessions that were opened, oldest first. */
    opened: [],
    /** Whether this user may still chat. */
    isSignedIn: true,
  };
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hosted</title><link rel="icon" href="data:,">
    <script src="${chatUrl}/chatkit.js"></script></head>
    <body><main><openai-chatkit style="display: block; height: 40rem"></openai-chatkit></main><script type="module">
    document.querySelector("openai-chatkit").setOptions({
      composer: ${JSON.stringify(composer)},
      api: {
        async getClientSecret(current) {
          const response = await fetch("/api/chatkit/session", { method: "POST", body: JSON.stringify({ current }) });
          const answer = await response.json();
          if (!response.ok) throw new Error(answer.error);
          return answer.client_secret;
        },
      },
    });
    </script></body></html>`;

  async function openSession(request) {
    const body = JSON.parse((await request.toArray()).join(""));
    app.asked.push(body.current);
    if (!app.isSignedIn) return [403, { error: "You have signed out." }];
    const session = await openai.beta.chatkit.sessions.create({ user, workflow: { id: workflow }, chatkit_configuration: configuration() });
    app.opened.push(session);
    return [200, { client_secret: session.client_secret }];
  }

  const server = createServer((request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, { "Content-Type": "text/html" }).end(html);
      return;
    }
    openSession(request)
      .catch((error) => [500, { error: String(error) }])
      .then(([status, answer]) => response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(answer)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  app.url = `http://localhost:${server.address().port}`;
  app.stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return app;
}
