"""Agents that do what they should not: a person reads words all the same, the operator a line, and nobody what is another's."""

import asyncio
import gzip
import json

import pytest
from conftest import added, assistant, delta, done, item, widget
from harness import message, thread_of

BROKEN = "The answer broke off. What came so far is kept; try again."
REFUSED = "The assistant refused this server's request. Please tell whoever runs this chat."
UNAVAILABLE = "The assistant cannot be reached at the moment. Try again in a little while."
LATE = "The assistant did not answer in time. What came so far is kept; try again."
SILENT = "The assistant gave no answer. Try again, or put the question differently."
TOO_LONG = "The answer has grown longer than it may. What came so far is kept."


def said(events):
    return [part["text"] for event in events if event["type"] == "thread.item.done" and event["item"]["type"] == "assistant_message"
            for part in event["item"]["content"]]


async def nothing(call, out):
    """Closes without a word."""


async def never(call, out):
    await out.closed()


async def never_after_a_word(call, out):
    await out.head()
    await out.say(added(assistant("Well")))
    await out.closed()


async def dies(call, out):
    await out.head()
    await out.say(added(assistant("Half a ")), delta("word"))


async def page(call, out):
    await out.head(kind="text/html")
    await out.chunk(b"<!doctype html><title>Welcome</title>")
    await out.end()


async def failing(call, out):
    await out.head("500 Internal Server Error", "text/plain")
    await out.chunk(b"Traceback: what nobody should read")
    await out.end()


async def unauthorised(call, out):
    await out.head("401 Unauthorized", "text/plain")
    await out.end()


async def elsewhere(call, out):
    await out.head("307 Temporary Redirect", more="Location: http://127.0.0.1:9/\r\n")
    await out.end()


async def empty(call, out):
    await out.answer()


async def nonsense(call, out):
    await out.head()
    await out.chunk(b"data: {\n\ndata: 7\n\ndata: {\"type\":\"thread.exploded\"}\n\nhello\n\n")
    await out.end()


async def not_utf8(call, out):
    await out.head()
    broken = json.dumps(done("BROKEN", "m1")).encode().replace(b"BROKEN", b"\xff\xfe\x80")
    await out.chunk(b"data: " + broken + b"\n\n")
    await out.end()


async def huge(call, out):
    await out.head()
    await out.say(done("x" * (5 << 20)))
    await out.end()


async def long(call, out):
    await out.head()
    await out.say(added(assistant("")))
    for _ in range(40):
        await out.say(delta("y" * 50_000))
    await out.end()


async def packed_somehow(call, out):
    await out.head(more="Content-Encoding: x-squash\r\n")
    await out.chunk(b"\x1f\x00squashed\n\n" * 10)
    await out.end()


async def no_http(call, out):
    await out.write(b"SSH-2.0-OpenSSH_9.2\r\n")


async def endless_head(call, out):
    await out.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(3000):
        await out.write(b"X-More: " + b"z" * 1000 + b"\r\n")
    await out.closed()


@pytest.mark.parametrize(("behave", "words", "line"), [
    (nothing, UNAVAILABLE, "the agent is unavailable"),
    (never, LATE, "the agent did not answer in time"),
    (never_after_a_word, LATE, "the agent did not answer in time"),
    (dies, BROKEN, "the agent's answer could not be read"),
    (page, REFUSED, "text/html"),
    (failing, UNAVAILABLE, "500 Internal Server Error"),
    (unauthorised, REFUSED, "401 Unauthorized"),
    (elsewhere, REFUSED, "307 Temporary Redirect"),
    (empty, SILENT, "said nothing"),
    (nonsense, SILENT, "no event that is known"),
    (huge, BROKEN, "the agent's answer could not be read"),
    (long, TOO_LONG, "longer than it may"),
    (packed_somehow, SILENT, "said nothing"),
    (no_http, UNAVAILABLE, "the agent is unavailable"),
    (endless_head, UNAVAILABLE, "the agent is unavailable"),
], ids=lambda value: getattr(value, "__name__", ""))
async def test_a_person_reads_words_and_the_operator_a_line(stack, agent, behave, words, line):
    agent.behave = behave
    before = len(stack.log())
    person = stack.person()
    events = await asyncio.wait_for(person.say("Hi"), 15)
    assert events[-1]["type"] == "error", events[-1]
    assert events[-1]["message"] == words
    assert "nobody should read" not in json.dumps(events)
    told = stack.log()[before:]
    assert line in told, told
    # It is a conversation still: the next answer comes.
    async def fine(call, out):
        await out.answer(done("Fine."))
    agent.behave = fine
    assert said(await person.say("Again", thread_of(events))) == ["Fine."]


