"""What load is put on a server, and what is measured under it."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from driver.processes import RIG_CORE, SERVER_CORE, Instructions, Process, core_busy_micros, get, post
from driver.servers import Place, Server, create_thread, token, tokens

Row = dict


@dataclass
class Subject:
    """A server that runs, and what the load client needs to reach it."""

    server: Server
    place: Place
    process: Process
    """The server, or the upstream itself for `direct`."""
    upstream: Process
    bearer: str | None
    count_instructions: bool

    def load(self, *arguments, path=None, bearer=True) -> list[str]:
        """The load client's command line."""
        kind, *rest = map(str, arguments)
        direct = self.server.start is None
        port = self.place.upstream if direct else self.place.port
        command = ["taskset", "--cpu-list", str(RIG_CORE), str(self.place.rig / "load"), kind]
        command += ["--address", f"127.0.0.1:{port}", "--path", path or self.server.path, *rest]
        if bearer and self.bearer:
            command += ["--bearer", self.bearer]
        return command

    def stream(self, kind: str, model: str, tokens: int, *arguments) -> list[str]:
        """The same for streams of `model`, of which `tokens` tokens are due."""
        body = self.server.body(model)
        return self.load(
            kind, "--body", body, "--format", self.server.format, "--tokens", tokens, *arguments
        )

    def open_upstream(self) -> int:
        """Answers that the upstream has not been able to end."""
        return json.loads(get(self.place.upstream, "/stats"))["open_streams"]


def finish(child: subprocess.Popen) -> tuple[str, float]:
    """The output of a load client and the CPU time it took, in µs."""
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise RuntimeError(f"the load client failed: {' '.join(child.args)}")
    return output, (usage.ru_utime + usage.ru_stime) * 1_000_000


def measure(subject: Subject, command: list[str]) -> Row:
    """Runs one load to its end beside the server's counters."""
    counters = None
    if subject.count_instructions:
        counters = Instructions(subject.process, subject.place.folder)
    core, rig_core = core_busy_micros(SERVER_CORE), core_busy_micros(RIG_CORE)
    server, upstream = subject.process.cpu_micros(), subject.upstream.cpu_micros()
    beside = subject.process.cpu_beside()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output, client = finish(child)
    server = subject.process.cpu_micros() - server
    upstream = subject.upstream.cpu_micros() - upstream
    core, rig_core = core_busy_micros(SERVER_CORE) - core, core_busy_micros(RIG_CORE) - rig_core
    beside = {name: now - beside[name] for name, now in subject.process.cpu_beside().items()}
    row = json.loads(output)
    elapsed = row["elapsed_us"]
    row["server_cpu_us"] = server
    row["server_busy"] = server / elapsed
    row["rig_busy"] = (client + upstream) / elapsed
    row["core_busy"] = core / elapsed
    row["others_busy"] = max(0.0, core - (server if subject.server.start else 0)) / elapsed
    if beside:
        # They run on the rig's core, so whoever else does is in their way too.
        others = rig_core - client - upstream - sum(beside.values())
        row["others_busy"] = max(row["others_busy"], others / elapsed)
        row["beside_busy"] = sum(beside.values()) / elapsed
        row["rig_core_busy"] = rig_core / elapsed
    if row["tokens"]:
        row["cpu_us_per_token"] = server / row["tokens"]
        row["tokens_per_second"] = row["tokens"] / elapsed * 1_000_000
    if row["completed"]:
        row["cpu_us_per_request"] = server / row["completed"]
        row["requests_per_second"] = row["completed"] / elapsed * 1_000_000
        for name, cpu in beside.items():
            row[f"{name}_cpu_us_per_request"] = cpu / row["completed"]
        row["whole_cpu_us_per_request"] = (server + sum(beside.values())) / row["completed"]
    if counters:
        for name, count in counters.read().items():
            row[f"{name}_instructions_per_token"] = count / max(row["tokens"], 1)
    return row


def saturated(subject: Subject) -> Row:
    """As many tokens as go through: 200 streams of 200 tokens, one every 1–2 ms."""
    load = ("--concurrency", 200, "--seconds", 5, "--grace", 45)
    return measure(subject, subject.stream("stream", "fake-200-1000", 200, *load))


def paced(subject: Subject) -> Row:
    """An equal load that each server can carry: 20 streams of 200 tokens, 50 a second each."""
    load = ("--concurrency", 20, "--streams", 40, "--ramp", 40, "--seconds", 30)
    return measure(subject, subject.stream("stream", "fake-200-20000", 200, *load))


def turns(subject: Subject) -> Row:
    """Turns of one token, 16 at a time, each on a new connection and in a new thread."""
    return measure(subject, subject.stream("stream", "fake-1-0", 1, "--concurrency", 16, "--seconds", 4))


def slow(streams: int) -> Callable[[Subject], Row]:
    """Many streams of one token a second."""

    def scenario(subject: Subject) -> Row:
        load = ("--concurrency", streams, "--streams", streams, "--ramp", 1000, "--seconds", 60)
        return measure(subject, subject.stream("stream", "fake-10-1000000", 10, *load))

    return scenario


