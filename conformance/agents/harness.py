"""A real Vestibule whose workflow is answered by this process, and people who speak to it by HTTP.

`Stack` is the server and the agent's address; `Person` is somebody with a client secret of their own.
"""

import asyncio
import itertools
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import uvicorn

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "conformance/history"), str(ROOT / "examples/python-agent")]

from wire import post  # noqa: E402

CONFIG = """
[server]
signing_key_file = "signing.key"
grace_seconds = 0
[storage]
url = "sqlite://vestibule.db"
[limits]
requests_per_ip_per_minute = 0
turns_per_user_per_minute = 0
[uploads]
media_types = ["*/*"]
{workflows}
"""
# One that a model answers, whose tool takes a person's consent.
TOOLS = """
[[models]]
id = "m"
kind = "demo"
[[mcp_servers]]
name = "tool"
command = "{python}"
args = ["{script}"]
identity = "none"
[[workflows]]
id = "wf_tools"
open = true
titles = "off"
model = "m"
tools = ["tool"]
"""
WORKFLOW = """
[[workflows]]
id = "{id}"
open = true
titles = "off"
turn_seconds = {seconds}
agent = {{ url = "{url}", secret_env = "AGENT_SECRET", transcribes = true, timeout_seconds = 2, document_timeout_seconds = 2 }}
"""


def free_socket():
    """A socket that listens on a port of its own."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


class Agent:
    """An ASGI application behind a real server, in a thread of its own."""

    def __init__(self, app):
        listener = free_socket()
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/agent"
        settings = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, lifespan="off")
        self.server = uvicorn.Server(settings)
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([listener])), daemon=True)
        self.thread.start()

    def stop(self):
        self.server.should_exit = self.server.force_exit = True
        self.thread.join(5)


class Stack:
    """The binary under test. Each workflow is an agent's: `{id: (url, turn_seconds)}`."""

    def __init__(self, secret, workflows):
        self.folder = tempfile.TemporaryDirectory(prefix="vestibule-agents-")
        folder = Path(self.folder.name)
        tables = (WORKFLOW.format(id=name, url=url, seconds=seconds) for name, (url, seconds) in workflows.items())
        tools = TOOLS.format(python=sys.executable, script=Path(__file__).with_name("tool_server.py"))
        (folder / "vestibule.toml").write_text(CONFIG.format(workflows=tools + "".join(tables)))
        binary = os.environ["VESTIBULE_BIN"]
        environment = {"PATH": os.environ["PATH"], "AGENT_SECRET": secret, "RUST_LOG": os.environ.get("RUST_LOG", "info")}

        def run(*arguments):
            ran = subprocess.run([binary, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
            if ran.returncode != 0:
                raise RuntimeError(f"{arguments}: {ran.stderr}")
            return ran.stdout

        run("migrate")
        self.key = run("key", "create", "--env", "test").strip().split()[-1]
        self.log_file = folder / "log.txt"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [binary, "serve", "--listen", "127.0.0.1:0"],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while "is ready: http://" not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start: {self.log()}")
            time.sleep(0.02)
        self.port = int(self.log().split("is ready: http://")[1].split()[0].rsplit(":", 1)[1])
        self.people = itertools.count(1)

    def log(self):
        """Everything that the operator has read so far."""
        return self.log_file.read_text(errors="replace")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.folder.cleanup()

    def request(self, path, body, headers):
        """Sends JSON and gives what comes back, with its status."""
        sent = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"content-type": "application/json", **headers})
        try:
            with urllib.request.urlopen(sent, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def person(self, name="ada", workflow="wf_agent"):
        """Somebody new, whatever their name."""
        return Person(self, f"{name}@{next(self.people)}", workflow)


class Person:
    """Somebody who is signed in by a client secret."""

    def __init__(self, stack, name, workflow):
        self.stack, self.name = stack, name
        status, session = stack.request("/v1/chatkit/sessions", {
            "user": name,
            "workflow": {"id": workflow, "state_variables": {"plan": "pro"}},
            "rate_limits": {"max_requests_per_1_minute": 1000},
            "chatkit_configuration": {"file_upload": {"enabled": True}},
        }, {"Authorization": f"Bearer {stack.key}", "OpenAI-Beta": "chatkit_beta=v1"})
        assert status == 200, session
        self.headers = {"Authorization": f"Bearer {session['client_secret']}"}

    async def open(self, request, params, headers=None):
        """Sends a request, and gives the answer once its head is there."""
        body = {"type": request, "params": params}
        return await post(self.stack.port, "/v1/chatkit/conversation", body, {**self.headers, **(headers or {})})

    async def ask(self, request, /, **params):
        """The events of a stream, or the document, with the status."""
        answer = await self.open(request, params)
        if answer.is_stream:
            return answer.status, [event async for _, event in answer.frames()]
        return answer.status, await answer.json()

    async def say(self, text, thread=None):
        """The events that follow from a message."""
        place = {"thread_id": thread} if thread else {}
        status, events = await self.ask("threads.add_user_message" if thread else "threads.create",
                                        input=message(text), **place)
        assert status == 200, events
        return events

    async def items(self, thread):
        """What a person sees of a thread, oldest first."""
        status, page = await self.ask("items.list", thread_id=thread, limit=100, order="asc")
        assert status == 200, page
        return page["data"]

    def upload(self, name, media_type, content):
        """The attachment that a file becomes."""
        border = secrets.token_hex(16)
        head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: {media_type}\r\n\r\n'
        body = head.encode() + content + f"\r\n--{border}--\r\n".encode()
        sent = urllib.request.Request(
            f"http://127.0.0.1:{self.stack.port}/v1/chatkit/files", body,
            {"Content-Type": f"multipart/form-data; boundary={border}", **self.headers})
        with urllib.request.urlopen(sent, timeout=20) as answer:
            return json.loads(answer.read())


def message(text, **fields):
    """What a composer sends."""
    return {"content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {}, **fields}


def thread_of(events):
    """The id of the thread that was created."""
    return next(event["thread"]["id"] for event in events if event["type"] == "thread.created")
