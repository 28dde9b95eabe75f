"""HTTP/1.1 by hand, for clients that break off, stall and read byte by byte, and for a model server."""

import asyncio
import json


async def read_head(reader):
    """The first line and the headers of a message; names in lower case."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name:
            headers[name.strip().lower()] = value.strip()
    return first, headers


class Answer:
    """A response whose body is read as it comes."""

    def __init__(self, reader, writer, status, headers):
        self.reader, self.writer = reader, writer
        self.status, self.headers = status, headers

    @property
    def is_stream(self):
        return self.headers.get("content-type", "").startswith("text/event-stream")

    async def chunks(self):
        """The body in pieces. Ends where it ends; a connection that breaks raises `ConnectionError`."""
        if "content-length" in self.headers:
            left = int(self.headers["content-length"])
            while left:
                piece = await self.reader.read(min(left, 65536))
                if not piece:
                    raise ConnectionError("the body broke off")
                left -= len(piece)
                yield piece
            return
        while True:
            try:
                size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
                piece = await self.reader.readexactly(size + 2)
            except (asyncio.IncompleteReadError, ValueError) as error:
                raise ConnectionError("the body broke off") from error
            if size == 0:
                return
            yield piece[:-2]

    async def json(self):
        return json.loads(b"".join([piece async for piece in self.chunks()]) or b"null")

    async def frames(self, bytes_a_second=None):
        """The frames of an event stream: (id or None, event). Comments are left out."""
        waiting = b""
        async for piece in self.chunks():
            if bytes_a_second:
                await asyncio.sleep(len(piece) / bytes_a_second)
            waiting += piece
            while b"\n\n" in waiting:
                frame, _, waiting = waiting.partition(b"\n\n")
                name = data = None
                for line in frame.decode().split("\n"):
                    if line.startswith("id: "):
                        name = line[4:]
                    elif line.startswith("data: "):
                        data = json.loads(line[6:])
                if data is not None:
                    yield name, data

    def close(self):
        self.writer.close()


async def post(port, path, body, headers=None, timeout=20):
    """Sends JSON; gives the answer once its head is there."""

    async def exchange():
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        data = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(data)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        await writer.drain()
        first, answered = await read_head(reader)
        return Answer(reader, writer, int(first.split()[1]), answered)

    try:
        return await asyncio.wait_for(exchange(), timeout)
    except asyncio.IncompleteReadError as error:
        raise ConnectionError("no answer came") from error
