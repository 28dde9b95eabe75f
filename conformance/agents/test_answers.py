"""What an agent is sent and may answer, beside what the official server's tests hold."""

import asyncio
import base64
import urllib.error
import urllib.request

import harness
import pytest
from conftest import added, assistant, delta, done, item, widget
from harness import message, thread_of


def texts(items):
    """What was said, in order."""
    return [part["text"] for one in items if one["type"].endswith("_message") for part in one["content"]]


def kinds(events):
    return [event["type"] for event in events]


async def test_a_call_says_who_asks_what_where(stack, agent):
    person = stack.person("ada")
    thread = thread_of(await person.say("Hello"))
    first = agent.calls[0]
    await person.say("And again", thread)
    second = agent.calls[1]
    assert first["type"] == "respond"
    assert first["user"]["id"] == person.name
    assert first["workflow"] == "wf_agent"
    assert first["state_variables"] == {"plan": "pro"}
    assert first["thread"]["id"] == thread
    assert first["item"]["content"] == [{"type": "input_text", "text": "Hello"}]
    assert first["items"] == [first["item"]]
    assert texts(second["items"]) == ["Hello", "Fine.", "And again"]
    assert first["headers"]["accept"] == "text/event-stream"


async def test_stop_closes_the_connection_and_keeps_what_was_said(stack, agent):
    gone = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def talk(call, out):
        if len(agent.calls) > 1:
            return await out.answer(done("Fine."))
        await out.head()
        await out.say(added(widget("Half")), added(assistant("", "empty")), added(assistant("Hello", "m")), delta(", world"))
        await out.closed()
        loop.call_soon_threadsafe(gone.set)

    agent.behave = talk
    person = stack.person()
    answer = await person.open("threads.create", {"input": message("Hi")})
    thread = None
    async for _, event in answer.frames():
        thread = thread or event.get("thread", {}).get("id")
        if event["type"] == "thread.item.updated":
            break
    answer.close()
    await asyncio.wait_for(gone.wait(), 5)
    for _ in range(100):
        items = await person.items(thread)
        if len(items) == 2:
            break
        await asyncio.sleep(0.05)
    assert texts(items) == ["Hi", "Hello, world"]
    await person.say("Go on", thread)
    notes = [one["content"] for one in agent.calls[1]["items"] if one["type"] == "sdk_hidden_context"]
    assert notes == ["The user stopped the answer above. Do not continue it unless asked to."]


async def test_cancel_ends_in_words(stack, agent):
    async def talk(call, out):
        await out.head()
        await out.say(added(assistant("Hello")))
        await out.closed()

    agent.behave = talk
    person = stack.person()
    answer = await person.open("threads.create", {"input": message("Hi")})
    events = []
    async for _, event in answer.frames():
        events.append(event)
        if event["type"] == "thread.item.added":
            status, _ = await person.ask("threads.cancel", thread_id=thread_of(events))
            assert status == 200
    assert events[-1]["type"] == "notice"
    assert "What came so far is kept" in events[-1]["message"]


async def test_what_an_agent_made_can_be_replaced_and_removed(stack, agent):
    async def talk(call, out):
        replaced = {"type": "thread.item.replaced", "item": assistant("Second thoughts", "a")}
        await out.answer(done("First thoughts", "a"), replaced, done("A slip", "b"), {"type": "thread.item.removed", "item_id": "b"})

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    assert kinds(events)[3:] == ["thread.item.done", "thread.item.replaced", "thread.item.done", "thread.item.removed"]
    assert events[3]["item"]["id"] == events[4]["item"]["id"]
    assert texts(await person.items(thread_of(events))) == ["Hi", "Second thoughts"]


