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
  const visit = async (viewport, run, path = "/") => {
    const server = await startDevelopmentServer();
    try {
      const { context, page, problems } = await newPerson(browser(), { viewport });
      await page.goto(server.url + path);
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
      assert.ok(await page.locator("#door-1 openai-chatkit").evaluate((chat) => chat.getBoundingClientRect().bottom <= window.innerHeight));
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
        await calls.last().getByText("text_delta").first().waitFor();
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

  test("the launcher opens the chat by each of the three doors", () =>
    visit(
      { width: 1000, height: 800 },
      async (page) => {
        for (const name of ["Public token", "Client secret", "Custom endpoint"]) {
          await page.getByLabel(name).check();
          await page.getByRole("button", { name: "Open the chat" }).click();
          const chat = chatOn(page, page.locator("vestibule-launcher"));
          await chat.ready();
          assert.match(await chat.say("hello"), /\S/, name);
          await page.keyboard.press("Escape");
          await page.getByRole("button", { name: "Open the chat" }).waitFor();
        }
        await page.locator("#events").getByText("launcher.close").first().waitFor();
      },
      "/demo/launcher.html",
    ));

  test("the gallery shows every scene, and none of them breaks", () =>
    visit(
      { width: 1280, height: 800 },
      async (page) => {
        const scenes = page.locator("nav button");
        await scenes.nth(40).waitFor();
        const chat = page.locator("openai-chatkit");
        for (const scene of await scenes.all()) {
          const name = await scene.innerText();
          // Refused by the server, or never there: the browser writes those into the console.
          if (/may not come in|cannot be reached|login that has ended/.test(name)) continue;
          await scene.click();
          await chat.locator(".app").waitFor();
          if ((await scene.getAttribute("data-kind")) === "widget") await chat.locator(".widget").first().waitFor({ state: "attached" });
        }
      },
      "/chatkit/gallery",
    ));

  for (const [scheme, width] of [
    ["light", 390],
    ["dark", 768],
  ]) {
    test(`axe finds nothing above minor in any state of the gallery (${scheme}, ${width} pixels)`, async () => {
      const server = await startDevelopmentServer();
      try {
        const { context, page } = await newPerson(browser(), { viewport: { width, height: 900 }, reducedMotion: "reduce" });
        await page.goto(`${server.url}/chatkit/gallery`);
        const scenes = page.locator('nav button:not([data-kind="widget"])');
        await scenes.nth(25).waitFor({ state: "attached" });
        await page.locator("#scheme").selectOption(scheme);
        const names = await scenes.evaluateAll((buttons) => buttons.map((button) => button.dataset.name));
        const findings = [];
        for (const name of names) {
          await page.evaluate((wanted) => [...document.querySelectorAll("nav button")].find((button) => button.dataset.name === wanted).click(), name);
          const chat = page.locator("openai-chatkit");
          await chat.locator(".app").waitFor();
          await page.evaluate(() => new Promise((resolve) => window.requestAnimationFrame(() => window.requestAnimationFrame(resolve))));
          for (const finding of await seriousFindings(page, { impacts: ["moderate", "serious", "critical"], within: "openai-chatkit" })) findings.push(`${name}: ${finding}`);
          if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${scheme}-${width}-${name.replaceAll(/\W+/g, "-")}.png` });
        }
        assert.ok(names.length >= 25, `${names.length} states`);
        assert.deepEqual(findings, []);
        await context.close();
      } finally {
        await server.stop();
      }
    });
  }

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
