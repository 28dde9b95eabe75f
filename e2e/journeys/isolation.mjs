// A second person sees nothing of the first: no threads, no tasks, not by asking for their ids either.
import assert from "node:assert/strict";
import { test } from "node:test";

import { readyChat, signOut, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";

/** Sends a ChatKit request from the page, as the person who is signed in there. */
function ask(page, chatUrl, body) {
  return page.evaluate(
    async ({ url, body }) => {
      const { token } = await (await fetch("/api/auth/token")).json();
      const response = await fetch(`${url}/api/chat`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      });
      return { status: response.status, text: await response.text() };
    },
    { url: chatUrl, body },
  );
}

export function isolationJourneys({ stack, browser }) {
  test("two people in two browsers share nothing", async () => {
    const { appUrl, chatUrl } = stack();
    const ada = await newPerson(browser());
    const bob = await newPerson(browser());
    await visit(ada.page, appUrl, "custom");
    await signUp(ada.page, "Ada");
    const hers = await readyChat(ada.page);
    await hers.say("add a task: a secret of mine");

    await visit(bob.page, appUrl, "custom");
    await signUp(bob.page, "Bob");
    const his = await readyChat(bob.page);
    assert.deepEqual(await his.historyTitles(0), []);
    await his.closeHistory();
    assert.doesNotMatch(await his.say("list my tasks"), /a secret of mine/);

    const list = await ask(ada.page, chatUrl, { type: "threads.list", params: { limit: 10, order: "desc" } });
    const [{ id }] = JSON.parse(list.text).data;
    const missing = { type: "threads.get_by_id", params: { thread_id: "thr_00000000" } };
    const foreign = { type: "threads.get_by_id", params: { thread_id: id } };
    const [absent, hidden] = [await ask(bob.page, chatUrl, missing), await ask(bob.page, chatUrl, foreign)];
    assert.equal(hidden.status, 404);
    assert.equal(hidden.text.replaceAll(id, ""), absent.text.replaceAll("thr_00000000", ""), "no difference to a missing thread");
    assert.equal((await ask(ada.page, chatUrl, foreign)).status, 200);

    const theft = { type: "threads.delete", params: { thread_id: id } };
    assert.equal((await ask(bob.page, chatUrl, theft)).status, 404);
    assert.equal((await ask(ada.page, chatUrl, foreign)).status, 200, "it is still there");
    await ada.context.close();
    await bob.context.close();
  });

  test("the next person at the same browser sees nothing of the last one", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Ada");
    await (await readyChat(page)).say("add a task: a secret of mine");
    await signOut(page);
    await signUp(page, "Bob");
    const chat = await readyChat(page);
    assert.doesNotMatch(await chat.text(), /a secret of mine/);
    assert.deepEqual(await chat.historyTitles(0), []);
    await chat.closeHistory();
    assert.doesNotMatch(await chat.say("list my tasks"), /a secret of mine/);
    await context.close();
  });

  test("X-User-Id of somebody else is refused", async () => {
    const { appUrl, chatUrl } = stack();
    const { context, page } = await newPerson(browser());
    await visit(page, appUrl, "custom");
    await signUp(page, "Eve");
    const status = await page.evaluate(async (url) => {
      const { token } = await (await fetch("/api/auth/token")).json();
      const response = await fetch(`${url}/api/chat`, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}`, "X-User-Id": "somebody-else" },
        body: JSON.stringify({ type: "threads.list", params: {} }),
      });
      return response.status;
    }, chatUrl);
    assert.equal(status, 403);
    await context.close();
  });
}
