// Runs the journeys and ends with one line of counts. `node run.mjs WORD` runs those whose name has WORD.
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

const started = Date.now();
const counts = { passed: 0, failed: 0, skipped: 0 };
const pattern = process.argv[2];

const stream = run({
  files: [fileURLToPath(new URL("journeys.test.mjs", import.meta.url))],
  timeout: 20 * 60 * 1000,
  ...(pattern && { testNamePatterns: [pattern] }),
});
// The file itself is reported as a test too; only journeys count, unless the file could not run at all.
const isJourney = ({ name }) => !name.endsWith("journeys.test.mjs");
stream.on("test:pass", (event) => {
  if (isJourney(event)) counts[event.skip ? "skipped" : "passed"] += 1;
});
stream.on("test:fail", (event) => {
  if (isJourney(event)) counts.failed += 1;
  process.exitCode = 1;
});
stream.on("end", () => {
  const seconds = Math.round((Date.now() - started) / 1000);
  if (counts.passed + counts.failed === 0) process.exitCode = 1;
  process.once("exit", () => {
    console.log(`e2e: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds} s`);
  });
});
stream.compose(new spec()).pipe(process.stdout);
