// The domain allowlist: pages on unregistered origins are refused until they are added, each reader in their words.
import assert from "node:assert/strict";
import { test } from "node:test";

import { readyChat, signUp, visit } from "../harness/app.mjs";
import { newPerson } from "../harness/browser.mjs";
import { chatOn } from "../harness/chat.mjs";
import { NEVER_REGISTERED, REGISTERED_LATER } from "../harness/stack.mjs";

const refusalOf = (page, origin) => chatOn(page).element.getByText(`not open to the page ${origin}`).first();

/** What a page has written to its console up to now. */
function consoleOf(page) {
  const lines = [];
  page.on("console", (message) => lines.push(message.text()));
  return () => lines.join("\n");
}

export function originJourneys({ stack, browser }) {
  for (const door of ["secret", "custom", "public"]) {
    test(`a page on an unregistered origin is refused in words (${door})`, async () => {
      const { context, page } = await newPerson(browser());
      const told = consoleOf(page);
      const origin = stack().originOn(NEVER_REGISTERED);
      await visit(page, origin, door);
      if (door !== "public") await signUp(page, "Mallory");
      const chat = chatOn(page);
      await chat.element.getByText(`not open to the page ${origin}`).first().waitFor();
      assert.doesNotMatch(await chat.text(), /vestibule/, "a person is told no command");
      const command = door === "public" ? `vestibule token create --origin ${origin} --env test` : `vestibule domain add ${origin} --env test`;
      assert.ok(told().includes(command), `the page's developer is told: ${command}`);
      assert.equal(await chat.answers.count(), 0);
      await context.close();
    });
  }

  test("a page works on the next request after its origin was added", async () => {
    const { context, page } = await newPerson(browser());
    const origin = stack().originOn(REGISTERED_LATER);
    await visit(page, origin, "secret");
    await signUp(page, "Trent");
    await refusalOf(page, origin).waitFor();

    await stack().cli("domain", "add", origin, "--env", "test");
    await page.reload();
    assert.match(await (await readyChat(page)).say("hello"), /\S/);

    await stack().cli("domain", "remove", origin, "--env", "test");
    await page.reload();
    await refusalOf(page, origin).waitFor();
    await context.close();
  });
}