def kept_alive(subject: Subject) -> Row:
    """20 streams one after the other on one connection: Nagle's algorithm would add 40 ms to each."""
    load = ("--concurrency", 1, "--streams", 20, "--keep-alive", "--seconds", 30)
    return measure(subject, subject.stream("stream", "fake-5-3000", 5, *load))


def small_requests(subject: Subject) -> Row:
    """The rate of `GET /api/chatkit/me` with a token in the cache, and of `GET /healthz` without one. Another small JSON
    document without one stands beside them for comparison; its own handler costs more, so it is no bar."""
    row = {}
    shape = ("call", "--concurrency", 32, "--seconds", 2)
    ways = {"me": ("/api/chatkit/me", True), "json": ("/.well-known/jwks.json", False), "healthz": ("/healthz", False)}
    for _ in range(2):  # in turns, and the second time counts: the first one warms up
        for name, (path, bearer) in ways.items():
            row[name] = measure(subject, subject.load(*shape, path=path, bearer=bearer))
    return row | together(row.values())


PEOPLE = 4_000
"""So many that the fastest server there is gives nobody more than 20 sessions in two seconds."""


def authentication(seconds: float = 2, count: int = 25_000) -> Callable[[Subject], Row]:
    """What it costs to find out who calls, by each kind of credential, and to give out client secrets.

    `cold` and `forged` send each token once; `warm` and `forged_again` send one token all the time. `mint` is for
    many people in turn, whose tokens were seen before: a person who opens more than 20 sessions has each further one
    end another. `mint_one` is such a person.
    """

    def scenario(subject: Subject) -> Row:
        place, me = subject.place, "/api/chatkit/me"
        user = token(place)
        secret = json.loads(post(place.port, "/api/chatkit/start", user))["client_secret"]
        forged = tokens(place, "forged", count)
        people = tokens(place, "people", PEOPLE, of="valid")
        see = ("call", "--concurrency", 8, "--seconds", 10, "--bearers", people)
        measure(subject, subject.load(*see, path=me, bearer=False))
        same = ("--bearer", forged.read_text().partition("\n")[0])
        refused = ("--status", 401)
        ways = {
            "warm": ("call", me, "--bearer", user),
            "cold": ("call", me, "--bearers", tokens(place, "valid", count)),
            "forged": ("call", me, "--bearers", forged, *refused),
            "forged_again": ("call", me, *same, *refused),
            "secret": ("call", me, "--bearer", secret),
            "mint": ("call", "/api/chatkit/start", "--bearers", people, "--again", "--body", "{}"),
            "mint_one": ("call", "/api/chatkit/start", "--bearer", user, "--body", "{}"),
            "refresh": ("refresh", "/api/chatkit/refresh", "--start", "/api/chatkit/start", "--bearer", user),
        }
        row = {}
        for name, (kind, path, *rest) in ways.items():
            shape = (kind, "--concurrency", 32, "--seconds", seconds, *rest)
            row[name] = measure(subject, subject.load(*shape, path=path, bearer=False))
        return row | together(row.values())

    return scenario


def flood(seconds: float = 5, count: int = 10_000) -> Callable[[Subject], Row]:
    """Other people's requests before and while somebody sends tokens with key ids that do not exist."""

    def scenario(subject: Subject) -> Row:
        place, me = subject.place, "/api/chatkit/me"
        others = ("call", "--concurrency", 10, "--rate", 500, "--seconds", seconds, "--bearer", token(place))
        unknown = ("call", "--concurrency", 10, "--rate", count / seconds, "--seconds", 60)
        unknown = (*unknown, "--bearers", tokens(place, "unknown-key", count))
        # 503 when the issuer was asked often enough: the server cannot know then.
        unknown = (*unknown, "--status", "401,503")
        row = {"before": measure(subject, subject.load(*others, path=me, bearer=False))}
        fetches = key_fetches(subject)
        command = subject.load(*unknown, path=me, bearer=False)
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        row["during"] = measure(subject, subject.load(*others, path=me, bearer=False))
        row["flood"] = json.loads(finish(child)[0])
        row |= together(row.values())
        row["key_fetches"] = key_fetches(subject) - fetches
        row["unknown_keys"] = row["flood"]["completed"]
        return row

    return scenario


def key_fetches(subject: Subject) -> int:
    return json.loads(get(subject.place.upstream, "/stats"))["key_fetches"]


