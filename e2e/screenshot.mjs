// Takes docs/screenshot.png: the React example with a conversation about tasks.
import { fileURLToPath } from "node:url";

import { readyChat, signUp, visit } from "./harness/app.mjs";
import { launch, newPerson } from "./harness/browser.mjs";
import { Stack } from "./harness/stack.mjs";

const target = fileURLToPath(new URL("../docs/screenshot.png", import.meta.url));
const stack = await Stack.start();
const browser = await launch();
try {
  const { page } = await newPerson(browser, {
    viewport: { width: 900, height: 740 },
    deviceScaleFactor: 2,
    colorScheme: "light",
    reducedMotion: "reduce",
  });
  await visit(page, stack.appUrl, "custom");
  await signUp(page, "Ada");
  const chat = await readyChat(page);
  await chat.say("add a task: buy milk");
  await chat.say("add a task: call Bob about Friday");
  await chat.say("complete task 1");
  await chat.say("list my tasks");
  // Read again from the server, a conversation opens at its end instead of at the last question.
  await page.reload();
  const [title] = await chat.historyTitles(1);
  await chat.closeHistory();
  await chat.openFromHistory(title);
  await chat.answers.last().waitFor();
  await page.mouse.move(0, 0);
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: target });
  console.log(`written: ${target}`);
} finally {
  await browser.close();
  await stack.stop();
}