async def test_bytes_that_are_no_text_cost_nobody_the_rest(stack, agent):
    agent.behave = not_utf8
    [answer] = said(await stack.person().say("Hi"))
    assert answer.strip("\ufffd") == "" and answer != "", answer


async def test_a_packed_answer_is_unpacked(stack, agent):
    async def talk(call, out):
        await out.head(more="Content-Encoding: gzip\r\n")
        await out.chunk(gzip.compress(b"data: " + json.dumps(done("Packed")).encode() + b"\n\n"))
        await out.end()

    agent.behave = talk
    assert said(await stack.person().say("Hi")) == ["Packed"]


async def test_nobody_at_the_address_is_said_as_well(stack):
    before = len(stack.log())
    events = await stack.person(workflow="wf_nobody").say("Hi")
    assert events[-1]["message"] == UNAVAILABLE
    assert "the agent is unavailable" in stack.log()[before:]


async def test_a_hundred_thousand_events_are_an_answer_or_too_long(stack, agent):
    async def talk(call, out):
        await out.head()
        await out.say(added(assistant("")))
        lines = b"".join(b"data: " + json.dumps(delta("ab")).encode() + b"\n\n" for _ in range(1000))
        for _ in range(100):
            await out.chunk(lines)
        await out.say(done("ab" * 100_000))
        await out.end()

    agent.behave = talk
    person = stack.person()
    events = await asyncio.wait_for(person.say("Hi"), 60)
    assert said(events) == ["ab" * 100_000]


@pytest.mark.parametrize("word", [b": still here\n\n", b'data: {"type":"progress_update","text":"Nearly\xe2\x80\xa6"}\n\n'], ids=["comments", "progress"])
async def test_who_talks_without_end_is_ended(stack, agent, word):
    async def talk(call, out):
        await out.head()
        await out.say(added(assistant("So far")))
        while True:
            await out.chunk(word)
            await asyncio.sleep(0.01)

    agent.behave = talk
    person = stack.person(workflow="wf_short")
    events = await asyncio.wait_for(person.say("Hi"), 15)
    assert events[-1]["message"] == "The answer took longer than it may. What came so far is kept; try again."
    assert [one["content"][0]["text"] for one in await person.items(thread_of(events))] == ["Hi", "So far"]


async def test_too_many_items_are_left_out_with_a_line(stack, agent):
    async def talk(call, out):
        await out.answer(*(done(str(count), f"m{count}") for count in range(600)))

    agent.behave = talk
    before = len(stack.log())
    events = await asyncio.wait_for(stack.person().say("Hi"), 60)
    assert len(said(events)) == 500
    assert "more items than it may" in stack.log()[before:]


async def test_names_may_be_anything(stack, agent):
    names = ["a name with spaces", "n" * 300, "../../etc", "é", "' OR 1=1 --", ""]

    async def talk(call, out):
        await out.answer(*(event for name in names for event in [added(assistant("", name)), done(f"Called {name}", name)]))

    agent.behave = talk
    assert said(await stack.person().say("Hi")) == [f"Called {name}" for name in names]


async def test_what_is_another_thread_s_is_out_of_reach(stack, agent):
    async def hello(call, out):
        await out.answer(done("Hers"), done(widget("Hers")))

    agent.behave = hello
    ada, grace = stack.person("ada"), stack.person("grace")
    hers = thread_of(await ada.say("A secret"))
    items = await ada.items(hers)
    message_id, card = items[1]["id"], items[2]["id"]

    async def meddle(call, out):
        content = assistant("Changed", message_id) | {"thread_id": hers}
        root = {"type": "widget.root.updated", "widget": widget("Changed")["widget"]}
        await out.answer(
            {"type": "thread.item.removed", "item_id": message_id},
            {"type": "thread.item.replaced", "item": content},
            {"type": "thread.item.updated", "item_id": card, "update": root},
            delta("Changed", message_id),
            done(content),
            {"type": "thread.updated", "thread": {"id": hers, "title": "Changed", "created_at": "2026-01-01T12:00:00",
                                                  "status": {"type": "active"}, "items": {"data": items, "has_more": False}}},
            {"type": "thread.created", "thread": {"id": hers, "title": "Changed", "created_at": "2026-01-01T12:00:00",
                                                  "status": {"type": "active"}, "items": {"data": items, "has_more": False}}},
        )

    agent.behave = meddle
    events = await grace.say("Hi")
    own = thread_of(events)
    assert hers not in json.dumps(events) and "A secret" not in json.dumps(events)
    assert await ada.items(hers) == items
    _, told = await ada.ask("threads.get_by_id", thread_id=hers)
    assert told.get("title") is None
    # Of the same person's, too: an agent is asked about one thread.
    events = await ada.say("Another")
    assert await ada.items(hers) == items
    # What was said under a name that is not known here is the agent's own item.
    assert [one["thread_id"] for one in await grace.items(own)] == [own, own]
    assert (await grace.items(own))[1]["id"] != message_id


