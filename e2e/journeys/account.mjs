// Sign up, chat, add a task by talking, see it listed; sign out, and nothing of it stays.
import assert from "node:assert/strict";
import { test } from "node:test";

import { changeDoor, readyChat, signIn, signOut, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";

export function accountJourneys({ stack, browser }) {
  for (const door of ["secret", "custom"]) {
    test(`a person signs up and keeps tasks by talking (${door})`, async () => {
      const { context, page, problems } = await newPerson(browser());
      await visit(page, stack().appUrl, door);
      await signUp(page, "Ada");
      const chat = await readyChat(page);

      assert.match(await chat.say("hello"), /demo/i, "the built-in model says what it is");
      await chat.say("add a task: buy milk");
      await chat.say("add a task: call Bob");
      const list = await chat.say("list my tasks");
      assert.match(list, /buy milk/);
      assert.match(list, /call Bob/);

      const beside = page.getByRole("complementary", { name: "Your tasks" });
      await beside.getByText("call Bob").waitFor();
      await chat.say("complete task 1");
      await beside.getByText("(done)").waitFor();
      await chat.decide("delete task 2", "Refuse");
      assert.match(await chat.say("list my tasks"), /call Bob/, "what is refused is not done");
      await chat.decide("delete task 2", "Allow");
      assert.doesNotMatch(await chat.say("list my tasks"), /call Bob/);
      assert.deepEqual(await beside.getByRole("listitem").count(), 1);

      assert.deepEqual(problems, [], "the browser reported no errors");
      await context.close();
    });
  }

  test("the same person has the same tasks and conversations behind both doors", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    await signUp(page, "Grace");
    await (await readyChat(page)).say("add a task: water the plants");
    await changeDoor(page, "Custom fetch");
    const chat = await readyChat(page);
    assert.match(await chat.say("list my tasks"), /water the plants/);
    assert.equal((await chat.historyTitles(2)).length, 2, "both conversations are in the history");
    await context.close();
  });

  test("the login's session cookie alone gets a secret; without it there is none", async () => {
    const { appUrl, chatUrl } = stack();
    const { context, page } = await newPerson(browser());
    const start = (credentials) =>
      page.evaluate(
        async ({ url, credentials }) => {
          const init = { method: "POST", credentials, headers: { "Content-Type": "application/json" }, body: "{}" };
          const response = await fetch(url, init);
          return { status: response.status, body: await response.json() };
        },
        { url: `${chatUrl}/api/chatkit/start`, credentials },
      );
    await visit(page, appUrl, "public");
    assert.equal((await start("include")).status, 401, "nobody is signed in");
    await changeDoor(page, "Client secret");
    await signUp(page, "Sophie");
    const opened = await start("include");
    assert.equal(opened.status, 200);
    assert.match(opened.body.client_secret, /^ek_/);
    assert.equal((await start("omit")).status, 401, "the cookie was the credential");
    await context.close();
  });

  test("signing out takes the chat away, signing in brings it back", async () => {
    const { context, page } = await newPerson(browser());
    await visit(page, stack().appUrl, "secret");
    const account = await signUp(page, "Joan");
    await (await readyChat(page)).say("add a task: pay the rent");

    await signOut(page);
    assert.equal(await page.locator("openai-chatkit").count(), 0);
    assert.doesNotMatch(await page.locator("body").innerText(), /pay the rent/);
    await page.reload();
    await page.getByRole("heading", { name: "Create an account" }).waitFor();

    await signIn(page, account);
    const chat = await readyChat(page);
    assert.match(await chat.say("list my tasks"), /pay the rent/);
    await context.close();
  });
}
