"""Restarts under load, behind HAProxy, which tries connections again: nobody notices anything.

An ordinary restart ends each answer that is being written (`drain_seconds` is longer than any takes here). With one node,
what is sent meanwhile waits in the proxy until the next process is there; with several, which are restarted one after the
other, it goes to the others, because `/readyz` tells the proxy.
"""

import asyncio
import json
import random
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path

from check import entries
from play import PEOPLE, say

# Debian puts it where only root looks.
HAPROXY = shutil.which("haproxy") or "/usr/sbin/haproxy"
PROXY = """
defaults
    mode http
    timeout connect 100ms
    timeout client 60s
    timeout server 60s
    retries 300
    retry-on conn-failure empty-response
frontend people
    bind 127.0.0.1:{port}
    default_backend vestibule
backend vestibule
"""
CHECKED = """
    option redispatch 1
    option httpchk GET /readyz
    timeout check 5s
    default-server check inter 200ms fall 2 rise 1
"""


class Proxy:
    """HAProxy before all nodes. It waits 100 ms between two tries."""

    def __init__(self, folder, nodes):
        self.port = free_port()
        file = Path(folder) / "haproxy.cfg"
        servers = "".join(f"    server n{index} 127.0.0.1:{node.port}\n" for index, node in enumerate(nodes))
        file.write_text(PROXY.format(port=self.port) + (CHECKED if len(nodes) > 1 else "") + servers)
        log = open(Path(folder) / "haproxy.txt", "ab")
        self.process = subprocess.Popen([HAPROXY, "-db", "-f", str(file)], stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log)
        log.close()

    def end(self):
        self.process.terminate()
        self.process.wait(10)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def secret(port, token):
    """A client secret, which outlives the process: the key of the development issuer does not."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/chatkit/start", b"{}",
                                     {"content-type": "application/json", "authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())["client_secret"]


async def talk(world, person, name):
    """One person in a thread of their own, where nobody else makes an answer wait."""
    dice = random.Random(world.random.random())
    while not world.over:
        try:
            await say(world, person, name, dice, ways=("read", "read", "again"), is_keyed=True)
        except (ConnectionError, OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
            world.note("lost", thread=name, why=f"{type(error).__name__} {error}")
        await asyncio.sleep(dice.random() * 0.2)


async def restart(world, count, clients=6, say_so=print):
    """Restarts nodes so often, one after the other, and gives the history."""
    await world.start()
    nodes = world.members()
    # Client secrets hold longer than the key of a development issuer.
    one = nodes[0]
    world.tokens = {person: secret(one.port, one.token(person)) for person in PEOPLE}
    proxy = Proxy(world.folder, nodes)
    world.port = proxy.port
    await asyncio.sleep(0.5)
    tasks = [asyncio.create_task(talk(world, PEOPLE[index % 2], f"t{index}")) for index in range(clients)]
    dice = random.Random(world.random.random())
    for number in range(count):
        await asyncio.sleep(dice.uniform(0.5, 1.5))
        world.note("harm", kind="restart")
        node = nodes[number % len(nodes)]
        await node.end("SIGTERM")
        await node.start()
        world.note("harmed", kind="restart")
        if (number + 1) % 10 == 0:
            say_so(f"{world.now():6.0f} s  {number + 1} restarts, {len(world.model.calls)} answers")
        failed = next((task for task in tasks if task.done()), None)
        if failed:
            failed.result()
    world.over = True
    await asyncio.wait_for(asyncio.gather(*tasks), 120)
    for name, (person, thread) in world.threads.items():
        await world.load(person, thread, name)
    await world.stop()
    proxy.end()
    world.listener.close()
    return world.history


def noticed(history):
    """Whatever a person would have seen as an error."""
    for entry in entries(history, "lost", "broke"):
        yield f"at {entry['at']}, a connection was lost in {entry['thread']}: {entry['why']}"
    for entry in entries(history, "refused"):
        # Who comes back for an answer of the process before loads the conversation, and there it is.
        if entry["code"] != "run_not_found":
            who = entry.get("message") or entry.get("reader")
            yield f"at {entry['at']}, {who} was refused: {entry['status']} {entry['code']}"
    for entry in entries(history, "read"):
        if entry["type"] in ("error", "notice"):
            yield f"at {entry['at']}, {entry['reader']} of {entry['thread']} read {entry['type']}: {entry['words']}"
