// A page with the strictest useful Content Security Policy and Trusted Types: nothing is violated.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";

import { newPerson } from "../harness/browser.mjs";
import { chatOn } from "../harness/chat.mjs";

/** A server with one page; nothing inline, nothing from elsewhere. Its chat has the token that `token()` returns. */
async function strictPage(chatUrl, token) {
  const policy = [
    "default-src 'none'",
    `script-src ${chatUrl} 'self'`,
    `connect-src ${chatUrl}`,
    "style-src 'none'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ");
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Strict</title>
    <link rel="icon" href="/icon.png"><script src="${chatUrl}/chatkit.js"></script></head>
    <body><main><openai-chatkit></openai-chatkit></main><script src="/page.js"></script></body></html>`;
  const script = () => `
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violations.push(event.violatedDirective + " " + event.blockedURI));
    const chat = document.querySelector("openai-chatkit");
    chat.style.cssText = "display: block; height: 40rem"; // the CSS object model needs no 'unsafe-inline'
    chat.setOptions({ api: { clientToken: ${JSON.stringify(token())} } });`;
  const pages = {
    "/": () => ["text/html", html],
    "/page.js": () => ["text/javascript", script()],
    "/icon.png": () => ["image/png", ""],
  };
  const server = createServer((request, response) => {
    const [type, body] = pages[request.url]?.() ?? [null, null];
    if (type === null) response.writeHead(404).end();
    else response.writeHead(200, { "Content-Type": type, "Content-Security-Policy": policy }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, url: `http://localhost:${server.address().port}` };
}

export function policyJourneys({ stack, browser }) {
  test("the element works under a strict policy without a violation", async () => {
    let created;
    const { server, url } = await strictPage(stack().chatUrl, () => created.token);
    created = await stack().cli("token", "create", "--origin", url, "--env", "test");

    try {
      const { context, page, problems } = await newPerson(browser());
      await page.goto(url);
      const chat = chatOn(page);
      await chat.ready();
      await chat.say("markdown");
      await chat.say("code");
      assert.deepEqual(await page.evaluate(() => window.violations), []);
      assert.deepEqual(problems, []);
      await context.close();
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
}
