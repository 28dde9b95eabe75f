"""Clients that talk all at once, and a nemesis that kills, stops and locks meanwhile. All of it is written down.

The history is a list of dictionaries, one a line when it is written to a file; `check.py` says what must hold of it.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from model import Model
from wire import post

PEOPLE = ("ada", "grace")
CONFIG = """
[server]
drain_seconds = {drain_seconds}
[runs]
detached_seconds = 20
[limits]
requests_per_ip_per_minute = 0
turns_per_user_per_minute = 0
turns_per_user_at_once = 0
[[models]]
id = "fake"
kind = "chat-completions"
base_url = "http://127.0.0.1:{port}/v1"
model = "fake"
[[workflows]]
id = "wf_history"
titles = "off"
"""


class Server:
    """The binary under test, over one folder, on one port."""

    def __init__(self, binary, folder, config, variables=None):
        self.binary, self.folder, self.process = binary, Path(folder), None
        self.variables = variables or {}
        (self.folder / "vestibule.toml").write_text(config)
        self.port = None

    async def start(self):
        listen = f"127.0.0.1:{self.port or 0}"
        log = open(self.folder / "log.txt", "ab")
        begun = log.tell()
        environment = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1", **self.variables}
        self.process = subprocess.Popen(
            [self.binary, "serve", "--dev", "--listen", listen],
            cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        for _ in range(600):
            said = (self.folder / "log.txt").read_bytes()[begun:]
            if b"is ready: http://" in said:
                self.port = int(said.split(b"is ready: http://")[1].split()[0].rsplit(b":", 1)[1])
                return
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {said.decode(errors='replace')[-800:]}")
            await asyncio.sleep(0.05)
        raise RuntimeError("the server is not ready after 30 s")

    async def end(self, name):
        self.process.send_signal(getattr(signal, name))
        while self.process.poll() is None:
            await asyncio.sleep(0.01)

    def token(self, user):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/dev/token",
                                         json.dumps({"user": user}).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read())["token"]


class World:
    """What all clients share: the server, the history, and the threads that there are."""

    def __init__(self, binary, seed, drain_seconds=3):
        self.random = random.Random(seed)
        self.began = time.monotonic()
        self.history, self.threads, self.numbers = [], {}, iter(range(1, 1 << 30))
        self.creating, self.deleted = set(), {}
        self.model = Model(self.now)
        self.binary, self.folder = binary, tempfile.mkdtemp(prefix="vestibule-history-")
        self.drain_seconds, self.port, self.over = drain_seconds, None, False

    def now(self):
        return round(time.monotonic() - self.began, 4)

    def note(self, what, **more):
        self.history.append({"at": self.now(), "what": what, **more})

    async def start(self):
        self.listener = await self.model.start()
        config = CONFIG.format(port=self.model.port, drain_seconds=self.drain_seconds)
        self.server = Server(self.binary, self.folder, config)
        await self.serve()

    async def serve(self):
        await self.server.start()
        # The development issuer has a new key with each start.
        self.tokens = {person: self.server.token(person) for person in PEOPLE}

    def target(self, kind, dice):
        """Which of several nodes harm is done to, where it is to one."""

    async def harm(self, kind, dice, target):
        if kind in ("SIGKILL", "SIGTERM"):
            await self.server.end(kind)
            self.note("down", kind=kind)
            await self.serve()
        elif kind == "SIGSTOP":
            self.server.process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(dice.uniform(0.5, 2))
            self.server.process.send_signal(signal.SIGCONT)
        elif kind == "lock":
            lock = sqlite3.connect(Path(self.folder) / "data" / "vestibule.db", timeout=5)
            try:
                lock.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(dice.uniform(0.5, 2.5))
            except sqlite3.OperationalError:
                pass
            finally:
                lock.close()
        elif kind == "full":
            with open(Path(self.folder) / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
                while True:
                    filler.write(bytes(1 << 14))
            await asyncio.sleep(dice.uniform(0.5, 2.5))
            (Path(self.folder) / "filler").unlink()

    def members(self):
        """All nodes."""
        return [self.server]

    async def stop(self):
        await self.server.end("SIGTERM")

    def reach(self):
        """The port that somebody is sent to."""
        return self.port or self.server.port

    def request(self, kind, **params):
        return {"type": kind, "params": params}

    async def ask(self, person, body, resumes=True, **headers):
        given = {"Authorization": f"Bearer {self.tokens[person]}", **headers}
        if resumes:
            given["Vestibule-Client"] = "resume"
        return await post(self.reach(), "/api/chat", body, given)

    async def load(self, person, thread, name):
        """All that a thread holds, as a browser would read it; its items, or `None` where there is no such thread."""
        answer = await self.ask(person, self.request("threads.get_by_id", thread_id=thread))
        if answer.status != 200:
            await answer.json()
            return None
        loaded = await answer.json()
        items, after = [], None
        while True:
            page = await self.ask(person, self.request("items.list", thread_id=thread, order="asc", limit=100,
                                                       **({"after": after} if after else {})))
            is_there, page = page.status == 200, await page.json()
            if not is_there:
                # It was deleted meanwhile, or the server has gone: what was read is no whole thread.
                return None
            items += page["data"]
            after = page.get("after")
            if not page["has_more"]:
                break
        metadata = loaded.get("metadata", {})
        self.note("loaded", thread=name, items=[short(item) for item in items],
                  queued=[short(item) for item in metadata.get("vestibule_queued", [])],
                  run=metadata.get("vestibule_run"), interrupted=metadata.get("vestibule_interrupted"))
        return items


def short(item):
    text = "".join(part.get("text", "") for part in item.get("content", []))
    return {"id": item["id"], "type": item["type"], "text": text}


class Reader:
    """One who reads a run, and may lose it and come back at an earlier place."""

    def __init__(self, world, person, name, thread):
        self.world, self.person, self.name, self.thread = world, person, name, thread
        self.id = f"r{next(world.numbers)}"
        world.note("opens", reader=self.id)

    async def read(self, answer, until=None, slow=None):
        """Reads to the end, or until so many frames were read. Gives the ids that were seen."""
        world, seen, last = self.world, [], None
        try:
            count = 0
            async for place, event in answer.frames(slow):
                run, _, position = (place or ":").rpartition(":")
                delta = (event.get("update") or {}).get("delta")
                item = event.get("item") or {}
                world.note("read", reader=self.id, thread=self.name, run=run or None, position=int(position or 0),
                           type=event["type"], item=item.get("id") or event.get("item_id"), kind=item.get("type"),
                           delta=delta, words=event.get("message"),
                           text=short(item)["text"] if event["type"] == "thread.item.done" else None)
                if event["type"] == "thread.created":
                    self.thread = event["thread"]["id"]
                    world.threads[self.name] = (self.person, self.thread)
                last = event["type"]
                seen.append(place)
                count += 1
                if until is not None and count >= until:
                    answer.close()
                    world.note("left", reader=self.id)
                    return seen
            world.note("ended", reader=self.id, thread=self.name, last=last, kind=item.get("type") if seen else None)
        except (ConnectionError, asyncio.IncompleteReadError, OSError) as error:
            world.note("broke", reader=self.id, thread=self.name, why=str(error))
        finally:
            answer.close()
        return seen

    async def resume(self, after=None, **how):
        reader = Reader(self.world, self.person, self.name, self.thread)
        self.world.note("resumes", reader=reader.id, after=after)
        body = self.world.request("threads.resume", thread_id=self.thread, **({"after": after} if after else {}))
        answer = await self.world.ask(self.person, body)
        if answer.is_stream:
            return await reader.read(answer, **how)
        error = await answer.json()
        self.world.note("refused", reader=reader.id, status=answer.status, code=error["error"].get("code"))
        return []


WAYS = ("read", "read", "read", "read", "leave", "slow", "again", "twice")


async def say(world, person, name, dice, resumes=True, ways=WAYS, is_keyed=None):
    """Sends a message and reads what comes, in one of the ways in which people do."""
    message = f"m{next(world.numbers)}"
    text = f"[{name}/{message}]"
    content = {"content": [{"type": "input_text", "text": text}], "attachments": [], "inference_options": {}}
    known = world.threads.get(name)
    body = (world.request("threads.add_user_message", thread_id=known[1], input=content) if known
            else world.request("threads.create", input=content))
    is_keyed = dice.random() < 0.5 if is_keyed is None else is_keyed
    headers = {"Idempotency-Key": message} if is_keyed else {}
    world.note("says", thread=name, message=message, person=person)
    reader = Reader(world, person, name, known[1] if known else None)
    answer = await world.ask(person, body, resumes, **headers)
    if not answer.is_stream:
        error = await answer.json()
        world.note("refused", thread=name, message=message, status=answer.status, code=error["error"].get("code"))
        return
    way = dice.choice([way for way in ways if is_keyed or way != "twice"])
    until = dice.randint(1, 12) if way == "leave" else None
    seen = await reader.read(answer, until=until, slow=20_000 if way == "slow" else None)
    if way == "twice":
        again = Reader(world, person, name, reader.thread)
        answer = await world.ask(person, body, resumes, **headers)
        if answer.is_stream:
            await again.read(answer)
    if resumes and reader.thread and way in ("leave", "again") and seen:
        await asyncio.sleep(dice.random() * 0.3)
        await reader.resume(after=dice.choice(seen + [None]))


async def person_at_work(world, index):
    """One tab: picks a thread, and does something in it, again and again."""
    dice = random.Random(world.random.random())
    person = PEOPLE[index % len(PEOPLE)]
    resumes = index % 4 != 3
    while not world.over:
        name = f"t{index % len(PEOPLE)}{dice.randint(0, 3)}" if dice.random() < 0.8 else f"t{next(world.numbers)}"
        # Threads of one person only, by their number.
        name = f"t{100 * (index % len(PEOPLE)) + int(name[1:]) % 100}"
        is_shared = int(name[1:]) % 100 in (0, 1, 2, 3, 10, 11, 12, 13)
        try:
            known = world.threads.get(name)
            roll = dice.random()
            if name in world.deleted:
                pass
            elif not known:
                # One makes it; what became of it when the answer was lost, nobody knows.
                if name not in world.creating:
                    world.creating.add(name)
                    await say(world, person, name, dice, resumes)
            elif not is_shared and roll < 0.08:
                await delete(world, person, name)
            elif not is_shared and roll < 0.2:
                await retry(world, person, name)
            elif roll < 0.6:
                await say(world, person, name, dice, resumes)
            elif roll < 0.7:
                world.note("stops", thread=name)
                await (await world.ask(person, world.request("threads.cancel", thread_id=known[1]))).json()
            elif roll < 0.85:
                await world.load(person, known[1], name)
            elif roll < 0.92:
                await Reader(world, person, name, known[1]).resume()
            elif roll < 0.96:
                await (await world.ask(person, world.request("threads.update", thread_id=known[1], title="T"))).json()
            else:
                await intrude(world, person, dice)
        except (ConnectionError, OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.05)
        await asyncio.sleep(dice.random() * 0.2)


async def delete(world, person, name):
    """Whatever is going on in the thread: once that is acknowledged, there is no such thread."""
    _, thread = world.threads.pop(name)
    # Nobody takes the name again, whatever became of it.
    world.deleted[name] = (person, thread, False)
    world.note("deletes", thread=name)
    answer = await world.ask(person, world.request("threads.delete", thread_id=thread))
    await answer.json()
    world.deleted[name] = (person, thread, answer.status == 200)


async def retry(world, person, name):
    """Has the last message answered anew: what came after it is gone."""
    thread = world.threads[name][1]
    items = await world.load(person, thread, name) or []
    messages = [item["id"] for item in items if item["type"] == "user_message"]
    if messages:
        world.note("retries", thread=name)
        reader = Reader(world, person, name, thread)
        answer = await world.ask(person, world.request("threads.retry_after_item", thread_id=thread,
                                                       item_id=messages[-1]))
        if answer.is_stream:
            await reader.read(answer)
        else:
            await answer.json()


async def intrude(world, person, dice):
    """Somebody else's thread must look like none at all."""
    others = [thread for owner, thread in world.threads.values() if owner != person]
    if others:
        thread = dice.choice(others)
        for kind in ("threads.get_by_id", "threads.resume", "threads.cancel"):
            answer = await world.ask(person, world.request(kind, thread_id=thread))
            world.note("intrudes", kind=kind, status=answer.status)
            answer.close()


