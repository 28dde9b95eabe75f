// Sessions: created with every field and with none, cancelled, refused.
import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { ask, clientWith, converse, freshUser, open, openai, question, refusal, sessions, WORKFLOW } from "./client.mjs";

const now = () => Math.floor(Date.now() / 1000);

test("a session has the defaults of the schema", async () => {
  const user = freshUser();
  const before = now();
  const session = await open(user);
  const after = now();

  const { id, client_secret: secret, expires_at: expiresAt, ...rest } = session;
  assert.match(id, /^cksess_\w+$/);
  assert.match(secret, /^ek_/);
  assert.ok(before + 600 <= expiresAt && expiresAt <= after + 600, `ten minutes from now, not ${expiresAt - before} s`);
  assert.deepEqual(rest, {
    object: "chatkit.session",
    workflow: { id: WORKFLOW, version: null, state_variables: null, tracing: { enabled: true } },
    user,
    rate_limits: { max_requests_per_1_minute: 10 },
    max_requests_per_1_minute: 10,
    status: "active",
    chatkit_configuration: {
      automatic_thread_titling: { enabled: true },
      file_upload: { enabled: false, max_file_size: 512, max_files: 10 },
      history: { enabled: true, recent_threads: null },
    },
  });
});

test("a client secret says when it ends", async () => {
  const session = await open(freshUser());
  const claims = JSON.parse(Buffer.from(session.client_secret.split("_00").at(-1), "base64"));
  assert.equal(claims.expires_at, session.expires_at);
});

test("a session has what it was asked for", async () => {
  const user = freshUser();
  const before = now();
  const session = await sessions.create({
    user,
    workflow: {
      id: WORKFLOW,
      version: "version",
      state_variables: { plan: "free", seats: 3, trial: true, ratio: 0.5 },
      tracing: { enabled: false },
    },
    expires_after: { anchor: "created_at", seconds: 60 },
    rate_limits: { max_requests_per_1_minute: 3 },
    chatkit_configuration: {
      automatic_thread_titling: { enabled: false },
      file_upload: { enabled: true, max_file_size: 2, max_files: 4 },
      history: { enabled: true, recent_threads: 5 },
    },
  });
  assert.ok(session.expires_at - before >= 60 && session.expires_at - now() <= 60);
  assert.deepEqual(session.workflow, {
    id: WORKFLOW,
    version: "version",
    state_variables: { plan: "free", seats: 3, trial: true, ratio: 0.5 },
    tracing: { enabled: false },
  });
  assert.deepEqual(session.rate_limits, { max_requests_per_1_minute: 3 });
  assert.equal(session.max_requests_per_1_minute, 3);
  assert.deepEqual(session.chatkit_configuration, {
    automatic_thread_titling: { enabled: false },
    file_upload: { enabled: true, max_file_size: 2, max_files: 4 },
    history: { enabled: true, recent_threads: 5 },
  });
});

test("a cancelled session takes no more requests", async () => {
  const session = await open(freshUser());
  await ask(session.client_secret, "Hello");
  const cancelled = await sessions.cancel(session.id);
  assert.deepEqual(cancelled, { ...session, status: "cancelled", client_secret: "" });
  await refusal(converse(session.client_secret, question("Hello?")), OpenAI.AuthenticationError);
  const again = await sessions.cancel(session.id);
  assert.equal(again.status, "cancelled");
});

test("a session's own rate limit is kept, and says when to come back", async () => {
  const session = await open(freshUser(), { rate_limits: { max_requests_per_1_minute: 1 } });
  await ask(session.client_secret, "One");
  const error = await refusal(converse(session.client_secret, question("Two")), OpenAI.RateLimitError);
  assert.equal(error.status, 429);
  const seconds = Number(error.headers.get("retry-after"));
  assert.ok(1 <= seconds && seconds <= 60, `Retry-After: ${seconds}`);
});

for (const [name, body, param, code] of [
  ["no user", { workflow: { id: WORKFLOW } }, "user", "missing_required_parameter"],
  ["no workflow", { user: "x" }, "workflow", "missing_required_parameter"],
  ["an empty user", { user: "", workflow: { id: WORKFLOW } }, "user"],
  ["a lifetime of more than ten minutes", { user: "x", workflow: { id: WORKFLOW }, expires_after: { anchor: "created_at", seconds: 601 } }, "expires_after.seconds"],
  ["a lifetime of nothing", { user: "x", workflow: { id: WORKFLOW }, expires_after: { anchor: "created_at", seconds: 0 } }, "expires_after.seconds"],
  ["no request a minute", { user: "x", workflow: { id: WORKFLOW }, rate_limits: { max_requests_per_1_minute: 0 } }, "rate_limits.max_requests_per_1_minute"],
  ["a file size beyond the bound", { user: "x", workflow: { id: WORKFLOW }, chatkit_configuration: { file_upload: { max_file_size: 513 } } }, "chatkit_configuration.file_upload.max_file_size"],
]) {
  test(`a session is refused: ${name}`, async () => {
    const error = await refusal(sessions.create(body), OpenAI.BadRequestError);
    assert.equal(error.type, "invalid_request_error");
    assert.equal(error.param, param);
    if (code !== undefined) assert.equal(error.code, code);
  });
}

test("an unknown workflow, and an unknown version of a known one", async () => {
  for (const workflow of [{ id: "wf_nowhere" }, { id: WORKFLOW, version: "nowhere" }]) {
    const error = await refusal(sessions.create({ user: "x", workflow }), OpenAI.NotFoundError);
    assert.ok(error.message.includes(workflow.id), error.message);
  }
});

test("a session that is not there cannot be cancelled", async () => {
  const unknown = await refusal(sessions.cancel("cksess_nowhere"), OpenAI.NotFoundError);
  assert.ok(unknown.message.includes("cksess_nowhere"), unknown.message);
  const malformed = await refusal(sessions.cancel("id"), OpenAI.BadRequestError);
  assert.equal(malformed.param, "session_id");
  assert.equal(malformed.code, "invalid_value");
});

test("another key, and no key, are refused", async () => {
  const wrong = await refusal(
    clientWith("sk-of-somebody-else").beta.chatkit.sessions.create({ user: "x", workflow: { id: WORKFLOW } }),
    OpenAI.AuthenticationError,
  );
  assert.equal(wrong.code, "invalid_api_key");
  assert.ok(!wrong.message.includes("sk-of-somebody-else"), wrong.message);
  await refusal(openai.get("/chatkit/threads", { headers: { Authorization: null } }), OpenAI.AuthenticationError);
});

test("a client secret is no server key", async () => {
  const session = await open(freshUser());
  const { threads } = clientWith(session.client_secret).beta.chatkit;
  await refusal(threads.list(), OpenAI.AuthenticationError);
});
