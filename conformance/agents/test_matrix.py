"""Every request in every state of a thread: answered, or refused with a status, a code and words.

The list of requests is the server's own; one that is forgotten here fails. What waits for consent takes a model with
tools, so that state is held where there is one (`crates/store/tests/conversation/deeds.rs`).
"""

import asyncio
import json
import threading

import pytest
from conftest import added, assistant, done, item
from harness import message, thread_of

STATES = ["active", "locked", "closed", "running", "page", "form", "foreign", "missing"]
NOWHERE = "cthr_0000000000000000000000000000ffff"
NOTHING = "cti_0000000000000000000000000000ffff"
ACTION = {"type": "press", "payload": {}}

OK = (200, None, None)
GONE = (404, "not_found", "this conversation or message does not exist")
NO_TOOL = (409, "conflict", "no tool of this page is waiting")
NO_FORM = (400, "invalid_request", "only a form can be answered")
NO_FILE = (404, "not_found", "this file does not exist")
NO_RUN = (404, "run_not_found", "no answer is running here")
NO_MESSAGE = (400, "invalid_request", "only a user's message can be answered again")
# No new word in it.
OVER = {
    "locked": (409, "conflict", "this conversation is locked: So be it; start a new chat"),
    "closed": (409, "conflict", "this conversation is closed: So be it; start a new chat"),
}
# About no thread.
ANYWHERE = {"foreign": OK, "missing": OK}
# What comes of each request: `OK`, if nothing else is said, and `GONE` where the thread is another's or missing.
EXPECTED = {
    "threads.create": ANYWHERE,
    "threads.list": ANYWHERE,
    "threads.search": ANYWHERE,
    "input.transcribe": ANYWHERE,
    "attachments.create": ANYWHERE,
    "attachments.delete": dict.fromkeys(STATES, NO_FILE),
    "threads.add_user_message": OVER,
    "threads.retry_after_item": {**OVER, "form": NO_MESSAGE},
    "threads.custom_action": OVER,
    "threads.sync_custom_action": OVER,
    "threads.add_client_tool_output": {**dict.fromkeys(STATES, NO_TOOL), "page": OK, "foreign": GONE, "missing": GONE},
    "threads.add_structured_input": {**dict.fromkeys(STATES, NO_FORM), "form": OK, "foreign": GONE, "missing": GONE},
    "threads.resume": {**OVER, "active": NO_RUN, "page": NO_RUN, "form": NO_RUN},
    "threads.cancel": {},
    "threads.get_by_id": {},
    "threads.update": {},
    "threads.delete": {},
    "items.list": {},
    "items.feedback": {},
}


async def test_no_request_is_forgotten(stack):
    status, refusal = await stack.person().ask("threads.explode")
    assert status == 400
    listed = refusal["error"]["message"].partition("send one of: ")[2].split(", ")
    assert sorted(listed) == sorted(EXPECTED)


def params(request, thread, item_id):
    """A request about a thread, as a page would send it."""
    place = {"thread_id": thread}
    return {
        "threads.create": {"input": message("Hello")},
        "threads.list": {"limit": 5},
        "threads.search": {"query": "hello"},
        "input.transcribe": {"audio_base64": "aGVsbG8=", "mime_type": "audio/webm"},
        "attachments.create": {"name": "a.txt", "size": 3, "mime_type": "text/plain"},
        "attachments.delete": {"attachment_id": "cfile_0000000000000000000000000000ffff"},
        "threads.add_user_message": {**place, "input": message("More")},
        "threads.retry_after_item": {**place, "item_id": item_id},
        "threads.custom_action": {**place, "action": ACTION},
        "threads.sync_custom_action": {**place, "action": ACTION},
        "threads.add_client_tool_output": {**place, "result": {}},
        "threads.add_structured_input": {**place, "item_id": item_id, "input": {"status": "skipped", "answers": {}}},
        "threads.cancel": place,
        "threads.resume": place,
        "threads.get_by_id": place,
        "threads.update": {**place, "title": "Mine"},
        "threads.delete": place,
        "items.list": place,
        "items.feedback": {**place, "item_ids": [item_id], "kind": "positive"},
    }[request]


def opening(state):
    """What the agent answers the first message with, so that the thread comes into the state."""
    patch = {"type": "thread.patch", "patch": {"status": {"type": state, "reason": "So be it."}}}
    question = {"type": "freeform", "id": "why", "question": "Why?"}
    return {
        "locked": [done("Hello"), patch],
        "closed": [done("Hello"), patch],
        "page": [done(item("client_tool_call", "t", call_id="t", name="where", arguments={}))],
        "form": [done(item("structured_input", "f", inputs=[question]))],
    }.get(state, [done("Hello")])


async def into(state, person, agent, release):
    """A thread in this state, the item that a request is about, and what still reads it."""

    async def begin(call, out):
        await out.answer(*opening(state))

    async def answer(call, out):
        match call["type"]:
            case "sync_action" | "feedback":
                await out.document({})
            case "transcribe":
                await out.document({"text": "hello"})
            case _:
                await out.answer(done("Again"))

    async def hold(call, out):
        if call["type"] not in ("respond", "action"):
            return await answer(call, out)
        await out.head()
        await out.say(added(assistant("Well")))
        while not release.is_set():
            await asyncio.sleep(0.01)
        await out.say(done("Well"))
        await out.end()

    agent.behave = hold if state == "running" else begin
    held = await person.open("threads.create", {"input": message("Hello")})
    events = []
    async for _, event in held.frames():
        events.append(event)
        if state == "running" and event["type"] == "thread.item.added":
            break
    thread = thread_of(events)
    items = [event["item"] for event in events if event["type"] == "thread.item.done"]
    form = next((one["id"] for one in items if one["type"] == "structured_input"), None)
    if state != "running":
        agent.behave = answer
    return thread, form or items[0]["id"], held


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("request_type", sorted(EXPECTED))
async def test_every_request_is_answered_or_refused_in_words(stack, agent, request_type, state):
    release = threading.Event()
    person = stack.person()
    owner = stack.person("grace") if state == "foreign" else person
    thread, about, held = await into(state, owner, agent, release)
    if state == "missing":
        thread, about = NOWHERE, NOTHING
    status, code, words = EXPECTED[request_type].get(state, GONE if state in ("foreign", "missing") else OK)
    answer = await person.open(request_type, params(request_type, thread, about))
    assert answer.status == status, await answer.json()
    if answer.is_stream:
        release.set()
        events = [event async for _, event in answer.frames()]
        ends = ("thread.item.done", "notice", "error", "client_effect", "thread.updated")
        assert events[-1]["type"] in ends, events[-1]
        if events[-1]["type"] == "error":
            assert events[-1]["message"], events[-1]
    else:
        told = await answer.json()
        if status != 200:
            assert told["error"]["code"] == code, told
            assert told["error"]["message"].startswith(words), told
    release.set()
    held.close()


@pytest.mark.parametrize("request_type", [one for one in sorted(EXPECTED) if EXPECTED[one].get("foreign", GONE) == GONE])
async def test_another_s_thread_looks_like_one_that_is_not_there(stack, agent, request_type):
    ada, grace = stack.person("ada"), stack.person("grace")
    nobody_s = await (await grace.open(request_type, params(request_type, NOWHERE, NOTHING))).json()
    for state in ("active", "locked", "page", "form", "running"):
        release = threading.Event()
        thread, about, held = await into(state, ada, agent, release)
        hers = await (await grace.open(request_type, params(request_type, thread, about))).json()
        assert hers == nobody_s, state
        release.set()
        held.close()
