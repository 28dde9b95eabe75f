"""What our own cases share: one Vestibule, an agent that each case scripts, and the agents of the examples."""

import asyncio
import hashlib
import hmac
import json
import os
import socket
import threading
import time

import pytest

SECRET = os.environ["AGENT_SECRET"] = "a secret that both sides know"

import harness  # noqa: E402
from wire import read_head  # noqa: E402


class Out:
    """One answer of a scripted agent, in chunks; closing without `end` is dying."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status="200 OK", kind="text/event-stream", more=""):
        await self.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Transfer-Encoding: chunked\r\n\r\n".encode())

    async def chunk(self, data):
        await self.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    async def say(self, *events):
        for event in events:
            await self.chunk(f"data: {json.dumps(event)}\n\n".encode())

    async def end(self):
        await self.write(b"0\r\n\r\n")

    async def answer(self, *events):
        """A whole answer."""
        await self.head()
        await self.say(*events)
        await self.end()

    async def document(self, content):
        await self.head(kind="application/json")
        await self.chunk(json.dumps(content).encode())
        await self.end()

    async def closed(self):
        """Waits until Vestibule has closed the connection."""
        await self.reader.read()


class Scripted:
    """An agent that does what `behave` says, and remembers its calls."""

    def __init__(self):
        self.calls, self.faults = [], []
        self.behave = None
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/agent"

        async def serve():
            async with await asyncio.start_server(self._answer, sock=listener, limit=1 << 24) as server:
                await server.serve_forever()

        threading.Thread(target=lambda: asyncio.run(serve()), daemon=True).start()

    async def _answer(self, reader, writer):
        try:
            _, headers = await read_head(reader)
            body = await reader.readexactly(int(headers["content-length"]))
            call = json.loads(body)
            call["headers"] = headers
            signed = dict(part.split("=") for part in headers["x-vestibule-signature"].split(","))
            expected = hmac.new(SECRET.encode(), f"{signed['t']}.".encode() + body, hashlib.sha256).hexdigest()
            if signed["v1"] != expected or abs(time.time() - int(signed["t"])) > 60:
                self.faults.append(f"not signed as it should be: {headers['x-vestibule-signature']}")
            self.calls.append(call)
            await self.behave(call, Out(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The other side is gone, which a case waits for by `closed`.
        except Exception as error:  # noqa: BLE001 - shown by the case
            self.faults.append(repr(error))
        finally:
            writer.close()


@pytest.fixture(scope="session")
def everything():
    import agent as example
    import small_agent

    scripted, shown, small = Scripted(), harness.Agent(example.app), harness.Agent(small_agent.app)
    stack = harness.Stack(SECRET, {
        "wf_agent": (scripted.url, 20),
        "wf_short": (scripted.url, 3),
        "wf_example": (shown.url, 20),
        "wf_small": (small.url, 20),
        "wf_nobody": ("http://127.0.0.1:9/agent", 20),
    })
    yield stack, scripted
    stack.stop()
    shown.stop()
    small.stop()


@pytest.fixture
def stack(everything):
    return everything[0]


@pytest.fixture
def agent(everything):
    """The agent that the case scripts; what it is called with must be signed."""
    scripted = everything[1]
    scripted.calls, scripted.faults = [], []

    async def ok(call, out):
        await out.answer(done("Fine."))

    scripted.behave = ok
    yield scripted
    assert scripted.faults == []


def item(kind, name, /, **fields):
    """An item as an agent writes it, under a name and in a thread of its own."""
    return {"type": kind, "id": name, "thread_id": "mine", "created_at": "2026-01-01T12:00:00", **fields}


def assistant(text, name="m"):
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    return item("assistant_message", name, content=content)


def widget(text, name="w"):
    return item("widget", name, widget={"type": "Card", "children": [{"type": "Text", "value": text}]})


def added(what):
    return {"type": "thread.item.added", "item": what}


def done(what, name="m"):
    return {"type": "thread.item.done", "item": assistant(what, name) if isinstance(what, str) else what}


def delta(text, name="m"):
    update = {"type": "assistant_message.content_part.text_delta", "content_index": 0, "delta": text}
    return {"type": "thread.item.updated", "item_id": name, "update": update}
