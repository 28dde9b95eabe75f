"""Several nodes of the product over one PostgreSQL and one Redis, and what each of the parts costs."""

import json
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace

from driver.loads import Row, Subject, finish
from driver.processes import RIG_CORE, SERVER_CORE, Process, core_busy_micros, free_port, get
from driver.servers import SERVERS, tokens
from driver.services import Postgresql, Redis

READY_SECONDS = 60


class Cluster:
    """So many nodes, and clients that sign in with tokens which hold at each of them.

    `cores` are where everything runs: the services and the nodes each have theirs, or share both.
    """

    def __init__(self, subject: Subject, name: str, nodes: int, service_cores: int | str, node_cores: int | str):
        self.subject, self.stack = subject, ExitStack()
        self.folder = subject.place.folder / name
        self.folder.mkdir()
        self.nodes: list[Process] = []
        self.places = []
        with self.stack:
            self.postgresql = self.stack.enter_context(Postgresql(service_cores))
            self.redis = self.stack.enter_context(Redis(service_cores))
            for number in range(nodes):
                self.add(number, node_cores)
            self.stack = self.stack.pop_all()  # from here on, `__exit__` ends them

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def add(self, number: int, cores: int | str):
        folder = self.folder / f"n{number}"
        folder.mkdir()
        place = replace(
            self.subject.place,
            port=free_port(),
            folder=folder,
            database=self.postgresql.url,
            redis=self.redis.url,
        )
        node = self.stack.enter_context(SERVERS["vestibule-postgresql"].begin(place, core=cores))
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                get(place.port, "/readyz")
                break
            except OSError as reason:
                if not node.running() or time.monotonic() > deadline:
                    raise RuntimeError(f"a node did not come up ({reason}):\n{node.last_words()}") from None
                time.sleep(0.1)
        self.nodes.append(node)
        self.places.append(place)

    def tokens(self, name: str, count: int):
        return tokens(self.places[0], name, count, of="valid")

    def cpu(self) -> dict[str, float]:
        """CPU time of each part so far, in µs."""
        return {
            "vestibule": sum(node.cpu_micros() for node in self.nodes),
            "postgresql": self.postgresql.cpu_micros(),
            "redis": self.redis.cpu_micros(),
            "model": self.subject.upstream.cpu_micros(),
        }

    def load(self, kind: str, *arguments, nodes=(0,), cores: int | str) -> list[str]:
        """The load client's command line, against one node or several of them in turn."""
        first, *rest = (f"127.0.0.1:{self.places[node].port}" for node in nodes)
        command = ["taskset", "--cpu-list", cores, self.subject.place.rig / "load", kind, "--address", first]
        command += ["--path", SERVERS["vestibule-postgresql"].path, *arguments]
        for address in rest:
            command += ["--also", address]
        return list(map(str, command))


STREAM = ("--format", "chatkit")


def run_beside(cluster: Cluster, commands: list[list[str]]) -> tuple[list[Row], dict[str, float], float]:
    """Runs load clients at once to their end: what each reports, the CPU time of each part meanwhile, and the time. What
    others take of the two cores is a part as well."""
    before, began = cluster.cpu(), time.monotonic()
    busy = sum(map(core_busy_micros, {RIG_CORE, SERVER_CORE}))
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    try:
        finished = [finish(child) for child in children]
    finally:
        for child in children:
            if child.returncode is None:
                child.kill()
                child.wait()
    elapsed = time.monotonic() - began
    cpu = {name: now - before[name] for name, now in cluster.cpu().items()}
    cpu["client"] = sum(client for _, client in finished)
    busy = sum(map(core_busy_micros, {RIG_CORE, SERVER_CORE})) - busy
    cpu["others"] = max(0.0, busy - sum(cpu.values()))
    return [json.loads(output) for output, _ in finished], cpu, elapsed


def product(cpu: dict[str, float]) -> float:
    """What the product needs of it: without the model and the client."""
    return cpu["vestibule"] + cpu["postgresql"] + cpu["redis"]
