// A tool asks the person back: a form in place of the text field, over a reload, and the call goes on with the answer.
import assert from "node:assert/strict";
import { test } from "node:test";

import { readyChat, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";

const PLAN = 'use plan_task {"task_id": 1}';

export function askingJourneys({ stack, browser }) {
  test("a tool asks back, and its call goes on with what the person answers", async () => {
    const { context, page, problems } = await newPerson(browser());
    await visit(page, stack().appUrl, "custom");
    await signUp(page, "Ruth");
    const first = await readyChat(page);
    await first.say("add a task: buy milk");
    const ask = async (chat) => {
      await chat.input.fill(PLAN);
      await chat.input.press("Enter");
      await chat.element.getByRole("form", { name: "Questions of the assistant" }).waitFor();
      await chat.idle();
    };
    await ask(first);
    await first.log.getByText("“todo” asks you").waitFor();
    await first.log.getByText("When is it due, and how important is it?").waitFor();

    // The call waits on the server, not in the page.
    await page.reload();
    const chat = await readyChat(page);
    const [title] = await chat.historyTitles(1);
    await chat.closeHistory();
    await chat.openFromHistory(title);
    const form = chat.element.getByRole("form", { name: "Questions of the assistant" });
    await form.waitFor();
    const due = form.getByRole("textbox", { name: "Due", exact: true });
    await due.fill("tomorrow");
    await form.getByText("Before all others").click();
    await form.getByRole("button", { name: "Send answers" }).click();

    // Only what does not fit is asked for again.
    await form.getByText("“tomorrow” does not fit here.").waitFor();
    assert.equal(await form.getByText("Before all others").count(), 0);
    if (process.env.E2E_SCREENSHOT) await page.screenshot({ path: process.env.E2E_SCREENSHOT });
    const before = await chat.answers.count();
    await due.fill("2026-12-24");
    await form.getByRole("button", { name: "Send answers" }).click();
    await chat.answers.nth(before).waitFor();
    await chat.idle();
    const said = (await chat.answers.allInnerTexts()).slice(before).join("\n");
    assert.match(said, /Planned task 1: buy milk \(due 2026-12-24, importance high\)/);

    await ask(chat);
    await form.getByRole("button", { name: "Skip all" }).click();
    await chat.log.getByText("The user did not want to say.").first().waitFor();
    await chat.idle();
    assert.match(await chat.say("list my tasks"), /due 2026-12-24/, "what is skipped changes nothing");
    assert.deepEqual(problems, [], "the browser reported no errors");
    await context.close();
  });
}
