// Threads: what a turn saved is read back, page after page, and removed.
import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { all, ask, freshUser, open, refusal, threads } from "./client.mjs";

const seconds = (text) => Math.floor(Date.parse(text) / 1000);
const ids = (entries) => entries.map((entry) => entry.id);

test("a conversation is read back", async () => {
  const user = freshUser();
  const { client_secret: secret } = await open(user);
  const { id, items, events } = await ask(secret, "What is the weather?");
  const created = events.find((event) => event.type === "thread.created").thread;

  const thread = await threads.retrieve(id);
  const { title, ...rest } = thread;
  assert.deepEqual(rest, {
    id,
    object: "chatkit.thread",
    created_at: seconds(created.created_at),
    status: { type: "active" },
    user,
  });
  assert.ok(title === null || typeof title === "string");
  assert.deepEqual((await threads.list({ user })).data, [thread]);

  const [asked, said] = items;
  const head = (item) => ({
    id: item.id,
    object: "chatkit.thread_item",
    created_at: seconds(item.created_at),
    thread_id: id,
  });
  const page = await threads.listItems(id, { order: "asc" });
  assert.equal(page.has_more, false);
  const [first, last] = page.data;
  assert.deepEqual(first, {
    ...head(asked),
    type: "chatkit.user_message",
    content: [{ type: "input_text", text: "What is the weather?" }],
    attachments: [],
    inference_options: first.inference_options,
  });
  assert.ok(["null", '{"model":null,"tool_choice":null}'].includes(sorted(first.inference_options)));
  assert.deepEqual(last, {
    ...head(said),
    type: "chatkit.assistant_message",
    content: [{ type: "output_text", text: said.content[0].text, annotations: [] }],
  });
  assert.ok(said.content[0].text.length > 0);
});

/** JSON with the fields in order. */
function sorted(value) {
  return JSON.stringify(value, value === null ? undefined : Object.keys(value).sort());
}

test("each kind of item has the schema's form, and what is hidden stays hidden", async () => {
  const thread_id = "cthr_123"; // what is in it: rust/src/thread.json
  const head = (id, created_at) => ({ id, object: "chatkit.thread_item", created_at: seconds(created_at), thread_id });
  const { data } = await threads.listItems(thread_id, { order: "asc" });
  // The link to a picture is made anew for whoever reads, and ends.
  const { preview_url } = data[0].attachments[1];
  assert.match(preview_url, /\/v1\/chatkit\/files\/cfile_2\/content\?expires=\d+&signature=[\w-]+$/);
  assert.deepEqual(data, [
    {
      ...head("cti_1", "2026-01-23T16:15:25Z"),
      type: "chatkit.user_message",
      content: [
        { type: "quoted_text", text: "three nights near the river" },
        { type: "input_text", text: "Plan three days in Lisbon." },
      ],
      attachments: [
        { type: "file", id: "cfile_1", name: "itinerary.pdf", mime_type: "application/pdf", preview_url: null },
        { type: "image", id: "cfile_2", name: "map.png", mime_type: "image/png", preview_url },
      ],
      inference_options: { tool_choice: { id: "search" }, model: "fast" },
    },
    {
      ...head("cti_3", "2026-01-23T16:15:26Z"),
      type: "chatkit.task_group",
      tasks: [
        { type: "custom", heading: "Look at the map", summary: "Two hills, one river." },
        { type: "thought", heading: "Trains or trams?", summary: "Trams." },
      ],
    },
    {
      ...head("cti_4", "2026-01-23T16:15:27Z"),
      type: "chatkit.task",
      task_type: "custom",
      heading: "Book a hotel",
      summary: "Near the river.",
    },
    {
      ...head("cti_5", "2026-01-23T16:15:27Z"),
      type: "chatkit.client_tool_call",
      status: "completed",
      call_id: "call_1",
      name: "show_map",
      arguments: '{"city":"Lisbon"}',
      output: '{"shown":true}',
    },
    {
      ...head("cti_6", "2026-01-23T16:15:28Z"),
      type: "chatkit.widget",
      widget: '{"type":"Card","children":[{"type":"Text","value":"Lisbon"}]}',
    },
    {
      ...head("cti_7", "2026-01-23T16:15:28Z"),
      type: "chatkit.assistant_message",
      content: [
        {
          type: "output_text",
          text: "Take the tram up, and walk down.",
          annotations: [
            { type: "url", source: { type: "url", url: "https://example.com/trams" } },
            { type: "file", source: { type: "file", filename: "itinerary.pdf" } },
          ],
        },
      ],
    },
  ]);
});

test("threads are listed page after page, in both orders and between two of them", async () => {
  const user = freshUser();
  const { client_secret: secret } = await open(user);
  const made = [];
  for (const text of ["One", "Two", "Three", "Four", "Five"]) made.push((await ask(secret, text)).id);
  const newestFirst = made.toReversed();

  assert.deepEqual(ids(await all(threads.list({ user, limit: 2 }))), newestFirst);
  assert.deepEqual(ids(await all(threads.list({ user, limit: 2, order: "asc" }))), made);

  const body = await (await threads.list({ user, limit: 2 }).asResponse()).json();
  const [first_id, last_id] = newestFirst;
  assert.deepEqual({ ...body, data: ids(body.data) }, { object: "list", data: [first_id, last_id], first_id, last_id, has_more: true });
  const page = await threads.list({ user, limit: 2 });
  const next = await page.getNextPage();
  assert.deepEqual(ids(next.data), newestFirst.slice(2, 4));

  assert.deepEqual(ids((await threads.list({ user, after: newestFirst[1] })).data), newestFirst.slice(2));
  assert.deepEqual(ids((await threads.list({ user, before: newestFirst[2] })).data), newestFirst.slice(0, 2));
  assert.deepEqual((await threads.list({ user, limit: 0 })).data, []);
  assert.deepEqual((await threads.list({ user: freshUser() })).data, []);
});

test("items are listed page after page", async () => {
  const { client_secret: secret } = await open(freshUser());
  const { id, items } = await ask(secret, "Hello");
  const saved = ids(items);
  assert.ok(saved.length >= 2, `a question and an answer: ${saved}`);
  assert.deepEqual(ids(await all(threads.listItems(id, { limit: 1, order: "asc" }))), saved);
  assert.deepEqual(ids(await all(threads.listItems(id, { limit: 1 }))), saved.toReversed());
  assert.deepEqual(ids((await threads.listItems(id, { after: saved[0], order: "asc" })).data), saved.slice(1));
});

test("a deleted thread is gone", async () => {
  const user = freshUser();
  const { client_secret: secret } = await open(user);
  const kept = await ask(secret, "Keep this");
  const { id } = await ask(secret, "Forget this");
  assert.deepEqual(await threads.delete(id), { id, object: "chatkit.thread.deleted", deleted: true });
  assert.deepEqual(ids((await threads.list({ user })).data), [kept.id]);
  for (const call of [() => threads.retrieve(id), () => threads.delete(id), () => threads.listItems(id)]) {
    const error = await refusal(call(), OpenAI.NotFoundError);
    assert.equal(error.type, "invalid_request_error");
  }
});

test("a list is refused with the parameter that is wrong", async () => {
  for (const [query, param] of [
    [{ limit: 101 }, "limit"],
    [{ limit: -1 }, "limit"],
    [{ order: "sideways" }, "order"],
    [{ user: "" }, "user"],
    [{ user: "x".repeat(513) }, "user"],
  ]) {
    const error = await refusal(threads.list(query), OpenAI.BadRequestError);
    assert.equal(error.param, param);
  }
});
