"""An agent that answers in the model's place: it checks who calls, and speaks ChatKit with the official types.

It says back what it hears, word by word, shows a card whose button it answers, and names the conversation.
"""

import hashlib
import hmac
import json
import os
from datetime import datetime

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ProgressUpdateEvent,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    WidgetItem,
    WidgetRootUpdated,
)
from chatkit.widgets import Button, Card, Text
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

SECRET = os.environ["AGENT_SECRET"].encode()


def is_signed(header, body):
    """Whether Vestibule, and nobody else, has made this call within the last five minutes."""
    given = dict(part.partition("=")[::2] for part in header.split(","))
    time, signature = given.get("t", ""), given.get("v1", "")
    expected = hmac.new(SECRET, time.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode()) and abs(datetime.now().timestamp() - int(time)) < 300


async def respond(call):
    said = " ".join(part["text"] for part in (call["item"] or {}).get("content", []))
    place = {"thread_id": call["thread"]["id"], "created_at": datetime.now()}
    yield ProgressUpdateEvent(text="Listening…")
    answer = AssistantMessageItem(id="answer", content=[AssistantMessageContent(text="")], **place)
    yield ThreadItemAddedEvent(item=answer)
    for word in f"You said: {said}".split(" "):
        answer.content[0].text += f"{word} "
        update = AssistantMessageContentPartTextDelta(content_index=0, delta=f"{word} ")
        yield ThreadItemUpdatedEvent(item_id="answer", update=update)
    yield ThreadItemDoneEvent(item=answer)
    button = Button(label="Thank you", onClickAction={"type": "thank", "payload": {}})
    yield ThreadItemDoneEvent(item=WidgetItem(id="card", widget=Card(children=[Text(value="Was that right?"), button]), **place))
    if call["thread"].get("title") is None:
        yield {"type": "thread.patch", "patch": {"title": said[:60] or "A conversation"}}


async def act(call):
    if call["sender"]:
        update = WidgetRootUpdated(widget=Card(children=[Text(value="You are welcome.")]))
        yield ThreadItemUpdatedEvent(item_id=call["sender"]["id"], update=update)
    yield ProgressUpdateEvent(text=f"Done: {call['action']['type']}")


def at_once(call):
    """What is answered by a document instead of events."""
    match call["type"]:
        case "sync_action" if call["sender"]:
            widget = Card(children=[Text(value="You are welcome.")])
            return {"updated_item": call["sender"] | {"widget": widget.model_dump(mode="json", exclude_none=True)}}
        case "transcribe":
            return {"text": f"(a recording, {len(call['audio_base64']) * 3 // 4} bytes of {call['mime_type']})"}
        case "feedback":
            print(f"{call['user']['id']} finds {', '.join(call['item_ids'])} {call['kind']}")
    return {}


async def frames(events):
    async for event in events:
        data = json.dumps(event) if isinstance(event, dict) else event.model_dump_json(exclude_none=True)
        yield f"data: {data}\n\n"


async def agent(request):
    body = await request.body()
    if not is_signed(request.headers.get("x-vestibule-signature", ""), body):
        return Response("The signature is not right: is AGENT_SECRET the same on both sides?", 401)
    call = json.loads(body)
    streamed = {"respond": respond, "action": act}.get(call["type"])
    return StreamingResponse(frames(streamed(call)), media_type="text/event-stream") if streamed else JSONResponse(at_once(call))


app = Starlette(routes=[Route("/agent", agent, methods=["POST"])])
