// Hosted mode: an app that was written for OpenAI's backend, with another base URL.
import assert from "node:assert/strict";
import { test } from "node:test";

import { newPerson } from "../harness/browser.mjs";
import { chatOn } from "../harness/chat.mjs";
import { startHostedApp } from "../harness/hosted-app.mjs";

export function hostedJourneys({ stack, browser }) {
  test("an app of the hosted backend chats, refreshes, reads along and cancels through the official SDK", async () => {
    const { key } = await stack().cli("key", "create", "--env", "test", "--label", "hosted journey");
    const app = await startHostedApp({ chatUrl: stack().chatUrl, apiKey: key, user: "grace", workflow: "wf_tasks" });
    try {
      const { context, page, problems } = await newPerson(browser());
      await page.clock.install();
      await page.goto(app.url);
      const chat = chatOn(page);
      await chat.ready();
      const answer = await chat.say("hello");
      assert.match(answer, /\S/);
      assert.deepEqual(app.asked, [null]);

      // The app's server reads what was said.
      const { threads, sessions } = app.openai.beta.chatkit;
      const [thread] = (await threads.list({ user: "grace" })).data;
      const items = (await threads.listItems(thread.id, { order: "asc" })).data;
      assert.deepEqual(items[0].content, [{ type: "input_text", text: "hello" }]);
      assert.equal(items.at(-1).type, "chatkit.assistant_message");
      assert.deepEqual((await threads.list({ user: "somebody else" })).data, []);

      // Ten minutes later the page asks for the next secret, and the conversation goes on.
      await page.clock.fastForward("10:00");
      await chat.say("hello again");
      assert.equal(app.asked.length, 2);
      assert.equal(app.asked[1], app.opened[0].client_secret);
      assert.equal((await threads.list({ user: "grace" })).data.length, 1, "the same conversation");
      assert.deepEqual(problems, []);

      // The server cancels the session in the middle of an answer: the answer ends, and says why.
      await chat.input.fill("long");
      await chat.input.press("Enter");
      await chat.button("Stop").waitFor();
      app.isSignedIn = false;
      const cancelled = await sessions.cancel(app.opened.at(-1).id);
      assert.equal(cancelled.status, "cancelled");
      await chat.alert.filter({ hasText: "this chat session was ended" }).waitFor();
      await chat.idle();

      // And nothing more goes out, because the app says no.
      const before = await chat.answers.count();
      await chat.input.fill("are you there?");
      await chat.input.press("Enter");
      await chat.alert.filter({ hasText: /\S/ }).waitFor();
      await chat.idle();
      assert.equal(await chat.answers.count(), before);
      await context.close();
    } finally {
      app.stop();
    }
  });
}
