"""The smallest agent that streams: it says back what it hears, word by word."""

import hashlib, hmac, json, os, time
from datetime import datetime

from chatkit import types as ck
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


async def respond(call):
    said = " ".join(part["text"] for part in (call["item"] or {}).get("content", []))
    place = {"id": "answer", "thread_id": call["thread"]["id"], "created_at": datetime.now()}
    answer = ck.AssistantMessageItem(content=[ck.AssistantMessageContent(text="")], **place)
    yield ck.ThreadItemAddedEvent(item=answer)
    for word in f"You said: {said}".split():  # What your model or framework streams goes here.
        answer.content[0].text += f"{word} "
        delta = ck.AssistantMessageContentPartTextDelta(content_index=0, delta=f"{word} ")
        yield ck.ThreadItemUpdatedEvent(item_id="answer", update=delta)
    yield ck.ThreadItemDoneEvent(item=answer)


async def agent(request):
    body, header = await request.body(), request.headers.get("x-vestibule-signature", "")
    given = dict(part.partition("=")[::2] for part in header.split(","))
    signed, secret = given.get("t", "").encode() + b"." + body, os.environ["AGENT_SECRET"].encode()
    expected = hmac.new(secret, signed, hashlib.sha256).hexdigest().encode()
    if not hmac.compare_digest(expected, given.get("v1", "").encode()) or abs(time.time() - int(given["t"])) > 300:
        return Response("The signature is not right: is AGENT_SECRET the same on both sides?", 401)
    events = (f"data: {event.model_dump_json(exclude_none=True)}\n\n" async for event in respond(json.loads(body)))
    return StreamingResponse(events, media_type="text/event-stream")


app = Starlette(routes=[Route("/agent", agent, methods=["POST"])])