async def test_items_are_listed_in_pages(stack, agent):
    async def talk(call, out):
        await out.answer(*(done(f"Message {count}", f"m{count}") for count in range(25)))

    agent.behave = talk
    person = stack.person()
    thread = thread_of(await person.say("Hi"))
    _, first = await person.ask("items.list", thread_id=thread)
    assert len(first["data"]) == 20 and first["has_more"]
    assert texts(first["data"])[0] == "Message 24"
    _, second = await person.ask("items.list", thread_id=thread, after=first["data"][-1]["id"])
    assert len(second["data"]) == 6 and not second["has_more"]


async def test_a_tool_of_the_page_answers_and_leftover_calls_go(stack, agent):
    def call_of(name):
        return done(item("client_tool_call", name, call_id=name, name="where", arguments={"of": name}))

    async def talk(call, out):
        await out.answer(*([call_of("one"), call_of("two")] if call["item"] else [done("Thank you.")]))

    agent.behave = talk
    person = stack.person()
    thread = thread_of(await person.say("Where am I?"))
    status, events = await person.ask("threads.add_client_tool_output", thread_id=thread, result={"place": "Ghent"})
    assert status == 200
    assert texts([event["item"] for event in events if event["type"] == "thread.item.done"])[-1] == "Thank you."
    calls = [one for one in agent.calls[1]["items"] if one["type"] == "client_tool_call"]
    assert [(one["name"], one["status"], one["output"]) for one in calls] == [("where", "completed", {"place": "Ghent"})]
    assert calls[0]["arguments"] == {"of": "two"}
    status, refusal = await person.ask("threads.add_client_tool_output", thread_id=thread, result={})
    assert status == 409 and "no tool of this page is waiting" in refusal["error"]["message"]


async def test_actions_have_a_widget_or_none_as_their_sender(stack, agent):
    async def talk(call, out):
        await out.answer(done("Hello"), done(widget("Press")))

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    thread = thread_of(events)
    said, card = (event["item"]["id"] for event in events if event["type"] == "thread.item.done" and event["item"]["type"] != "user_message")

    async def act(call, out):
        await out.answer({"type": "client_effect", "name": "cheer", "data": {"loud": True}})

    agent.behave = act
    action = {"type": "press", "payload": {"hard": True}}
    _, events = await person.ask("threads.custom_action", thread_id=thread, item_id=card, action=action)
    assert events[-1] == {"type": "client_effect", "name": "cheer", "data": {"loud": True}}
    assert agent.calls[-1]["sender"]["id"] == card
    assert agent.calls[-1]["action"]["payload"] == {"hard": True}
    await person.ask("threads.custom_action", thread_id=thread, action=action)
    assert agent.calls[-1]["sender"] is None
    _, events = await person.ask("threads.custom_action", thread_id=thread, item_id=said, action=action)
    assert events[-1]["type"] == "error" and not events[-1]["allow_retry"]
    assert len(agent.calls) == 3
    status, _ = await person.ask("threads.sync_custom_action", thread_id=thread, item_id=said, action=action)
    assert status == 400


async def test_a_widget_that_changes_stays_changed(stack, agent):
    async def talk(call, out):
        if call["type"] == "respond":
            return await out.answer(done(widget("Before")))
        update = {"type": "widget.root.updated", "widget": widget("After")["widget"]}
        await out.answer({"type": "thread.item.updated", "item_id": call["sender"]["id"], "update": update})

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    thread, card = thread_of(events), events[-1]["item"]["id"]
    _, events = await person.ask("threads.custom_action", thread_id=thread, item_id=card, action={"type": "press"})
    assert kinds(events) == ["stream_options", "thread.item.updated"]
    assert (await person.items(thread))[-1]["widget"]["children"][0]["value"] == "After"


