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
SERVICES = ("redis", "flush", "terminate", "database")
KINDS = ("SIGKILL", "SIGTERM", "SIGSTOP", "pause", *SERVICES)


# A database that does not do its part: each node takes all others for gone, and no run is fenced.
PLANTED = """
CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN new.seen_at = '1970-01-01'; RETURN new; END $$;
CREATE TRIGGER forget BEFORE INSERT OR UPDATE ON nodes FOR EACH ROW EXECUTE FUNCTION forget();
CREATE FUNCTION unfence() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN new.epoch = 1; RETURN new; END $$;
CREATE TRIGGER unfence BEFORE INSERT OR UPDATE ON threads FOR EACH ROW EXECUTE FUNCTION unfence();
"""


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

    def sql(self, text, url=None):
        psql = shutil.which("psql") or sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1]
        return subprocess.run([psql, "--quiet", "--no-psqlrc", "--tuples-only", url or self.server, "--command", text],
                              check=True, capture_output=True, text=True).stdout

    def terminate(self):
        self.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'")

    def crash(self):
        """Kills one of the server's processes: the others end, and it starts again from its log."""
        pid = self.sql(f"SELECT pid FROM pg_stat_activity WHERE datname = '{self.name}' LIMIT 1").strip()
        if pid:
            os.kill(int(pid), signal.SIGKILL)

    def drop(self):
        self.sql(f"DROP DATABASE {self.name} WITH (FORCE)")


class Nodes(World):
    """As many nodes as are wanted; whoever asks is sent to any of those that run."""

    def __init__(self, binary, seed, count, drain_seconds=3, has_fault=False):
        super().__init__(binary, seed, drain_seconds)
        self.count, self.redis, self.has_fault = count, Redis(), has_fault

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
        if self.has_fault:
            self.database.sql(PLANTED, self.database.url)
        # Client secrets hold at every node; the key of a development issuer holds at its own.
        one = self.nodes["n0"]
        self.tokens = {person: secret(one.port, one.token(person)) for person in PEOPLE}

    def members(self):
        return list(self.nodes.values())

    def reach(self):
        return self.port or self.nodes[self.random.choice(self.up)].port

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
        elif kind == "database":
            self.database.crash()
        else:
            self.database.terminate()

    async def stop(self):
        for node in self.nodes.values():
            await node.end("SIGTERM")
        self.redis.end()
        self.database.drop()
