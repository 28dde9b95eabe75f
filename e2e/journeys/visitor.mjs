// Public chats: a visitor keeps conversations over a reload, and another browser is another visitor.
import assert from "node:assert/strict";
import { test } from "node:test";

import { readyChat, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";

export function visitorJourneys({ stack, browser }) {
  test("a visitor chats without a login and comes back after a reload", async () => {
    const { context, page, problems } = await newPerson(browser());
    await visit(page, stack().appUrl, "public");
    const chat = await readyChat(page);
    assert.match(await chat.say("hello"), /\S/);
    assert.equal((await chat.historyTitles(1)).length, 1);

    await page.reload();
    const again = await readyChat(page);
    const titles = await again.historyTitles(1);
    assert.equal(titles.length, 1);
    await again.closeHistory();
    await again.openFromHistory(titles[0]);
    await again.log.getByText("hello", { exact: true }).first().waitFor();
    assert.deepEqual(problems, []);
    await context.close();
  });

  test("another browser is another visitor", async () => {
    const first = await newPerson(browser());
    await visit(first.page, stack().appUrl, "public");
    await (await readyChat(first.page)).say("hello from the first");

    const second = await newPerson(browser());
    await visit(second.page, stack().appUrl, "public");
    assert.deepEqual(await (await readyChat(second.page)).historyTitles(0), []);
    await first.context.close();
    await second.context.close();
  });

  test("no script of the page can read the visitor's or the user's credential", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "public");
    await (await readyChat(page)).say("hello");
    const stored = await page.evaluate(() => JSON.stringify([document.cookie, { ...window.localStorage }, { ...window.sessionStorage }]));
    assert.doesNotMatch(stored, /ek_|vk_|eyJ/);
    const cookies = await context.cookies();
    for (const cookie of cookies) assert.ok(cookie.httpOnly, `${cookie.name} is HttpOnly`);
    await context.close();
  });
}