@pytest.mark.parametrize("state", ["locked", "closed"])
async def test_a_thread_that_an_agent_locks_takes_no_messages(stack, agent, state):
    async def talk(call, out):
        await out.answer(done(widget("So long")), {"type": "thread.patch", "patch": {"status": {"type": state, "reason": "Done."}}})

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    thread = thread_of(events)
    assert events[-1]["thread"]["status"] == {"type": state, "reason": "Done."}
    action = {"type": "press"}
    for kind, params in [
        ("threads.add_user_message", {"input": message("More")}),
        ("threads.custom_action", {"action": action}),
        ("threads.sync_custom_action", {"action": action}),
    ]:
        status, refusal = await person.ask(kind, thread_id=thread, **params)
        assert status == 409, (kind, refusal)
        assert state in refusal["error"]["message"]
    assert len(agent.calls) == 1
    status, told = await person.ask("threads.get_by_id", thread_id=thread)
    assert status == 200 and told["status"]["reason"] == "Done."


async def test_what_is_hidden_is_told_to_the_agent_alone(stack, agent):
    async def talk(call, out):
        await out.answer(done(item("hidden_context_item", "h", content="A secret")), done("Hello"))

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    assert "A secret" not in str(events)
    assert "A secret" not in str(await person.items(thread_of(events)))
    await person.say("More", thread_of(events))
    assert "A secret" in str(agent.calls[1]["items"])


async def test_notes_effects_and_notices_pass(stack, agent):
    said = [
        {"type": "progress_update", "icon": "search", "text": "Looking…"},
        {"type": "client_effect", "name": "open", "data": {"tab": 2}},
        {"type": "notice", "level": "warning", "message": "Slow today.", "title": "Patience"},
    ]

    async def talk(call, out):
        await out.answer(*said, done("Hello"))

    agent.behave = talk
    assert (await stack.person().say("Hi"))[3:6] == said


async def test_an_error_half_way_keeps_what_was_said(stack, agent):
    async def talk(call, out):
        error = {"type": "error", "code": "custom", "message": "The shop is closed.", "allow_retry": False}
        await out.answer(added(assistant("We open ")), delta("at nine"), error, done("Never heard", "late"))

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    assert events[-1]["type"] == "error" and events[-1]["message"] == "The shop is closed."
    assert texts(await person.items(thread_of(events))) == ["Hi", "We open at nine"]


async def test_dictation_and_feedback_reach_the_agent(stack, agent):
    async def talk(call, out):
        match call["type"]:
            case "respond":
                await out.answer(done("Hello"))
            case "transcribe":
                await out.document({"text": "as I said"})
            case "feedback":
                await out.document({})

    agent.behave = talk
    person = stack.person()
    events = await person.say("Hi")
    sound = base64.b64encode(b"beep").decode()
    status, heard = await person.ask("input.transcribe", audio_base64=sound, mime_type="audio/webm;codecs=opus")
    assert (status, heard) == (200, {"text": "as I said"})
    assert agent.calls[-1]["audio_base64"] == sound and agent.calls[-1]["mime_type"] == "audio/webm;codecs=opus"
    answer = events[-1]["item"]["id"]
    status, _ = await person.ask("items.feedback", thread_id=thread_of(events), item_ids=[answer], kind="negative")
    assert status == 200
    assert (agent.calls[-1]["type"], agent.calls[-1]["item_ids"], agent.calls[-1]["kind"]) == ("feedback", [answer], "negative")


async def test_files_are_the_server_s_and_the_agent_reads_them_by_link(stack, agent):
    person = stack.person()
    status, announced = await person.ask("attachments.create", name="a.txt", size=3, mime_type="text/plain")
    assert status == 200 and announced["upload_descriptor"]["url"].startswith(f"http://127.0.0.1:{stack.port}/")
    status, told = await person.ask("attachments.delete", attachment_id=announced["id"])
    assert (status, told) == (200, {})
    picture = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
    kept = person.upload("a.png", "image/png", picture)
    status, events = await person.ask("threads.create", input=message("Look", attachments=[kept["id"]]))
    assert status == 200
    sent = agent.calls[0]["item"]["attachments"][0]
    assert (sent["id"], sent["thread_id"]) == (kept["id"], thread_of(events))
    with urllib.request.urlopen(sent["preview_url"], timeout=10) as answer:
        assert answer.read() == picture


