// A page with a chat and nothing else, for people who need no account.
import { once } from "node:events";
import { createServer } from "node:http";

/** Serves the page; its chat has the token that `token()` returns. `close()` ends it. */
export async function startTokenPage(chatUrl, token) {
  const html = () => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Chat</title>
    <link rel="icon" href="data:,"><script src="${chatUrl}/chatkit.js"></script></head>
    <body><main><openai-chatkit style="display: block; height: 40rem"></openai-chatkit></main>
    <script>document.querySelector("openai-chatkit").setOptions({ api: { clientToken: ${JSON.stringify(token())} } });</script>
    </body></html>`;
  const server = createServer((_request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(html()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://localhost:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
