"""Several nodes over one PostgreSQL, with a Redis between them: the same clients, each request at any of the nodes, and
harm of other kinds.
"""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from play import CONFIG, PEOPLE, Server, World
from restarts import free_port, secret

STORAGE = """
[storage]
url = "{database}"
redis_url = "redis://127.0.0.1:{redis}"
pool_size = 6
"""
SERVICES = ("redis", "flush", "terminate")
KINDS = ("SIGKILL", "SIGTERM", "SIGSTOP", "pause", *SERVICES)


class Redis:
    """A Redis that keeps nothing, on one port."""

    def __init__(self):
        self.port, self.folder, self.process = free_port(), tempfile.mkdtemp(prefix="vestibule-redis-"), None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
             "--dir", self.folder], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def end(self):
        self.process.kill()
        self.process.wait()

    async def flush(self):
        _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"FLUSHALL\r\n")
        await writer.drain()
        writer.close()


class Database:
    """A database of its own in the PostgreSQL that VESTIBULE_TEST_POSTGRESQL names."""

    def __init__(self):
        self.server = os.environ["VESTIBULE_TEST_POSTGRESQL"]
        self.name = f"history_{secrets.token_hex(4)}"
        self.sql(f"CREATE DATABASE {self.name}")

    @property
    def url(self):
        return self.server.rpartition("/")[0] + "/" + self.name

    def sql(self, text):
        psql = shutil.which("psql") or sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1]
        subprocess.run([psql, "--quiet", "--no-psqlrc", self.server, "--command", text], check=True,
                       stdout=subprocess.DEVNULL)

    def terminate(self):
        self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'")

    def drop(self):
        self.sql(f"DROP DATABASE {self.name} WITH (FORCE)")


class Nodes(World):
    """As many nodes as are wanted; whoever asks is sent to any of those that run."""

    def __init__(self, binary, seed, count):
        super().__init__(binary, seed)
        self.count, self.redis = count, Redis()

    async def start(self):
        self.listener = await self.model.start()
        self.database = Database()
        self.redis.start()
        config = CONFIG.format(port=self.model.port, drain_seconds=self.drain_seconds)
        config += STORAGE.format(database=self.database.url, redis=self.redis.port)
        config = config.replace("[server]", '[server]\nsigning_key_env = "SIGNING_KEY"')
        key = {"SIGNING_KEY": secrets.token_hex(32)}
        self.nodes = {}
        for name in (f"n{index}" for index in range(self.count)):
            folder = Path(self.folder) / name
            folder.mkdir()
            # Whoever calls the model says which node it is.
            self.nodes[name] = Server(self.binary, folder, config.replace("/v1", f"/{name}/v1"), key)
        await asyncio.gather(*(node.start() for node in self.nodes.values()))
        self.up = list(self.nodes)
        # Client secrets hold at every node; the key of a development issuer holds at its own.
        one = self.nodes["n0"]
        self.tokens = {person: secret(one.port, one.token(person)) for person in PEOPLE}

    def reach(self):
        return self.nodes[self.random.choice(self.up)].port

    def target(self, kind, dice):
        return None if kind in SERVICES else dice.choice(self.up)

    async def harm(self, kind, dice, target):
        if target is None:
            return await self.harm_services(kind, dice)
        node = self.nodes[target]
        if kind in ("SIGKILL", "SIGTERM"):
            # Whoever is on the way there finds nobody; a balancer sends nobody else.
            self.up.remove(target)
            await node.end(kind)
            self.note("down", kind=kind)
            await asyncio.sleep(dice.uniform(0, 3))
            await node.start()
            self.up.append(target)
        else:
            node.process.send_signal(signal.SIGSTOP)
            if kind == "pause":
                # Longer than the others wait for it, and sometimes longer than its lease.
                self.up.remove(target)
            await asyncio.sleep(dice.uniform(7, 18) if kind == "pause" else dice.uniform(0.5, 2))
            node.process.send_signal(signal.SIGCONT)
            if kind == "pause":
                self.up.append(target)

    async def harm_services(self, kind, dice):
        if kind == "redis":
            self.redis.end()
            await asyncio.sleep(dice.uniform(0.5, 4))
            self.redis.start()
        elif kind == "flush":
            await self.redis.flush()
        else:
            self.database.terminate()

    async def stop(self):
        for node in self.nodes.values():
            await node.end("SIGTERM")
        self.redis.end()
        self.database.drop()
