"""A `ChatKitServer` as an agent: what it does with a message, an action, a recording stays as it is written.

Vestibule keeps the threads and speaks to the browsers. The server's store is the call: it reads what the call brings,
and what is written to it becomes events of the answer.
"""

import base64
import hashlib
import hmac
import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.store import NotFoundError, Store
from chatkit.types import (
    Action,
    AudioInput,
    ErrorEvent,
    Page,
    ThreadItem,
    ThreadItemDoneEvent,
    ThreadItemRemovedEvent,
    ThreadItemReplacedEvent,
    ThreadMetadata,
)
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

ITEM, ITEMS, ACTION = TypeAdapter(ThreadItem), TypeAdapter(list[ThreadItem]), TypeAdapter(Action)


@dataclass
class Call:
    """The context of a request: who asks, and what the thread holds."""

    user: dict[str, Any]
    locale: str | None
    workflow: str
    state_variables: dict[str, Any]
    items: list[ThreadItem] = field(default_factory=list)
    written: list = field(default_factory=list, repr=False)

    def take_written(self):
        """What was written to the store since this was asked last, as events."""
        written, self.written = self.written, []
        return written


class CallStore(Store[Call]):
    """The store of a server that is called: the newest items of the one thread, as the context has them."""

    async def load_thread_items(self, thread_id, after, limit, order, context):
        items = context.items if order == "asc" else context.items[::-1]
        start = next((place + 1 for place, item in enumerate(items) if item.id == after), 0)
        page = items[start : start + limit]
        return Page(data=page, has_more=start + limit < len(items), after=page[-1].id if page else None)

    async def load_item(self, thread_id, item_id, context):
        for item in context.items:
            if item.id == item_id:
                return item
        raise NotFoundError(f"item {item_id} is not among those that this call brought")

    async def add_thread_item(self, thread_id, item, context):
        context.items.append(item)
        context.written.append(ThreadItemDoneEvent(item=item))

    async def save_item(self, thread_id, item, context):
        context.items[:] = [item if one.id == item.id else one for one in context.items]
        context.written.append(ThreadItemReplacedEvent(item=item))

    async def delete_thread_item(self, thread_id, item_id, context):
        context.items[:] = [one for one in context.items if one.id != item_id]
        context.written.append(ThreadItemRemovedEvent(item_id=item_id))

    async def save_thread(self, thread, context):
        """Vestibule is told of changes of the thread that a method is given; others cannot be changed."""

    async def _not_here(self, *arguments, **named):
        raise NotImplementedError("Vestibule keeps threads and files; the call brings what the server needs of them")

    load_thread = load_threads = delete_thread = _not_here
    save_attachment = load_attachment = delete_attachment = _not_here


def is_signed(secret, header, body):
    """Whether Vestibule, and nobody else, has made this call within the last five minutes."""
    given = dict(part.partition("=")[::2] for part in header.split(","))
    expected = hmac.new(secret.encode(), given.get("t", "").encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), given.get("v1", "").encode()) and abs(time.time() - int(given["t"])) < 300


def patch(before, after):
    """What has changed of a thread, for Vestibule to keep."""
    changed = after.model_dump(mode="json", include={"title", "metadata", "status", "allowed_image_domains"})
    was = before.model_dump(mode="json")
    changes = {name: value for name, value in changed.items() if value != was[name] and value is not None}
    return [{"type": "thread.patch", "patch": changes}] if changes else []


def frame(event):
    return f"data: {json.dumps(event) if isinstance(event, dict) else event.model_dump_json(exclude_none=True)}\n\n"


def failure(error):
    """What a person is told of an exception, as `ChatKitServer` has it."""
    match error:
        case CustomStreamError():
            return ErrorEvent(code="custom", message=error.message, allow_retry=error.allow_retry)
        case StreamError():
            return ErrorEvent(code=error.code, allow_retry=error.allow_retry)
    logging.error("the server failed", exc_info=error)
    return ErrorEvent(code=ErrorCode.STREAM_ERROR, allow_retry=True)


async def frames(thread, call, events):
    """The events of a method, what it wrote to the store, and what it changed about the thread."""
    before = thread.model_copy(deep=True)
    try:
        async for event in events:
            for written in call.take_written():
                yield frame(written)
            yield frame(event)
            for change in patch(before, thread):
                yield frame(change)
            before = thread.model_copy(deep=True)
    except Exception as error:
        failed = [failure(error)]
    else:
        failed = []
    for event in [*call.take_written(), *patch(before, thread), *failed]:
        yield frame(event)


def agent_of(server, secret, context_of=lambda call: call):
    """An application that answers Vestibule's calls by the server's methods.

    `context_of` makes the context that they are given, for servers that want their own; such a server cannot use
    `CallStore`.
    """

    async def answer(request):
        body = await request.body()
        if not is_signed(secret, request.headers.get("x-vestibule-signature", ""), body):
            return Response("The signature is not right: is the secret the same on both sides?", 401)
        said = json.loads(body)
        call = Call(said["user"], said.get("locale"), said["workflow"], said["state_variables"])
        call.items = ITEMS.validate_python(said.get("items", []))
        context = context_of(call)
        item, sender = (ITEM.validate_python(said[name]) if said.get(name) else None for name in ("item", "sender"))
        thread = ThreadMetadata.model_validate(said["thread"]) if said.get("thread") else None
        match said["type"]:
            case "respond":
                events = frames(thread, call, server.respond(thread, item, context))
            case "action":
                action = ACTION.validate_python(said["action"])
                events = frames(thread, call, server.action(thread, action, sender, context))
            case "sync_action":
                action = ACTION.validate_python(said["action"])
                result = await server.sync_action(thread, action, sender, context)
                return JSONResponse(result.model_dump(mode="json", exclude_none=True))
            case "feedback":
                await server.add_feedback(thread.id, said["item_ids"], said["kind"], context)
                return JSONResponse({})
            case "transcribe":
                audio = AudioInput(data=base64.b64decode(said["audio_base64"]), mime_type=said["mime_type"])
                return JSONResponse((await server.transcribe(audio, context)).model_dump(mode="json"))
            case other:
                return Response(f"This agent does not know calls of the type {other}.", 400)
        return StreamingResponse(events, media_type="text/event-stream")

    return Starlette(routes=[Route("/agent", answer, methods=["POST"])])
