// Client secrets: refreshed before they expire, replaced when the server refuses one, gone when revoked.
import assert from "node:assert/strict";
import { test } from "node:test";

import { readyChat, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";

/** Counts the calls for client secrets. */
function countCalls(page) {
  const calls = { start: 0, refresh: 0 };
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (request.method() !== "POST") return;
    if (pathname === "/api/chatkit/start") calls.start += 1;
    if (pathname === "/api/chatkit/refresh") calls.refresh += 1;
  });
  return calls;
}

export function secretJourneys({ stack, browser }) {
  test("a secret is refreshed before it expires, and the conversation goes on", async () => {
    const { context, page, problems } = await newPerson(browser());
    const calls = countCalls(page);
    // The page's clock, not the server's: an hour passes in the browser without waiting for it.
    await page.clock.install();
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Radia");
    const chat = await readyChat(page);
    await chat.say("add a task: lay cables");
    const { refresh } = calls;

    await page.clock.fastForward("01:00:00");
    const refreshed = page.waitForResponse((response) => response.url().endsWith("/api/chatkit/refresh"));
    const [answer, list] = await Promise.all([refreshed, chat.say("list my tasks")]);
    assert.equal(answer.status(), 200);
    assert.match((await answer.json()).client_secret, /^ek_/);
    assert.match(list, /lay cables/);
    assert.equal(calls.refresh, refresh + 1, "one refresh");
    assert.equal(calls.start, 1, "one start, though React mounts twice");
    assert.equal((await chat.historyTitles(1)).length, 1);
    assert.deepEqual(problems, []);
    await context.close();
  });

  test("a secret that the server no longer takes is replaced once, and the message is sent again", async () => {
    const { context, page } = await newPerson(browser());
    const calls = countCalls(page);
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Lynn");
    const chat = await readyChat(page);
    await chat.say("hello");
    const { refresh } = calls;

    // One request goes out with a broken secret, as if it had expired on the way.
    let spoilt = 0;
    await page.route("**/v1/chatkit/conversation", async (route) => {
      const headers = { ...route.request().headers() };
      if (spoilt === 0 && (route.request().postData() ?? "").includes("add_user_message")) {
        spoilt += 1;
        headers.authorization = headers.authorization.replace("ek_", "ek_x");
      }
      await route.continue({ headers });
    });
    assert.match(await chat.say("add a task: design chips"), /design chips/);
    assert.equal(spoilt, 1);
    assert.equal(calls.refresh, refresh + 1, "one refresh");
    assert.equal((await chat.say("list my tasks")).match(/design chips/g)?.length, 1, "the message counted once");
    await context.close();
  });

  test("a revoked secret opens nothing; who is still signed in gets a session of their own again", async () => {
    const { context, page } = await newPerson(browser());
    const calls = countCalls(page);
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Hedy");
    const chat = await readyChat(page);
    await chat.say("hello");
    const { start } = calls;

    const { sessions } = await stack().cli("session", "list", "--live");
    assert.ok(sessions.length > 0);
    for (const { id } of sessions) await stack().cli("session", "revoke", id);

    const statuses = [];
    page.on("response", (response) => {
      if (response.url().endsWith("/v1/chatkit/conversation") || response.url().endsWith("/api/chatkit/refresh")) {
        if (response.request().method() === "POST") statuses.push(response.status());
      }
    });
    await chat.say("add a task: invent radio");
    assert.deepEqual(statuses.slice(0, 3), [401, 401, 200], "the old secret, its refresh, the new secret");
    assert.equal(calls.start, start + 1);
    assert.equal((await chat.say("list my tasks")).match(/invent radio/g)?.length, 1, "the message counted once");
    await context.close();
  });

  test("when the login has ended meanwhile, the page asks to sign in again", async () => {
    const { context, page } = await newPerson(browser());
    await page.clock.install();
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Alan");
    const chat = await readyChat(page);
    await chat.say("hello");

    // In another tab, then an hour later: the secret and the token of this tab have expired.
    await page.evaluate(() =>
      fetch("/api/auth/sign-out", { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" }),
    );
    await page.clock.fastForward("01:00:00");
    await chat.input.fill("are you there?");
    await chat.input.press("Enter");
    await page.getByRole("heading", { name: "Create an account" }).waitFor();
    assert.equal(await page.locator("openai-chatkit").count(), 0, "and takes the chat away");
    await context.close();
  });
}