async def nemesis(world, kinds):
    """Does harm every few seconds."""
    dice = random.Random(world.random.random())
    while not world.over:
        await asyncio.sleep(dice.uniform(1.5, 4))
        if world.over:
            return
        kind = dice.choice(kinds)
        target = world.target(kind, dice)
        world.note("harm", kind=kind, node=target)
        await world.harm(kind, dice, target)
        world.note("harmed", kind=kind)


async def play(world, seconds, clients=12, kinds=("SIGKILL", "SIGTERM", "SIGSTOP", "lock"), say_so=print):
    """Plays for so many seconds, lets everything come to rest, and gives the history."""
    if "full" in kinds:
        # A disk of its own, which can be filled; the thread of a person needs a few kilobytes.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", world.folder], check=True)
    await world.start()
    tasks = [asyncio.create_task(person_at_work(world, index)) for index in range(clients)]
    harm = asyncio.create_task(nemesis(world, kinds)) if kinds else None
    while world.now() < seconds:
        await asyncio.sleep(min(10, max(0.1, seconds - world.now())))
        say_so(f"{world.now():6.0f} s  {len(world.history)} entries, {len(world.threads)} threads,"
               f" {len(world.model.calls)} answers")
        failed = next((task for task in tasks if task.done()), None)
        if failed:
            failed.result()
    world.over = True
    if harm:
        await harm
    await asyncio.wait_for(asyncio.gather(*tasks), 120)
    # What a killed process left waiting is answered when somebody comes back.
    for name, (person, thread) in world.threads.items():
        await asyncio.wait_for(Reader(world, person, name, thread).resume(), 120)
    for _ in range(600):
        if all(call[3] is not None for call in world.model.calls):
            break
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)
    world.note("rest")
    for name, (person, thread) in world.threads.items():
        await world.load(person, thread, name)
    for name, (person, thread, is_sure) in world.deleted.items():
        answer = await world.ask(person, world.request("threads.get_by_id", thread_id=thread))
        await answer.json()
        world.note("gone", thread=name, status=answer.status, sure=is_sure)
    for call in world.model.calls:
        world.history.append({"what": "call", "thread": call[0], "message": call[1], "from": call[2], "to": call[3],
                              "node": call[4]})
    await world.stop()
    world.listener.close()
    if "full" in kinds:
        subprocess.run(["umount", world.folder], check=True)
    return world.history