async def test_events_out_of_order_are_left_out(stack, agent):
    async def talk(call, out):
        await out.answer(
            delta("before it began"),
            {"type": "thread.item.removed", "item_id": "m"},
            added(assistant("")),
            {"type": "thread.item.updated", "item_id": "m", "update": {"type": "workflow.task.added", "task_index": 0,
                                                                         "task": {"type": "custom", "title": "No"}}},
            {"type": "thread.item.updated", "item_id": "m", "update": {"type": "assistant_message.content_part.text_delta",
                                                                         "content_index": 4_000_000_000, "delta": "No"}},
            delta("Hello"),
            done("Hello"),
            done("Hello again"),
            delta("after its end"),
        )

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    assert said(events) == ["Hello", "Hello again"]
    assert [one["content"][0]["text"] for one in await person.items(thread_of(events))] == ["Hi", "Hello", "Hello again"]


async def test_patches_of_the_wrong_kind_change_nothing(stack, agent):
    patches = [{"title": 7}, {"metadata": "x"}, {"status": {"type": "asleep"}}, {"status": "locked"}, {"allowed_image_domains": "x"}, 7, None]

    async def talk(call, out):
        await out.answer(*({"type": "thread.patch", "patch": patch} for patch in patches), {"type": "thread.patch"}, done("Hello"))

    agent.behave = talk
    person = stack.person()
    before = len(stack.log())
    events = await person.say("Hi")
    assert [event["type"] for event in events] == ["thread.created", "thread.item.done", "stream_options", "thread.item.done"]
    assert "no event that is known" in stack.log()[before:]


async def test_a_title_and_notes_have_bounds(stack, agent):
    async def talk(call, out):
        await out.answer({"type": "thread.patch", "patch": {"title": "t" * 100_000}},
                         {"type": "thread.patch", "patch": {"metadata": {"big": "m" * 1_000_000}}}, done("Hello"))

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    assert said(events) == ["Hello"]
    _, told = await person.ask("threads.get_by_id", thread_id=thread_of(events))
    assert len(told.get("title") or "") <= 200


async def test_closed_half_way_the_answer_goes_on(stack, agent):
    async def talk(call, out):
        await out.answer(added(assistant("")), {"type": "thread.patch", "patch": {"status": {"type": "closed"}}}, done("To the end"))

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    assert said(events) == ["To the end"]
    status, _ = await person.ask("threads.add_user_message", thread_id=thread_of(events), input=message("More"))
    assert status == 409


@pytest.mark.parametrize(("behave", "status"), [
    (nothing, 424), (never, 424), (page, 424), (failing, 424), (unauthorised, 424), (elsewhere, 424), (no_http, 424),
], ids=lambda value: getattr(value, "__name__", ""))
async def test_what_is_answered_by_a_document_is_refused_in_words(stack, agent, behave, status):
    person = stack.person()
    thread = thread_of(await person.say("Hi"))
    agent.behave = behave
    before = len(stack.log())
    for request, params in [
        ("threads.sync_custom_action", {"thread_id": thread, "action": {"type": "press"}}),
        ("input.transcribe", {"audio_base64": "aGVsbG8=", "mime_type": "audio/webm"}),
    ]:
        told, refusal = await asyncio.wait_for(person.ask(request, **params), 10)
        assert told == status, refusal
        assert "the assistant" in refusal["error"]["message"]
        assert "nobody should read" not in json.dumps(refusal)
    assert stack.log()[before:].count("the agent") >= 2


async def test_an_action_may_answer_with_somebody_else_s_widget(stack, agent):
    async def hello(call, out):
        await out.answer(done(widget("Hers")))

    agent.behave = hello
    ada, grace = stack.person("ada"), stack.person("grace")
    hers, own = thread_of(await ada.say("Hi")), thread_of(await grace.say("Hi"))
    other, card = (await ada.items(hers))[1], (await grace.items(own))[1]

    async def meddle(call, out):
        await out.document({"updated_item": other | {"widget": widget("Changed")["widget"]}})

    agent.behave = meddle
    _, answer = await grace.ask("threads.sync_custom_action", thread_id=own, item_id=card["id"], action={"type": "press"})
    assert answer["updated_item"]["id"] == card["id"] and answer["updated_item"]["thread_id"] == own
    assert (await ada.items(hers))[1] == other

    async def wrong(call, out):
        await out.document({"updated_item": item("assistant_message", card["id"], content=[])})

    agent.behave = wrong
    _, answer = await grace.ask("threads.sync_custom_action", thread_id=own, item_id=card["id"], action={"type": "press"})
    assert answer.get("updated_item") is None
