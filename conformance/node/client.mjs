// The official SDK with the server under test, and a turn as a page runs it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import OpenAI from "openai";

/** The workflow that the server under test has. */
export const WORKFLOW = "id";

/** The SDK with this key; nothing is tried twice, so that every refusal shows. */
export function clientWith(apiKey) {
  return new OpenAI({ apiKey, baseURL: process.env.TEST_API_BASE_URL, maxRetries: 0 });
}

export const openai = clientWith(process.env.TEST_API_KEY);
export const { sessions, threads } = openai.beta.chatkit;

/** A user of this test alone, so that tests do not meet. */
export const freshUser = () => `user-${randomUUID()}`;

/** Opens a session for this user. */
export function open(user, rest = {}) {
  return sessions.create({ user, workflow: { id: WORKFLOW }, ...rest });
}

/** Sends a ChatKit request with a client secret and returns the stream of events. */
export function converse(secret, body) {
  return clientWith(secret).post("/chatkit/conversation", { body, stream: true });
}

/** The request that begins a thread. */
export const question = (text) => ({
  type: "threads.create",
  params: { input: { content: [{ type: "input_text", text }], attachments: [], inference_options: {} } },
});

/** Runs a turn in a new thread and returns the thread's id, the items that were saved, and all events. */
export async function ask(secret, text) {
  const events = [];
  for await (const event of await converse(secret, question(text))) events.push(event);
  const created = events.find((event) => event.type === "thread.created");
  assert.ok(created, `no thread was created: ${JSON.stringify(events)}`);
  const items = events.filter((event) => event.type === "thread.item.done").map((event) => event.item);
  return { id: created.thread.id, items, events };
}

/** What a promise is refused with; it must be of this class. */
export async function refusal(promise, Class) {
  const error = await Promise.resolve(promise).then(
    (answer) => assert.fail(`expected a refusal, got ${JSON.stringify(answer)}`),
    (reason) => reason,
  );
  assert.ok(error instanceof Class, `expected ${Class.name}, got ${error}`);
  return error;
}

/** All entries of a list, page after page. */
export async function all(pages) {
  const entries = [];
  for await (const entry of pages) entries.push(entry);
  return entries;
}
