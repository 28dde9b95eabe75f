// All journeys, in one process, so that everything is started once.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { launch } from "./harness/browser.mjs";
import { Stack } from "./harness/stack.mjs";
import { accessibilityJourneys } from "./journeys/accessibility.mjs";
import { accountJourneys } from "./journeys/account.mjs";
import { askingJourneys } from "./journeys/asking.mjs";
import { demoJourneys } from "./journeys/demo.mjs";
import { fileJourneys } from "./journeys/files.mjs";
import { firefoxJourneys } from "./journeys/firefox.mjs";
import { hostedJourneys } from "./journeys/hosted.mjs";
import { isolationJourneys } from "./journeys/isolation.mjs";
import { originJourneys } from "./journeys/origins.mjs";
import { policyJourneys } from "./journeys/policy.mjs";
import { runJourneys } from "./journeys/runs.mjs";
import { secretJourneys } from "./journeys/secret.mjs";
import { threadJourneys } from "./journeys/threads.mjs";
import { visitorJourneys } from "./journeys/visitor.mjs";
import { webkitJourneys } from "./journeys/webkit.mjs";

let stack;
let browser;

before(async () => {
  [stack, browser] = await Promise.all([Stack.start(), launch()]);
});

after(async () => {
  await browser?.close();
  if (process.env.E2E_LOGS === "1") console.log(stack?.logs);
  assert.deepEqual(await stack?.stop(), [], "every service stopped when it was asked to");
});

const world = { stack: () => stack, browser: () => browser };
accountJourneys(world);
askingJourneys(world);
threadJourneys(world);
runJourneys(world);
fileJourneys(world);
secretJourneys(world);
hostedJourneys(world);
isolationJourneys(world);
visitorJourneys(world);
originJourneys(world);
policyJourneys(world);
accessibilityJourneys(world);
demoJourneys(world);
firefoxJourneys();
webkitJourneys();
