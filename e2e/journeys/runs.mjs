// An answer goes on without its reader: over a reload, in a second tab, over a lost network. Stop ends it.
import assert from "node:assert/strict";
import { test } from "node:test";

import { readyChat, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";
import { chatOn } from "../harness/chat.mjs";
import { startTokenPage } from "../harness/token-page.mjs";

/** The demo's `long` answer has so many numbered paragraphs. */
const PARAGRAPHS = 40;
/** It takes its time. */
const LONG_MS = 90_000;

/** Asks for the long answer and waits until some of it is there. */
async function beginLong(chat) {
  await chat.input.fill("long");
  await chat.input.press("Enter");
  await chat.answers.first().getByText("2.", { exact: false }).first().waitFor();
}

/** Each paragraph once, in order: nothing lost, nothing doubled. */
async function assertWhole(chat) {
  await chat.answers.first().getByText(`${PARAGRAPHS}.`, { exact: false }).first().waitFor({ timeout: LONG_MS });
  await chat.idle();
  assert.equal(await chat.answers.count(), 1);
  const numbers = (await chat.answers.first().innerText()).match(/^\d+(?=\.)/gm).map(Number);
  assert.deepEqual(numbers, Array.from({ length: PARAGRAPHS }, (_, index) => index + 1));
}

async function openFirst(chat) {
  const [title] = await chat.historyTitles(1);
  await chat.element.locator(".history-open", { hasText: title }).first().click();
  await chat.answers.first().waitFor();
}

/** A visitor's chat with a workflow, in the middle of its long answer. */
async function answering({ stack, browser }, workflow) {
  let created;
  const served = await startTokenPage(stack().chatUrl, () => created.token);
  created = await stack().cli("token", "create", "--origin", served.url, "--env", "test", "--workflow", workflow);
  const { context, page } = await newPerson(browser());
  await page.goto(served.url);
  const chat = await readyChat(page);
  await beginLong(chat);
  return {
    chat,
    async leave() {
      await context.close();
      served.close();
    },
  };
}

export function runJourneys({ stack, browser }) {
  test("a reload in the middle of an answer loses nothing", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Grace");
    await beginLong(await readyChat(page));
    await page.reload();
    const chat = await readyChat(page);
    await openFirst(chat);
    await assertWhole(chat);
    await context.close();
  });

  test("a second tab shows the same answer as it comes, and ends with the same words", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Jean");
    const chat = await readyChat(page);
    await beginLong(chat);
    const tab = await context.newPage();
    await visit(tab, stack().appUrl, "secret");
    const other = await readyChat(tab);
    await openFirst(other);
    await Promise.all([assertWhole(chat), assertWhole(other)]);
    await context.close();
  });

  test("a lost network is said, and the answer is whole in the end", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Frances");
    const chat = await readyChat(page);
    await beginLong(chat);
    await context.setOffline(true);
    // What is open goes on under Chromium's emulation; another network is what ends it in the world.
    await page.evaluate(() => window.dispatchEvent(new window.Event("online")));
    await chat.element.getByText("The connection is lost.").first().waitFor();
    await context.setOffline(false);
    await assertWhole(chat);
    assert.equal(await chat.alert.count(), 0);
    await context.close();
  });

  test("Stop stops the server: what is there stays, and no more comes", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Ida");
    const chat = await readyChat(page);
    await beginLong(chat);
    await chat.button("Stop").click();
    await chat.idle();
    const shown = await chat.answers.first().innerText();
    await page.reload();
    const again = chatOn(page);
    await again.ready();
    await openFirst(again);
    await again.idle();
    assert.equal(await again.answers.first().innerText(), shown);
    assert.ok(!shown.includes(`${PARAGRAPHS}.`), "it was stopped before its end");
    await context.close();
  });

  test("a message that is written meanwhile waits for its turn", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Joan");
    const chat = await readyChat(page);
    await beginLong(chat);
    await chat.input.fill("hello");
    await chat.input.press("Enter");
    await chat.element.getByRole("list", { name: "Messages that wait" }).getByText("hello").waitFor();
    await chat.answers.nth(1).getByText("You wrote:").waitFor({ timeout: LONG_MS });
    await chat.idle();
    assert.equal(await chat.answers.count(), 2);
    await context.close();
  });

  test("a message that interrupts takes the place of the answer, which keeps what it has said", async () => {
    const { chat, leave } = await answering({ stack, browser }, "wf_interrupt");
    await chat.input.fill("hello");
    await chat.input.press("Enter");
    await chat.answers.nth(1).getByText("You wrote:").waitFor();
    await chat.idle();
    const first = await chat.answers.first().innerText();
    assert.ok(first.includes("2.") && !first.includes(`${PARAGRAPHS}.`), "it was cut off, and is there");
    await leave();
  });

  test("a message that is refused meanwhile is said to be, and can be sent once the answer is there", async () => {
    const { chat, leave } = await answering({ stack, browser }, "wf_reject");
    await chat.input.fill("hello");
    await chat.input.press("Enter");
    await chat.element.getByText("still being answered").first().waitFor();
    await assertWhole(chat);
    assert.match(await chat.say("hello"), /You wrote:/);
    await leave();
  });
}
