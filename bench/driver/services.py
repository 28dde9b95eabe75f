"""The services that servers stand on: a PostgreSQL and a Redis of their own, which end with whoever started them."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from driver.processes import TICK_MICROS, Process, free_port

READY_SECONDS = 60
PROGRAMS = Path("/usr/lib/postgresql")


def postgresql_program(name: str) -> str | None:
    """One of PostgreSQL's own programs, of the newest version there is. Debian keeps them out of the path."""
    found = sorted(PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found[-1]) if found else shutil.which(name)


def missing(postgresql: bool, redis: bool) -> list[str]:
    """What has to be installed first."""
    found = []
    if postgresql and not postgresql_program("initdb"):
        found.append("PostgreSQL (the Debian package postgresql)")
    if redis and not shutil.which("redis-server"):
        found.append("Redis (the Debian package redis-server)")
    return found


def version(program: str | None) -> str:
    """What a program says of itself."""
    if not program:
        return "none"
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()


class Postgresql(Process):
    """A PostgreSQL with its defaults, so one that waits for the disk, in a folder that goes with it.

    TMPDIR says where the folder is. When we are root, which it refuses to be, its processes are the user postgres's.
    """

    def __init__(self, core: int | str):
        self.folder = Path(tempfile.mkdtemp(prefix="vestibule-bench-postgresql-"))
        try:
            self.start(core)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def start(self, core: int | str):
        self.port = free_port()
        as_server = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            as_server = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]
        data = self.folder / "data"
        make = [postgresql_program("initdb"), "--auth=trust", "--username=vestibule", "--encoding=UTF8"]
        made = subprocess.run(
            [*as_server, *make, "--no-sync", "--pgdata", str(data)], cwd="/", capture_output=True, text=True
        )
        if made.returncode:
            raise RuntimeError(f"PostgreSQL made no database:\n{made.stderr}")
        serve = [postgresql_program("postgres"), "-h", "127.0.0.1", "-p", self.port]
        command = [*as_server, *serve, "-k", self.folder, "-D", data]
        super().__init__(command, core, self.folder / "log", folder="/")
        try:
            self.wait()
            self.sql("CREATE DATABASE vestibule", "postgres")
        except BaseException:
            self.stop()
            raise

    def wait(self):
        ask = [postgresql_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + READY_SECONDS
        while subprocess.run(ask).returncode:
            if not self.running() or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not come up:\n{self.last_words()}")
            time.sleep(0.1)

    @property
    def url(self) -> str:
        return f"postgres://vestibule@127.0.0.1:{self.port}/vestibule"

    def sql(self, text: str, database: str = "vestibule") -> str:
        """What psql prints for a statement: values without headings."""
        command = [postgresql_program("psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "vestibule"]
        command += ["--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        done = subprocess.run([*command, "-d", database, "-c", text], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"PostgreSQL refused: {done.stderr}")
        return done.stdout.strip()

    def cpu_micros(self) -> float:
        """Also of those of its processes that have ended: each connection is one."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(") ")[2].split()
        ended = (int(fields[13]) + int(fields[14])) * TICK_MICROS
        return super().cpu_micros() + ended

    def end(self):
        """At once: nobody needs the data any more. The first process ends the others."""
        self.child.send_signal(signal.SIGQUIT)
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            super().end()
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Process):
    """A Redis that keeps nothing."""

    def __init__(self, core: int | str):
        self.folder = Path(tempfile.mkdtemp(prefix="vestibule-bench-redis-"))
        self.port = free_port()
        command = ["redis-server", "--bind", "127.0.0.1", "--port", self.port, "--dir", self.folder]
        super().__init__([*command, "--save", "", "--appendonly", "no"], core, self.folder / "log")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def end(self):
        super().end()
        shutil.rmtree(self.folder, ignore_errors=True)
