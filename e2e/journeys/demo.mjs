// What a newcomer sees: `vestibule serve --dev` and the page at `/` with its three doors.
import assert from "node:assert/strict";
import { test } from "node:test";

import { newPerson } from "../harness/browser.mjs";
import { chatOn } from "../harness/chat.mjs";
import { startDevelopmentServer } from "../harness/stack.mjs";
import { seriousFindings } from "./accessibility.mjs";

/** Parts of credentials that nobody should read on a screen. */
const CREDENTIAL = /eyJ[\w-]+\.eyJ|\b(?:ek|sk)_\w{12}/;

export function demoJourneys({ browser }) {
  const visit = async (viewport, run) => {
    const server = await startDevelopmentServer();
    try {
      const { context, page, problems } = await newPerson(browser(), { viewport });
      await page.goto(server.url);
      await run(page, server);
      assert.deepEqual(await seriousFindings(page), []);
      assert.deepEqual(problems, []);
      await context.close();
    } finally {
      await server.stop();
    }
  };
  const door = (page, number) => chatOn(page, page.locator(`#door-${number}`));

  test("a newcomer chats through each of the three doors of the demo page, and reads what happens", () =>
    visit({ width: 1280, height: 800 }, async (page) => {
      // The first thing seen is a chat that can be used.
      await door(page, 1).ready();
      assert.ok(await page.locator("#door-1 openai-chatkit").evaluate((chat) => chat.getBoundingClientRect().bottom <= innerHeight));
      const calls = page.locator("#wire .call");
      for (const [number, address, code] of [
        [1, "/api/chatkit/start", "getClientSecret"],
        [2, "/api/chatkit/visitor", "clientToken"],
        [3, "/api/chat", "domainKey"],
      ]) {
        await page.locator(`#tab-${number}`).click();
        const chat = door(page, number);
        await chat.ready();
        assert.match(await chat.say("hello"), /\S/, `door ${number}`);
        await calls.filter({ hasText: address }).first().waitFor();
        await calls.last().getByText("text_delta").waitFor();
        assert.doesNotMatch(await page.locator("#wire").innerText(), CREDENTIAL);
        assert.ok(!CREDENTIAL.test(await page.locator("#wire").evaluate((list) => list.outerHTML)));
        for (const kind of ["React", "Plain", "Vue"]) {
          await page.getByRole("button", { name: kind, exact: true }).click();
          assert.ok((await page.locator("#code").innerText()).includes(code), `door ${number}, ${kind}`);
        }
      }
    }));

  test("a reload of the demo page comes back to the conversation of each door", () =>
    visit({ width: 1280, height: 800 }, async (page) => {
      for (const number of [1, 2, 3]) {
        await page.locator(`#tab-${number}`).click();
        await door(page, number).ready();
        await door(page, number).say(`hello by door ${number}`);
      }
      await page.reload();
      for (const number of [3, 2, 1]) {
        await page.locator(`#tab-${number}`).click();
        await door(page, number).log.getByText(`hello by door ${number}`).first().waitFor();
      }
      // Somebody else begins anew.
      await page.locator("#choices").getByRole("button").nth(1).click();
      await page.locator("#door-1").getByText("What would you like to try?").waitFor();
    }));

  test("the demo page is a chat first on a phone, with the wire and the code a touch away", () =>
    visit({ width: 390, height: 844 }, async (page) => {
      const chat = door(page, 1);
      await chat.ready();
      assert.match(await chat.say("hello"), /\S/);
      await page.getByRole("button", { name: "On the wire" }).click();
      await page.locator("#wire").getByText("/v1/chatkit/conversation").first().waitFor();
      await page.getByRole("button", { name: "Code", exact: true }).click();
      await page.locator("#code").getByText("useChatKit").first().waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
      await page.getByRole("button", { name: "Chat", exact: true }).click();
      await chat.ready();
    }));
}
