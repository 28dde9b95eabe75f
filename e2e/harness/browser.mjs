// Chromium, and a fresh browser context for each person.
import { chromium } from "playwright-core";

import { NEVER_REGISTERED, REGISTERED_LATER } from "./stack.mjs";

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // The pages' other origins are this machine too.
  `--host-resolver-rules=MAP ${REGISTERED_LATER} 127.0.0.1, MAP ${NEVER_REGISTERED} 127.0.0.1`,
];

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
}

/**
 * A person with a browser of their own. `problems` collects what the console reports as errors and
 * what scripts throw; a journey that expects none asserts that it is empty.
 */
export async function newPerson(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 900 }, ...options });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const problems = [];
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(String(error)));
  return { context, page, problems };
}
