"""The plain FastAPI design: `/api/chat` reads the model's SSE lines with httpx and yields them on.

This is what most hand-written back ends look like, mended where the usual sketch does not run: the HTTP
client is shared and stays open while the answer streams, and each event keeps its blank line. It checks no
token and stores nothing, which is in its favour.
"""

import os
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse

UPSTREAM = os.environ["UPSTREAM"]


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=20_000, max_keepalive_connections=1_000)
    async with httpx.AsyncClient(timeout=300, limits=limits) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/api/chat")
async def chat(request: Request):
    body = await request.json()
    payload = {"model": body["model"], "messages": body["messages"], "stream": True}

    async def generate():
        client: httpx.AsyncClient = request.app.state.client
        async with client.stream("POST", f"{UPSTREAM}/chat/completions", json=payload) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    yield line + "\n\n"

    return StreamingResponse(generate(), media_type="text/event-stream")
