"""A model server that speaks Chat Completions, and remembers when it was asked for what.

Each answer names the message that it answers, and numbers its words: whoever reads it knows what it ought to be.
"""

import asyncio
import json
import random
import re

from wire import read_head

NODE = re.compile(r"/(n\d+)/")
MARK = re.compile(r"\[(t\d+)/(m\d+)\]")


def answer_to(message):
    """The words of the answer to a message like `[t1/m7]`."""
    length = random.Random(message).choice([3, 20, 60, 150])
    return [f"{message}:"] + [f" {number}ü" for number in range(length)]


class Model:
    """Listens on `port`; `calls` holds [thread, message, begun, ended, node]: `ended` is `None` while it answers,
    `node` where the address names one.
    """

    def __init__(self, clock):
        self.clock, self.calls, self.port = clock, [], None

    async def start(self):
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def serve(self, reader, writer):
        try:
            while True:
                first, headers = await read_head(reader)
                node = NODE.search(first)
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                if not await self.answer(body, reader, writer, node and node[1]):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, body, reader, writer, node):
        asked = [str(message["content"]) for message in body["messages"] if message["role"] == "user"]
        thread, message = MARK.findall(asked[-1])[-1]
        call = [thread, message, self.clock(), None, node]
        self.calls.append(call)
        pace = random.Random(message + "pace").choice([0, 0.002, 0.02, 0.05])
        # Notices that the server went away also while nothing is written.
        gone = asyncio.ensure_future(reader.read(1))
        try:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            for word in answer_to(message):
                self.say(writer, {"content": word}, None)
                await writer.drain()
                if pace:
                    await asyncio.wait([gone], timeout=pace)
                if gone.done():
                    return False
            self.say(writer, {}, "stop")
            writer.write(b"data: [DONE]\n\n")
            await writer.drain()
            return False
        finally:
            gone.cancel()
            call[3] = self.clock()

    @staticmethod
    def say(writer, delta, finish):
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                 "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        writer.write(f"data: {json.dumps(chunk)}\n\n".encode())
