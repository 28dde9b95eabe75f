// Hosted mode: an app that was written for OpenAI's backend, with another base URL.
import assert from "node:assert/strict";
import { test } from "node:test";

import { newPerson } from "../harness/browser.mjs";
import { chatOn } from "../harness/chat.mjs";
import { startHostedApp } from "../harness/hosted-app.mjs";

export function hostedJourneys({ stack, browser }) {
  test("an app of the hosted backend chats, reads along, cancels and refreshes through the official SDK", async () => {
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

      assert.deepEqual(problems, []);

      // The server cancels the session in the middle of an answer: the answer ends, and says why.
      await chat.input.fill("long");
      await chat.input.press("Enter");
      await chat.button("Stop").waitFor();
      const cancelled = await sessions.cancel(app.opened[0].id);
      assert.equal(cancelled.status, "cancelled");
      await chat.alert.filter({ hasText: "this chat session was ended" }).waitFor();
      await chat.idle();

      // Its secret opens nothing more; the page asks for another, and the conversation goes on.
      const statuses = [];
      page.on("response", (response) => {
        const isTurn = response.url().endsWith("/v1/chatkit/conversation") && response.request().method() === "POST";
        if (isTurn) statuses.push(response.status());
      });
      await chat.say("hello again");
      assert.deepEqual(statuses.splice(0).slice(0, 2), [401, 200]);
      assert.deepEqual(app.asked, [null, app.opened[0].client_secret]);

      // Ten minutes later the page asks before the secret ends.
      await page.clock.fastForward("10:00");
      await chat.say("still there?");
      assert.equal(app.asked[2], app.opened[1].client_secret);
      assert.ok(!statuses.splice(0).includes(401));
      assert.equal((await threads.list({ user: "grace" })).data.length, 1, "the same conversation all along");

      // Its new secret is over by this clock, which is wrong by now: the server tells when it is. When the app gives no
      // other one, the page says why in the words of the app.
      app.isSignedIn = false;
      await sessions.cancel(app.opened.at(-1).id);
      await chat.input.fill("and now?");
      await chat.input.press("Enter");
      await chat.alert.filter({ hasText: "You have signed out." }).waitFor();
      assert.deepEqual(statuses, [401]);
      await context.close();
    } finally {
      app.stop();
    }
  });
}
