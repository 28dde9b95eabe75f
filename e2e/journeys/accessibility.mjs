// axe finds nothing serious: before signing in, in an empty chat, after answers, and in the history.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { test } from "node:test";

import { readyChat, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Waits for what fades in or out to have done so, in the page and in the element: colours are judged at rest. Runs in the page. */
async function atRest() {
  const roots = [document, ...[...document.querySelectorAll("openai-chatkit")].map((chat) => chat.shadowRoot)];
  const ending = roots.flatMap((root) => root?.getAnimations() ?? []).filter((animation) => animation.effect?.getComputedTiming().endTime !== Infinity);
  await Promise.allSettled(ending.map((animation) => animation.finished));
}

const SERIOUS = ["serious", "critical"];

/** What axe calls serious or critical, as sentences; `impacts` and `within` (a selector) ask for more or look at less. */
export async function seriousFindings(page, { impacts = SERIOUS, within } = {}) {
  await page.evaluate(atRest);
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(AXE);
  const { violations } = await page.evaluate((selector) => axe.run(selector ?? document, { resultTypes: ["violations"] }), within);
  return violations
    .filter(({ impact }) => impacts.includes(impact))
    .map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ target }) => target.flat().join(" ")).join(", ")})`);
}

export function accessibilityJourneys({ stack, browser }) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing serious (${colorScheme} system)`, async () => {
      const { context, page } = await newPerson(browser(), { colorScheme, reducedMotion: "reduce" });
      await visit(page, stack().appUrl, "secret");
      await page.getByRole("heading", { name: "Create an account" }).waitFor();
      assert.deepEqual(await seriousFindings(page), [], "sign-in");
      await signUp(page, "Annie");
      const chat = await readyChat(page);
      assert.deepEqual(await seriousFindings(page), [], "start screen");
      await chat.say("add a task: buy milk");
      await chat.say("markdown");
      assert.deepEqual(await seriousFindings(page), [], "conversation");
      await chat.historyTitles(1);
      assert.deepEqual(await seriousFindings(page), [], "history");
      await context.close();
    });
  }

  test("a message is written and sent with the keyboard alone", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "custom");
    await signUp(page, "Ken");
    const chat = await readyChat(page);
    await chat.input.focus();
    await page.keyboard.type("first line");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("second line");
    assert.equal(await chat.answers.count(), 0, "Shift+Enter does not send");
    await page.keyboard.press("Enter");
    await chat.answers.first().waitFor();
    await chat.idle();
    await context.close();
  });
}
