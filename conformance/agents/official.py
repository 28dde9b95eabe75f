"""A pytest plugin: the official Python server's own tests, through Vestibule.

The tests are those of the source distribution, unchanged. What they make, a `ChatKitServer` of their own, becomes an
agent behind `examples/python-agent/chatkit_server.py`; what they ask it goes by HTTP to a real Vestibule, which calls
the agent; and the store that they look into is what Vestibule tells a person, and the agent. Two things are translated
on the way: names of items (Vestibule gives them names of its own), and refusals (a status instead of an exception).
"""

import asyncio
import json
import sys
import types as modules

import chatkit.server
import harness
import pytest
from chatkit.server import NonStreamingResult, StreamingResult
from chatkit.store import NotFoundError, Store
from chatkit.types import Page, Thread, ThreadItem, ThreadMetadata, ThreadStreamEvent
from chatkit_server import agent_of
from pydantic import BaseModel, TypeAdapter

SECRET = "a secret that both sides know"
OURS = "the ids of what Vestibule keeps are its own"
SPEAKS = "people speak for themselves: an agent cannot add a message in their name"
FILES = "files are kept by Vestibule, whatever the agent is: it says where they are sent, and deletes them"
STATUS = "refused, in words of its own"
WORDS = "the note says who ended the answer, in words of its own; test_answers.py holds what is kept"
# What is not as the official server has it, and why. Each of these has to fail.
DIFFERENT = {
    "test_custom_id_generators_on_server": OURS,
    "test_list_items_response": f"{SPEAKS}; test_answers.py holds how items are listed",
    "test_thread_item_removed_event_removes_item": f"{SPEAKS}; test_answers.py removes one of the agent's",
    "test_thread_item_replaced_event_replaces_item": f"{SPEAKS}; test_answers.py replaces one of the agent's",
    "test_create_file": FILES,
    "test_create_image_file": FILES,
    "test_create_file_without_filestore": FILES,
    "test_delete_file": FILES,
    "test_delete_file_without_filestore": FILES,
    "test_retry_after_item_invalid_item": STATUS,
    "test_stream_cancellation_persists_pending_assistant_message_and_hidden_context": WORDS,
    "test_stream_cancellation_does_not_persist_pending_empty_assistant_message": WORDS,
}
CASES = 48
EVENT, ITEM = TypeAdapter(ThreadStreamEvent), TypeAdapter(ThreadItem)


class RequestContext(BaseModel):
    """What the tests know of a person."""

    user_id: str


class Names:
    """The agent's names for its items, and Vestibule's, in the order in which both speak of them."""

    def __init__(self):
        self.theirs, self.said = {}, []

    def hears(self, event, begun):
        """The agent says an event; what it calls its items again in another turn are others."""
        item = getattr(event, "item", None)
        hidden = ("user_message", "hidden_context", "sdk_hidden_context")
        begins = event.type in ("thread.item.added", "thread.item.done")
        if begins and item.type not in hidden and item.id not in begun:
            begun.add(item.id)
            self.said.append(item.id)

    def meets(self, event):
        """Vestibule says an event: the next new item of its own is the agent's next."""
        item = event.get("item")
        if item and item["type"] != "user_message" and item["id"] not in self.theirs and self.said:
            self.theirs[item["id"]] = self.said.pop(0)

    def to_theirs(self, text):
        return self._swap(text, self.theirs)

    def to_ours(self, text):
        return self._swap(text, {theirs: ours for ours, theirs in self.theirs.items()})

    @staticmethod
    def _swap(text, names):
        for one, other in names.items():
            text = text.replace(json.dumps(one), json.dumps(other))
        return text


class Switch:
    """The agent: whichever server the test has made last, under its own names."""

    current = None

    def _mine(self, adapter, value):
        text = adapter.dump_json(value, exclude_none=True).decode()
        return value and adapter.validate_json(self.current.names.to_theirs(text))

    async def _events(self, events):
        server, begun = self.current, set()
        try:
            async for event in events:
                server.names.hears(event, begun)
                name = getattr(event, "item_id", None) or getattr(getattr(event, "item", None), "id", None)
                is_own = name in begun
                yield event if is_own else EVENT.validate_json(server.names.to_ours(event.model_dump_json()))
        except asyncio.CancelledError:
            # In these tests that is how a person stops an answer. Here it is the person who goes; the agent waits to
            # see the connection close.
            server.is_stopped.set()
            await asyncio.sleep(60)

    async def respond(self, thread, item, context):
        async for event in self._events(self.current.respond(thread, item, context)):
            yield event

    async def action(self, thread, action, sender, context):
        if action.type == "look":
            context.seen.thread = thread
            self.current.seen = context.seen
            return
        async for event in self._events(self.current.action(thread, action, self._mine(ITEM, sender), context)):
            yield event

    async def sync_action(self, thread, action, sender, context):
        return await self.current.sync_action(thread, action, self._mine(ITEM, sender), context)

    async def add_feedback(self, thread, items, kind, context):
        names = self.current.names.theirs
        await self.current.add_feedback(thread, [names.get(item, item) for item in items], kind, context)

    async def transcribe(self, audio, context):
        return await self.current.transcribe(audio, context)


class Seen(RequestContext):
    """With what the agent was sent; that is no part of who somebody is."""

    def __eq__(self, other):
        return self.user_id == other.user_id

    __hash__ = None


def context_of(call):
    context = Seen(user_id=call.user["id"].partition("@")[0])
    object.__setattr__(context, "__pydantic_extra__", None)
    object.__setattr__(context, "seen", call)
    return context


