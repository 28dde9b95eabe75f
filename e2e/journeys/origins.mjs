// The domain allowlist: pages on unregistered origins are refused in words, until they are added.
import assert from "node:assert/strict";
import { test } from "node:test";

import { readyChat, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";
import { chatOn } from "../harness/chat.mjs";
import { NEVER_REGISTERED, REGISTERED_LATER } from "../harness/stack.mjs";

export function originJourneys({ stack, browser }) {
  for (const door of ["secret", "custom", "public"]) {
    test(`a page on an unregistered origin is refused in words (${door})`, async () => {
      const { context, page } = await newPerson(browser());
      const origin = stack().originOn(NEVER_REGISTERED);
      await visit(page, origin, door);
      if (door !== "public") await signUp(page, "Mallory");
      const chat = chatOn(page);
      await chat.element.getByText("vestibule domain add").first().waitFor();
      const words = await chat.text();
      assert.ok(words.includes(origin), "it says which origin came");
      assert.match(words, /vestibule domain add http:\S+ --env (live|test)/, "it says what would allow the page");
      assert.equal(await chat.answers.count(), 0);
      await context.close();
    });
  }

  test("a page works on the next request after its origin was added", async () => {
    const { context, page } = await newPerson(browser());
    const origin = stack().originOn(REGISTERED_LATER);
    await visit(page, origin, "secret");
    await signUp(page, "Trent");
    await chatOn(page).element.getByText(/vestibule domain add/).first().waitFor();

    await stack().cli("domain", "add", origin, "--env", "test");
    await page.reload();
    assert.match(await (await readyChat(page)).say("hello"), /\S/);

    await stack().cli("domain", "remove", origin, "--env", "test");
    await page.reload();
    await chatOn(page).element.getByText(/vestibule domain add/).first().waitFor();
    await context.close();
  });
}
