// One journey in WebKitGTK, the engine of Safari, over WebDriver. Without the driver, a browser for it or a screen, the
// journey is skipped, and says so.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";

import { Service, freePort } from "../harness/process.mjs";
import { startDevelopmentServer } from "../harness/stack.mjs";
import { ENTER, openSession } from "../harness/webdriver.mjs";

const DRIVER = process.env.WEBKIT_DRIVER ?? "/usr/bin/WebKitWebDriver";
const SCREEN = "/usr/bin/Xvfb";
/** The browser that comes with the library, for tests like this one. */
const BROWSER = ["4.1", "4.0"].map((version) => `/usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu/webkit2gtk-${version}/MiniBrowser`).find((path) => existsSync(path));

/** A screen that nobody sees; resolves with its name. */
function startScreen() {
  const screen = spawn(SCREEN, ["-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const name = new Promise((resolve, reject) => {
    screen.once("error", reject);
    screen.once("exit", () => reject(new Error(`${SCREEN} ended before it had a screen`)));
    screen.stdio[3].once("data", (number) => resolve(`:${String(number).trim()}`));
  });
  return { name, stop: () => new Promise((resolve) => screen.exitCode === null ? (screen.once("exit", resolve), screen.kill()) : resolve()) };
}

export function webkitJourneys() {
  const missing = [DRIVER, SCREEN].filter((path) => !existsSync(path)).concat(BROWSER === undefined ? ["MiniBrowser of WebKitGTK"] : []);
  const skip = missing.length === 0 ? false : `${missing.join(", ")} is not installed; scripts/test-deps installs it`;

  test("in WebKit: a visitor chats, reloads, and finds the conversation", { skip }, async () => {
    const server = await startDevelopmentServer();
    const screen = startScreen();
    let driver;
    let browser;
    try {
      const port = await freePort();
      driver = await Service.start("WebKitWebDriver", DRIVER, [`--port=${port}`, "--host=127.0.0.1"], { env: { DISPLAY: await screen.name }, readyUrl: `http://127.0.0.1:${port}/status` });
      browser = await openSession(`http://127.0.0.1:${port}`, { "webkitgtk:browserOptions": { binary: BROWSER, args: ["--automation"] } });
      const inChat = (selector) => `document.querySelector("#chat-2").shadowRoot?.querySelector(${JSON.stringify(selector)})`;

      await browser.visit(`${server.url}/#door-2`);
      await browser.until(`${inChat("textarea")} != null`);
      assert.equal(await browser.read(`${inChat("[part=ai-notice]")}.innerText`), "You are talking to an AI.");
      await browser.type("#chat-2", "textarea", `markdown${ENTER}`);
      await browser.until(`${inChat('[role=log][aria-busy="false"] .assistant-message')}?.innerText.includes("A heading") === true`);
      // The answer is laid out, and the text field stands in view.
      assert.deepEqual(await browser.read(`[${inChat(".assistant-message")}.getBoundingClientRect().height > 200, ${inChat("textarea")}.getBoundingClientRect().bottom <= innerHeight, ${inChat(".assistant-message")}.dataset.generatedBy]`), [true, true, "ai"]);

      await browser.reload();
      await browser.until(`${inChat(".assistant-message")}?.innerText.includes("A heading") === true`);
      await browser.read(`${inChat(".history-button")}.click()`);
      await browser.until(`${inChat("input[type=search]")} != null`);
      await browser.type("#chat-2", "input[type=search]", "HEADING");
      await browser.until(`${inChat(".past-search [role=status]")}?.textContent === "Conversations found: 1"`);
    } finally {
      await browser?.close();
      await driver?.stop();
      await screen.stop();
      await server.stop();
    }
  });
}
