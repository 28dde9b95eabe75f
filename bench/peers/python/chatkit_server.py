"""OpenAI's own `openai-chatkit` on FastAPI, as its documentation shows it.

| variable | value |
|---|---|
| `UPSTREAM` | base URL of the model |
| `CLIENT` | `openai`: the official client, the documented path; `httpx`: tuned, raw lines and `json.loads` |
| `DATABASE` | a SQLite file, or the address of a PostgreSQL; in memory when not set |
| `SYNCHRONOUS_COMMIT` | of PostgreSQL's connections: `on`, its default, or `off` |

The model's name comes from the message's `inference_options`. No token is checked, which is in its favour.
"""

import json
import os
from contextlib import asynccontextmanager
from datetime import datetime

import httpx
from chatkit.server import ChatKitServer, StreamingResult
from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
)
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

from stores import MemoryStore, SqliteStore

UPSTREAM = os.environ["UPSTREAM"]
LIMITS = httpx.Limits(max_connections=20_000, max_keepalive_connections=1_000)
HTTP = httpx.AsyncClient(timeout=300, limits=LIMITS)
OPENAI = AsyncOpenAI(base_url=UPSTREAM, api_key="unused", http_client=HTTP)


async def deltas_by_openai(model, messages):
    async for chunk in await OPENAI.chat.completions.create(model=model, messages=messages, stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            yield chunk.choices[0].delta.content


async def deltas_by_httpx(model, messages):
    body = {"model": model, "messages": messages, "stream": True}
    async with HTTP.stream("POST", f"{UPSTREAM}/chat/completions", json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: {"):
                delta = json.loads(line[6:])["choices"][0]["delta"].get("content")
                if delta:
                    yield delta


DELTAS = {"openai": deltas_by_openai, "httpx": deltas_by_httpx}[os.environ["CLIENT"]]


class Server(ChatKitServer):
    async def respond(self, thread, message, context):
        model = message.inference_options.model
        text = "".join(part.text for part in message.content)
        item_id = self.store.generate_item_id("message", thread, context)

        def item(content):
            return AssistantMessageItem(
                id=item_id, thread_id=thread.id, created_at=datetime.now(), content=content
            )

        yield ThreadItemAddedEvent(item=item([]))
        parts = []
        async for delta in DELTAS(model, [{"role": "user", "content": text}]):
            parts.append(delta)
            update = AssistantMessageContentPartTextDelta(content_index=0, delta=delta)
            yield ThreadItemUpdatedEvent(item_id=item_id, update=update)
        yield ThreadItemDoneEvent(item=item([AssistantMessageContent(text="".join(parts))]))


def store_at(database):
    if not database:
        return MemoryStore()
    if not database.startswith("postgres"):
        return SqliteStore(database)
    from postgresql_store import PostgresqlStore  # the others do without its driver

    return PostgresqlStore(database)


STORE = store_at(os.environ.get("DATABASE"))
server = Server(STORE)


@asynccontextmanager
async def lifespan(app: FastAPI):
    await STORE.open()
    yield
    await STORE.close()


app = FastAPI(lifespan=lifespan)
CONTEXT = {"user_id": "user-1"}


@app.post("/chatkit")
async def chatkit(request: Request):
    result = await server.process(await request.body(), CONTEXT)
    if isinstance(result, StreamingResult):
        return StreamingResponse(result, media_type="text/event-stream")
    return Response(result.json, media_type="application/json")
