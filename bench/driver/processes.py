"""Processes of a run: started on a core of their own, measured through /proc, ended by id."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
RIG_CORE = CORES[0]
SERVER_CORE = CORES[1 % len(CORES)]

TICK_MICROS = 1_000_000 / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port: int, path: str) -> str:
    """The body of a GET on loopback."""
    return ask(urllib.request.Request(f"http://127.0.0.1:{port}{path}"))


def post(port: int, path: str, bearer: str, body: str = "{}") -> str:
    """The body that a JSON document is answered with."""
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    return ask(urllib.request.Request(f"http://127.0.0.1:{port}{path}", body.encode(), headers))


def ask(request: urllib.request.Request) -> str:
    with urllib.request.urlopen(request, timeout=30) as response:
        return response.read().decode()


def core_busy_micros(core: int) -> float:
    """Time for which a core was not idle, whoever used it; time that the hypervisor took counts too."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            idle = {3, 4}  # idle and waiting for a disk
            return sum(int(field) for n, field in enumerate(fields[:8]) if n not in idle) * TICK_MICROS
    raise RuntimeError(f"there is no core {core}")


class Process:
    """A server and its children, pinned to one core, or to several ("0,1")."""

    def __init__(self, command, core: int | str, log: Path, environment=None, folder=None):
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                ["taskset", "--cpu-list", str(core), *map(str, command)],
                env={**os.environ, **(environment or {})},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.log = log
        self.beside: dict[str, Process] = {}
        """What it needs and what ends with it: its database, for example."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Asks every process of the tree to end, and insists after five seconds; then whatever stands beside it."""
        try:
            self.end()
        finally:
            for service in self.beside.values():
                service.stop()

    def end(self):
        tree = self.tree()
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for pid in tree:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    pass
            try:
                self.child.wait(5)
                return
            except subprocess.TimeoutExpired:
                continue

    def running(self) -> bool:
        return self.child.poll() is None

    def tree(self) -> list[int]:
        """The process and all its descendants."""
        found, waiting = [], [self.child.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    waiting += map(int, children.read_text().split())
                except OSError:
                    pass  # the thread ended while we looked
        return found

    def cpu_micros(self) -> float:
        """User and system time so far. The kernel sums it exactly and shows it in ticks of 10 ms."""
        ticks = 0
        for pid in self.tree():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks * TICK_MICROS

    def cpu_beside(self) -> dict[str, float]:
        """The same of each that stands beside it."""
        return {name: service.cpu_micros() for name, service in self.beside.items()}

    def pss_kib(self) -> int:
        """Memory in KiB, shared pages divided among those who share them."""
        total = 0
        for pid in self.tree():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total

    def forget_peak(self):
        """From here on, `peak_kib` is the most memory since now."""
        for pid in self.tree():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_kib(self) -> int:
        """The most resident memory there was, in KiB."""
        total = 0
        for pid in self.tree():
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        return total

    def descriptors(self) -> int:
        """Open files and sockets."""
        total = 0
        for pid in self.tree():
            try:
                total += len(os.listdir(f"/proc/{pid}/fd"))
            except OSError:
                continue
        return total

    def last_words(self) -> str:
        """The end of the log, for a message about a server that does not come up."""
        return self.log.read_text(errors="replace")[-2000:]


class Instructions:
    """Instructions of a process by `perf stat`, where the machine has the counters."""

    EVENTS = "instructions:u,instructions:k"

    def __init__(self, process: Process, folder: Path):
        self.file = folder / "perf.csv"
        pids = ",".join(map(str, process.tree()))
        command = ["perf", "stat", "-x", ",", "-e", self.EVENTS, "-o", str(self.file), "-p", pids]
        self.child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(0.2)  # perf says nothing when it has attached

    @classmethod
    def available(cls) -> bool:
        try:
            command = ["perf", "stat", "-x", ",", "-e", "instructions:u", "true"]
            probe = subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return False
        return probe.stderr.split(",")[0].isdigit()

    def read(self) -> dict[str, int]:
        """`user` and `kernel` instructions since the start."""
        self.child.send_signal(signal.SIGINT)
        self.child.wait(10)
        counts = {}
        for line in self.file.read_text().splitlines():
            fields = line.split(",")
            for event, name in (("instructions:u", "user"), ("instructions:k", "kernel")):
                if len(fields) > 2 and fields[2] == event and fields[0].isdigit():
                    counts[name] = int(fields[0])
        return counts
