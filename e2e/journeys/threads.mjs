// Conversations stay: over a reload, in the history, with another title, and not after deleting.
import assert from "node:assert/strict";
import { test } from "node:test";

import { readyChat, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";

export function threadJourneys({ stack, browser }) {
  for (const door of ["secret", "custom"]) {
    test(`a conversation is still there after a reload (${door})`, async () => {
      const { context, page } = await newPerson(browser());
      await visit(page, stack().appUrl, door);
      await signUp(page, "Mary");
      await (await readyChat(page)).say("add a task: fix the roof");

      await page.reload();
      const chat = await readyChat(page);
      const titles = await chat.historyTitles(1);
      assert.equal(titles.length, 1);
      await chat.closeHistory();
      await chat.openFromHistory(titles[0]);
      await chat.log.getByText("add a task: fix the roof").first().waitFor();
      assert.match(await chat.say("list my tasks"), /fix the roof/);
      assert.equal((await chat.historyTitles(1)).length, 1, "it went on in the same conversation");
      await context.close();
    });
  }

  test("a conversation is renamed and deleted in the history", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Edith");
    const chat = await readyChat(page);
    await chat.say("hello");
    const [title] = await chat.historyTitles(1);

    await chat.button(`Rename: ${title}`).click();
    await chat.element.getByRole("textbox", { name: "Title" }).fill("About the roof");
    await chat.button("Save").click();
    await chat.element.locator(".history-open", { hasText: "About the roof" }).waitFor();
    await page.reload();
    const again = await readyChat(page);
    assert.deepEqual(await again.historyTitles(1), ["About the roof"], "the server kept the title");

    await again.button("Delete: About the roof").click();
    await again.element.getByRole("button", { name: "Delete", exact: true }).click();
    await again.element.getByText("No conversations yet").waitFor();
    await page.reload();
    assert.deepEqual(await (await readyChat(page)).historyTitles(0), []);
    await context.close();
  });

  test("an answer is stopped, and what was said so far stays", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "custom");
    await signUp(page, "Barbara");
    const chat = await readyChat(page);
    await chat.input.fill("long");
    await chat.input.press("Enter");
    await chat.answers.first().waitFor();
    await chat.button("Stop").click();
    await chat.idle();
    assert.match(await chat.say("hello"), /\S/, "the conversation goes on after a stop");
    await context.close();
  });

  test("an answer is judged and asked for again", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "custom");
    await signUp(page, "Karen");
    const chat = await readyChat(page);
    await chat.say("hello");
    const feedback = page.waitForResponse((response) => response.request().postData()?.includes("items.feedback") ?? false);
    await chat.button("Good response").click();
    assert.equal((await feedback).status(), 200);

    await chat.button("Try again").click();
    await chat.answers.first().waitFor();
    await chat.idle();
    assert.equal(await chat.answers.count(), 1, "the new answer took the place of the old one");
    await context.close();
  });
}