class RemoteStore(Store):
    """What Vestibule keeps, as a person is told; hidden items and notes about the thread as the agent is."""

    def __init__(self, path):
        self.db_path, self.server = path, None

    async def _look(self, thread_id):
        """What the agent is sent of the thread, hidden items and notes about it included."""
        await self.server.ask("threads.custom_action", thread_id=thread_id, action={"type": "look", "payload": {}})
        return self.server.seen

    async def load_thread(self, thread_id, context):
        told = Thread.model_validate(await self.server.ask("threads.get_by_id", thread_id=thread_id))
        thread = ThreadMetadata(**told.model_dump(exclude={"items"}))
        if thread.status.type == "active":
            thread.metadata = (await self._look(thread_id)).thread.metadata
        return thread

    async def load_thread_items(self, thread_id, after, limit, order, context):
        await self.server.settle(thread_id)
        seen = await self._look(thread_id)
        items = [self.server.mine(ITEM, item) for item in seen.items]
        items = items[::-1] if order == "desc" else items
        return Page(data=items[:limit], has_more=len(items) > limit)

    async def load_item(self, thread_id, item_id, context):
        items = await self.load_thread_items(thread_id, None, 1000, "asc", context)
        for item in items.data:
            if item.id == item_id:
                return item
        raise NotFoundError(f"Item {item_id} not found")

    async def save_attachment(self, attachment, context):
        """A file that a person has sent before."""
        kept = self.server.person(context).upload(attachment.name, attachment.mime_type, b"some text")
        self.server.names.theirs[kept["id"]] = attachment.id

    async def load_attachment(self, attachment_id, context):
        for item in (await self.load_thread_items(self.server.thread, None, 1000, "asc", context)).data:
            for attachment in getattr(item, "attachments", []):
                if attachment.id == attachment_id:
                    return attachment
        raise NotFoundError(f"Attachment {attachment_id} not found")

    async def _not_asked(self, *arguments, **named):
        raise NotImplementedError("Vestibule keeps this by itself")

    load_threads = delete_attachment = save_thread = delete_thread = _not_asked
    add_thread_item = save_item = delete_thread_item = _not_asked


class Remote(chatkit.server.ChatKitServer):
    """A server whose requests are answered by Vestibule, and which answers Vestibule's."""

    stack = None

    def __init__(self, store, attachment_store=None):
        super().__init__(store, attachment_store)
        store.server = Switch.current = self
        self.names, self.is_stopped, self.people = Names(), asyncio.Event(), {}
        self.seen = self.thread = None
        self.context = RequestContext(user_id="test_user")

    def person(self, context):
        if context.user_id not in self.people:
            self.people[context.user_id] = self.stack.person(context.user_id)
        return self.people[context.user_id]

    def mine(self, adapter, value):
        return adapter.validate_json(self.names.to_theirs(adapter.dump_json(value, exclude_none=True).decode()))

    async def ask(self, request, /, **params):
        status, answer = await self.person(self.context).ask(request, **params)
        assert status == 200, answer
        return answer

    async def settle(self, thread):
        """Waits for the end of a run."""
        for _ in range(200):
            told = await self.ask("threads.get_by_id", thread_id=thread)
            if "vestibule_run" not in told.get("metadata", {}):
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the run does not end")

    async def process(self, request, context):
        text = request if isinstance(request, str) else request.decode()
        body = json.loads(self.names.to_ours(text))
        answer = await self.person(context).open(body["type"], body["params"])
        if answer.status != 200:
            error = (await answer.json())["error"]
            if answer.status == 404:
                raise NotFoundError(f"Thread {body['params'].get('thread_id')} not found ({error['message']})")
            raise ValueError(error["message"])
        if answer.is_stream:
            return StreamingResult(self._frames(answer))
        return NonStreamingResult(self.names.to_theirs(json.dumps(await answer.json())).encode())

    async def _frames(self, answer):
        frames = answer.frames()
        while True:
            coming = asyncio.ensure_future(anext(frames, None))
            while not coming.done():
                await asyncio.wait([coming], timeout=0.02)
                if self.is_stopped.is_set() and not coming.done():
                    coming.cancel()
                    answer.close()
                    raise asyncio.CancelledError
            frame = await coming
            if frame is None:
                return
            event = frame[1]
            self.thread = event.get("thread", {}).get("id", self.thread)
            self.names.meets(event)
            yield f"data: {self.names.to_theirs(json.dumps(event))}\n\n".encode()


def pytest_configure(config):
    """Puts ours in the place of what the tests import."""
    chatkit.server.ChatKitServer = Remote
    for name, content in {
        "helpers": {}, "helpers.mock_store": {"SQLiteStore": RemoteStore}, "tests._types": {"RequestContext": RequestContext},
    }.items():
        module = sys.modules[name] = modules.ModuleType(name)
        module.__dict__.update(content)


def pytest_collection_modifyitems(items):
    """Holds the number of cases, and marks those that are different on purpose."""
    if len(items) != CASES:
        raise pytest.UsageError(f"there are {len(items)} cases instead of {CASES}")
    different = dict(DIFFERENT)
    for item in items:
        reason = different.pop(item.name, None)
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))
    if different:
        raise pytest.UsageError(f"there are no such cases: {', '.join(different)}")


@pytest.fixture(scope="session", autouse=True)
def stack():
    agent = harness.Agent(agent_of(Switch(), SECRET, context_of))
    Remote.stack = harness.Stack(SECRET, {"wf_agent": (agent.url, 20)})
    yield Remote.stack
    Remote.stack.stop()
    agent.stop()