async def test_the_agent_of_the_example_works(stack):
    person = stack.person(workflow="wf_example")
    events = await person.say("Good morning to you")
    assert [event["text"] for event in events if event["type"] == "progress_update"] == ["Listening…"]
    assert [event["type"] for event in events].count("thread.item.updated") >= 3
    assert events[-1]["thread"]["title"] == "Good morning to you"
    thread = thread_of(events)
    items = await person.items(thread)
    assert texts(items)[-1].strip() == "You said: Good morning to you"
    card, action = items[-1]["id"], {"type": "thank", "payload": {}}
    _, events = await person.ask("threads.custom_action", thread_id=thread, item_id=card, action=action)
    assert events[-1]["text"] == "Done: thank"
    assert "You are welcome." in str(await person.items(thread))
    _, answer = await person.ask("threads.sync_custom_action", thread_id=thread, item_id=card, action=action)
    assert "You are welcome." in str(answer["updated_item"])
    status, _ = await person.ask("items.feedback", thread_id=thread, item_ids=[items[1]["id"]], kind="positive")
    assert status == 200
    _, heard = await person.ask("input.transcribe", audio_base64="aGVsbG8=", mime_type="audio/webm")
    assert heard["text"].startswith("(a recording")


async def test_what_is_cited_while_it_is_said_is_shown_and_kept_even_when_it_is_cut(stack, agent):
    def cited(place, title, index):
        source = {"type": "url", "url": f"https://example.com/{title}", "title": title}
        annotation = {"type": "annotation", "source": source, "index": index}
        update = {
            "type": "assistant_message.content_part.annotation_added",
            "content_index": 0, "annotation_index": place, "annotation": annotation,
        }
        return {"type": "thread.item.updated", "item_id": "m", "update": update}

    async def talk(call, out):
        await out.head()
        await out.say(added(assistant("")), delta("It rains"), cited(0, "a", 8), delta(" in Oslo"), cited(1, "b", 16))

    agent.behave = talk
    person = stack.person()
    events = await person.say("Weather?")
    updates = [event["update"] for event in events if event["type"] == "thread.item.updated"]
    told = [one["annotation"]["source"]["title"] for one in updates if one["type"].endswith("annotation_added")]
    assert told == ["a", "b"]
    said = (await person.items(thread_of(events)))[-1]["content"][0]
    assert said["text"] == "It rains in Oslo"
    assert [(one["source"]["title"], one["index"]) for one in said["annotations"]] == [("a", 8), ("b", 16)]


async def test_the_small_agent_streams_and_is_the_one_that_is_shown(stack):
    events = await stack.person(workflow="wf_small").say("Hello there")
    deltas = [event["update"]["delta"] for event in events if event["type"] == "thread.item.updated" and "delta" in event["update"]]
    assert "".join(deltas) == "You said: Hello there "
    assert texts([event["item"] for event in events if event["type"] == "thread.item.done"])[-1] == "You said: Hello there "
    source = (harness.ROOT / "examples/python-agent/small_agent.py").read_text()
    assert len(source.splitlines()) < 40
    first, *_ = (harness.ROOT / "docs/agents.md").read_text().split("```python\n", 1)[1].split("```")
    assert first == source


async def test_the_small_agent_answers_nobody_else(stack):
    import small_agent

    small = harness.Agent(small_agent.app)
    for header in ("", "t=1,v1=00", "v1=00"):
        sent = urllib.request.Request(small.url, b"{}", {"x-vestibule-signature": header})
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(sent, timeout=5)
        assert refused.value.code == 401
    small.stop()


async def test_the_agent_of_the_example_answers_nobody_else(stack):
    import agent as example

    for header in ["", "t=1", "t=1,v1=00", "v1=,t=", "=,=", "t=é,v1=é"]:
        assert not example.is_signed(header, b"{}"), header


async def test_the_operator_reads_who_answers(stack):
    assert "wf_agent answers with the agent at http://127.0.0.1:" in stack.log()
    assert "no model" not in stack.log()
