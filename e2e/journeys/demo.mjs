// What a newcomer sees: `vestibule serve --dev` and the page at `/` with its three doors.
import assert from "node:assert/strict";
import { test } from "node:test";

import { newPerson } from "../harness/browser.mjs";
import { chatOn } from "../harness/chat.mjs";
import { startDevelopmentServer } from "../harness/stack.mjs";
import { seriousFindings } from "./accessibility.mjs";

export function demoJourneys({ browser }) {
  test("a newcomer chats through each of the three doors of the demo page", async () => {
    const server = await startDevelopmentServer();
    try {
      const { context, page, problems } = await newPerson(browser(), { viewport: { width: 1500, height: 1000 } });
      await page.goto(server.url);
      await page.locator("#choices").getByRole("button").first().click();
      const doors = page.locator(".door");
      assert.equal(await doors.count(), 3);
      for (let index = 0; index < 3; index += 1) {
        const chat = chatOn(page, doors.nth(index));
        await chat.ready();
        assert.match(await chat.say("hello"), /\S/, `door ${index + 1}`);
      }
      assert.deepEqual(await seriousFindings(page), []);
      assert.deepEqual(problems, []);
      await context.close();
    } finally {
      await server.stop();
    }
  });
}