def long_thread(messages: int = 200, waves: int = 5) -> Callable[[Subject], Row]:
    """As many messages at once as a thread of 52 MB takes, one that is answered and eight that wait, a few times over:
    how much memory that takes, and what it does to somebody else, who looks at the list of their threads all the while;
    before it, the server is idle."""
    message_bytes = 256 << 10
    at_once = 9

    def scenario(subject: Subject) -> Row:
        place, path = subject.place, subject.server.path
        user = token(place)
        other = tokens(place, "bystander", 1, of="valid").read_text().strip()
        thread = converse(place, user, "threads.create", "fake-1-0", "hello")
        for _ in range(messages):
            converse(place, user, "threads.add_user_message", "fake-1-0", "x" * message_bytes, thread)
        listing = json.dumps({"type": "threads.list", "params": {}})
        others = ("call", "--concurrency", 4, "--rate", 200, "--body", listing, "--bearer", other)
        row = {"before": measure(subject, subject.load(*others, "--seconds", 5, path=path, bearer=False))}
        subject.process.forget_peak()
        command = subject.load(*others, "--seconds", 3 * waves, path=path, bearer=False)
        core, server = core_busy_micros(SERVER_CORE), subject.process.cpu_micros()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        question = ("threads.add_user_message", "fake-20-50000", "hello again", thread)
        with ThreadPoolExecutor(at_once) as pool:
            for _ in range(waves):
                for turn in [pool.submit(converse, place, user, *question) for _ in range(at_once)]:
                    turn.result()
        output, client = finish(child)
        row["during"] = json.loads(output)
        elapsed = row["during"]["elapsed_us"]
        core = core_busy_micros(SERVER_CORE) - core
        server = subject.process.cpu_micros() - server
        row["during"]["rig_busy"] = client / elapsed
        row["during"]["others_busy"] = max(0.0, core - server) / elapsed
        row |= together([row["before"], row["during"]])
        row["peak_mib"] = subject.process.peak_kib() / 1024
        return row

    return scenario


def converse(place: Place, user: str, kind: str, model: str, text: str, thread: str | None = None) -> str:
    """Plays one turn to its end, whatever that is, and gives the thread's id."""
    body = json.loads(create_thread(model))
    body["type"] = kind
    body["params"]["input"]["content"][0]["text"] = text
    if thread:
        body["params"]["thread_id"] = thread
    answer = post(place.port, "/api/chat", user, json.dumps(body))
    return thread or json.loads(answer.partition("data: ")[2].partition("\n")[0])["thread"]["id"]


def together(parts) -> Row:
    """What makes a row of several loads valid or not."""
    parts = list(parts)
    row = {"failed": sum(part["failed"] for part in parts), "failures": {}}
    for part in parts:
        row["failures"] |= part["failures"]
    for name in ("rig_busy", "others_busy"):
        row[name] = max(part.get(name, 0) for part in parts)
    return row


def hold(streams: int) -> Callable[[Subject], Row]:
    """Memory of streams that are open and say nothing, and what is left when all clients go at once."""

    def scenario(subject: Subject) -> Row:
        before = subject.process.pss_kib()
        cpu = subject.process.cpu_micros()
        command = subject.stream("hold", "fake-2-0-1", 1, "--streams", streams, "--ramp", 250)
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        row = json.loads(child.stdout.readline())
        row["pss_before_kib"] = before
        row["pss_open_kib"] = subject.process.pss_kib()
        row["kib_per_stream"] = (row["pss_open_kib"] - before) / streams
        row["cpu_us_per_stream"] = (subject.process.cpu_micros() - cpu) / streams
        row["descriptors_open"] = subject.process.descriptors()
        row["upstream_open"] = subject.open_upstream()
        child.stdin.close()
        last, _ = finish(child)
        row |= json.loads(last)
        time.sleep(4)  # the bar is four seconds
        row["upstream_left"] = subject.open_upstream()
        row["descriptors_left"] = subject.process.descriptors()
        row["pss_left_kib"] = subject.process.pss_kib()
        row["whole"] = row["upstream_open"] == streams
        return row

    return scenario


def counted_load(subject: Subject, streams: int = 5, tokens: int = 50) -> Row:
    """A small load for a server that runs under valgrind."""
    load = ("--concurrency", 5, "--streams", streams, "--seconds", 120, "--grace", 60)
    return measure(subject, subject.stream("stream", f"fake-{tokens}-40000", tokens, *load))


def smoke_stream(subject: Subject) -> Row:
    """A few streams, for their fidelity."""
    load = ("--concurrency", 10, "--streams", 30, "--seconds", 30)
    return measure(subject, subject.stream("stream", "fake-100-5000", 100, *load))


def smoke_turns(subject: Subject) -> Row:
    """Many short turns, for their fidelity."""
    load = ("--concurrency", 8, "--streams", 400, "--seconds", 20)
    return measure(subject, subject.stream("stream", "fake-1-0", 1, *load))


MOST_KEY_FETCHES = 12
"""In a minute, and so in less time, whatever people send."""


def faults(row: Row) -> list[str]:
    """What makes a row invalid, whatever its numbers are."""
    found = []
    if row.get("failed"):
        found.append(f"{row['failed']} requests failed: {row.get('failures')}")
    if row.get("unfinished"):
        found.append("streams did not finish in time")
    if row.get("whole") is False:
        found.append(f"only {row['upstream_open']} streams were open")
    if row.get("key_fetches", 0) > MOST_KEY_FETCHES:
        found.append(f"{row['key_fetches']} fetches for keys that do not exist")
    return found


def leaks(row: Row) -> int:
    """Upstream streams that outlived their clients."""
    return row.get("upstream_left", 0)
