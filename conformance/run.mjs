// Starts one real Vestibule and runs the suites against it: `node run.mjs [python] [node] [rust]`, all of them
// when none is named. Ends with one line of counts; expected-failures.txt says what may fail.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run as runTests } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

import { freePort, Service } from "../e2e/harness/process.mjs";
import { binary } from "../e2e/harness/stack.mjs";
import { judge, readList } from "./judge.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));

/** The key that the official Python tests use. It comes in as any operator's existing key does. */
const API_KEY = "My API Key";

/** Each suite: how many cases it must have, and how it runs. It returns `[{ id, outcome }]`. */
const SUITES = {
  python: { count: 125, run: runPython },
  node: { count: undefined, run: runNode },
  rust: { count: undefined, run: runRust },
};

const started = Date.now();
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in SUITES));
if (unknown !== undefined) {
  console.error(`there is no suite ${unknown}; there are ${Object.keys(SUITES).join(", ")}`);
  process.exit(2);
}
const names = wanted.length > 0 ? wanted : Object.keys(SUITES);

const folder = await mkdtemp(join(tmpdir(), "vestibule-conformance-"));
const outcomes = [];
let server;
// However the run is ended, the server that it started ends with it.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, async () => {
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
    process.exit(1);
  });
}
process.stdout.on("error", () => process.kill(process.pid, "SIGTERM")); // nobody reads any more
try {
  server = await startServer();
  for (const suite of names) {
    console.log(`\n== ${suite}`);
    for (const case_ of await SUITES[suite].run()) outcomes.push({ suite, ...case_ });
  }
} finally {
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
}

const problems = judge(outcomes, {
  counts: Object.fromEntries(names.map((name) => [name, SUITES[name].count])),
  expectedFailures: readList(await readFile(join(HERE, "expected-failures.txt"), "utf8")),
});
if (problems.length > 0) {
  process.exitCode = 1;
  console.log(`\n--- vestibule\n${server.output}\n---`);
  for (const problem of problems) console.log(`problem: ${problem}`);
}
const count = (suite, outcome) => outcomes.filter((one) => one.suite === suite && one.outcome === outcome).length;
const line = names.map((name) => `${name} ${count(name, "passed")} passed, ${count(name, "failed")} failed`).join("; ");
console.log(`conformance: ${line}; ${problems.length} problems in ${Math.round((Date.now() - started) / 1000)} s`);

/** Vestibule as an operator runs it, with the workflow that the official tests name, and their key. */
async function startServer() {
  const port = await freePort();
  const config = join(folder, "vestibule.toml");
  const database = `sqlite://${join(folder, "vestibule.db")}`;
  const text = JSON.stringify; // a JSON string is a TOML string
  await writeFile(
    config,
    `[server]
listen = "127.0.0.1:${port}"
signing_key_file = ${text(join(folder, "signing.key"))}

[storage]
url = ${text(database)}

[[models]]
id = "demo"
kind = "demo"

[[workflows]]
id = "id"
version = "version"
instructions = "You answer in one sentence."
user_context = "Plan: {{plan}}"
`,
  );
  const vestibule = binary("vestibule", "VESTIBULE_BIN");
  await execute(vestibule, ["migrate", "--config", config]);
  // The tests' own key is no secret, so it is taken in for trying out only.
  const weak = ["--weak", "--env", "test"];
  await execute(vestibule, ["key", "import", "--config", config, ...weak], { input: API_KEY });
  const seed = binary("conformance-seed", "CONFORMANCE_SEED");
  await execute(seed, [database]);
  Object.assign(process.env, {
    TEST_API_BASE_URL: `http://127.0.0.1:${port}/v1`,
    TEST_API_KEY: API_KEY,
    CONFORMANCE_SEED: seed,
    CONFORMANCE_DATABASE: database,
    CONFORMANCE_OUTCOMES: join(folder, "outcomes.jsonl"),
  });
  return Service.start("vestibule", vestibule, ["serve", "--config", config], {
    cwd: folder,
    readyUrl: `http://127.0.0.1:${port}/readyz`,
  });
}

/** The tests in the source distribution of `openai` (PyPI), with their own settings, one at a time. */
async function runPython() {
  const sdk = process.env.VESTIBULE_OPENAI_PYTHON;
  if (!sdk) throw new Error("VESTIBULE_OPENAI_PYTHON is not set: run `make test-deps`, then `make test-conformance`");
  const file = process.env.CONFORMANCE_OUTCOMES;
  await writeFile(file, "");
  await execute(
    join(sdk, "bin/python"),
    ["-m", "pytest", "-o", "addopts=", "-p", "recorder", "-p", "no:cacheprovider", "--tb=short", "--quiet", "tests/api_resources/beta/chatkit"],
    { cwd: join(sdk, "source"), env: { PYTHONPATH: join(HERE, "python"), PYTHONDONTWRITEBYTECODE: "1" }, mayFail: true },
  );
  return (await readFile(file, "utf8")).split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** The official Node SDK, `openai` (npm). */
async function runNode() {
  const found = [];
  const tests = (await readdir(join(HERE, "node"))).filter((name) => name.endsWith(".test.mjs"));
  const stream = runTests({ files: tests.map((name) => join(HERE, "node", name)), timeout: 5 * 60 * 1000 });
  const record = (outcome) => (event) => {
    // A file is reported as a test too; it counts only when it could not run.
    const isFile = event.name.endsWith(".test.mjs");
    if (isFile && (outcome === "passed" || event.details.error?.failureType === "subtestsFailed")) return;
    found.push({ id: event.name, outcome: event.skip === undefined ? outcome : "skipped" });
  };
  stream.on("test:pass", record("passed"));
  stream.on("test:fail", record("failed"));
  stream.compose(new spec()).pipe(process.stdout, { end: false });
  await once(stream, "end");
  return found;
}

/** `async-openai` (crates.io), as its users use it. */
async function runRust() {
  const output = await execute(
    "cargo",
    ["test", "--locked", "--workspace", "--features", "conformance/running-server", "--test", "async_openai"],
    { cwd: ROOT, mayFail: true },
  );
  const lines = output.matchAll(/^test (\S+) \.\.\. (ok|FAILED|ignored)/gm);
  const words = { ok: "passed", FAILED: "failed", ignored: "skipped" };
  return [...lines].map(([, id, word]) => ({ id, outcome: words[word] }));
}

/** Runs a program to its end, shows what it writes, and returns its standard output. */
async function execute(command, args, { input = "", cwd = folder, env = {}, mayFail = false } = {}) {
  const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
    process.stdout.write(text);
  });
  child.stdin.on("error", () => {}); // it may end without having read
  child.stdin.end(input);
  const [code] = await once(child, "close");
  if (code !== 0 && !mayFail) throw new Error(`${command} ${args.join(" ")} failed (${code})`);
  return output;
}
