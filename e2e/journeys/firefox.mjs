// One journey in Debian's Firefox, over WebDriver BiDi: that the element's styles, streams and focus are no
// matter of Chromium. `FIREFOX` names another program; without one, the journey is skipped, and says so.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";

import puppeteer from "puppeteer-core";

import { startDevelopmentServer } from "../harness/stack.mjs";

const FIREFOX = process.env.FIREFOX ?? "/usr/bin/firefox-esr";
const PATIENCE = { timeout: 30_000 };

export function firefoxJourneys() {
  const skip = existsSync(FIREFOX) ? false : `${FIREFOX} is not installed; scripts/test-deps installs it`;

  test("in Firefox: a visitor chats, reloads, and finds the conversation", { skip }, async () => {
    const server = await startDevelopmentServer();
    const browser = await puppeteer.launch({ browser: "firefox", executablePath: FIREFOX, headless: true, args: ["--width=1280", "--height=800"] });
    try {
      const page = await browser.newPage();
      const problems = [];
      page.on("pageerror", (error) => problems.push(String(error)));
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
      // What stands in the chat of door 2; the chat's own tree is open.
      const inChat = (selector) => `document.querySelector("#chat-2").shadowRoot?.querySelector(${JSON.stringify(selector)})`;
      const shows = (selector, text) => page.waitForFunction(`${inChat(selector)}?.innerText.includes(${JSON.stringify(text)})`, PATIENCE);

      await page.goto(`${server.url}/#door-2`);
      await page.waitForFunction(`${inChat("textarea")} != null`, PATIENCE);
      await shows("[part=ai-notice]", "You are talking to an AI.");
      await page.evaluate(`${inChat("textarea")}.focus()`);
      await page.keyboard.type("markdown");
      await page.keyboard.press("Enter");
      await page.waitForFunction(`${inChat('[role=log][aria-busy="false"] .assistant-message')} != null`, PATIENCE);
      await shows(".assistant-message", "A heading");
      // The grid of the page and the element's sheet are applied, and the text field stands in view.
      const { field, mark, font } = await page.evaluate(`({ field: ${inChat("textarea")}.getBoundingClientRect().bottom <= innerHeight, mark: ${inChat(".assistant-message")}.dataset.generatedBy, font: getComputedStyle(${inChat(".app")}).fontSize })`);
      assert.deepEqual({ field, mark, font }, { field: true, mark: "ai", font: "16px" });

      await page.reload();
      await page.waitForFunction(`${inChat(".assistant-message")} != null`, PATIENCE);
      await shows(".assistant-message", "A heading");
      await page.evaluate(`${inChat(".history-button")}.click()`);
      await page.waitForFunction(`${inChat("input[type=search]")} != null`, PATIENCE);
      await page.evaluate(`${inChat("input[type=search]")}.focus()`);
      await page.keyboard.type("HEADING");
      await page.waitForFunction(`${inChat(".past-search [role=status]")}?.textContent === "Conversations found: 1"`, PATIENCE);
      assert.deepEqual(problems, []);
    } finally {
      await browser.close();
      await server.stop();
    }
  });
}
