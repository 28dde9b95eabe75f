"""The bars, and when a ratio may be printed.

A ratio compares two rows of the same scenario in the same round; its spread is the least and the greatest
over the rounds. It is refused when the rig was the limit:

- a latency, when the rig's core was more than 90 % busy: the wait may be the client's own; or when another
  process took more than 10 % of the server's core;
- CPU per token, when the subject's core had room, the other's too, and their loads differ by more than
  15 %: a server that idles more pays more wake-ups a token. When only the subject had room, the ratio is
  too bad for the subject, never too good, and is printed;
- a rate, when another process took more than 10 % of a server's core, too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

SELF = "vestibule"
"""As a peer: the bar is on the subject's own numbers."""

BUSY = 0.90
OTHERS = 0.10
LOADS_DIFFER = 0.15

Row = dict


class Refused(Exception):
    """No honest number; the text says why."""


def path(row: Row, dotted: str):
    """A value inside nested rows: `token_us.p99`."""
    for name in dotted.split("."):
        row = (row or {}).get(name)
    if row is None:
        raise Refused(f"no {dotted}")
    return row


def ratio(metric: str) -> Callable[[Row, Row], float]:
    """Subject divided by peer."""

    def value(subject: Row, peer: Row) -> float:
        if metric == "cpu_us_per_token":
            compare_loads(subject, peer)
        return path(subject, metric) / path(peer, metric)

    return value


def check_others(row: Row):
    # On the direct way nothing runs on the server's core.
    if row["server"] != "direct" and row["others_busy"] > OTHERS:
        raise Refused(f"others took {row['others_busy']:.0%} of a core")


def rate(metric: str) -> Callable[[Row, Row], float]:
    """Subject divided by peer, for rates."""

    def value(subject: Row, peer: Row) -> float:
        for row in (subject, peer):
            check_others(row)
        return path(subject, metric) / path(peer, metric)

    return value


def times_better(metric: str) -> Callable[[Row, Row], float]:
    """Peer divided by subject."""
    inverse = ratio(metric)
    return lambda subject, peer: 1 / inverse(subject, peer)


def added(metric: str) -> Callable[[Row, Row], float]:
    """Subject minus peer, for latencies."""

    def value(subject: Row, peer: Row) -> float:
        for row in (subject, peer):
            if row["rig_busy"] > BUSY:
                raise Refused(f"the rig's core was {row['rig_busy']:.0%} busy")
            check_others(row)
        return path(subject, metric) - path(peer, metric)

    return value


def own(metric: str) -> Callable[[Row, Row], float]:
    """The subject's own value."""
    return lambda subject, _: path(subject, metric)


def to_own(metric: str, other: str) -> Callable[[Row, Row], float]:
    """The subject's own value, divided by another one of its own."""
    return lambda subject, _: path(subject, metric) / path(subject, other)


def flat(part: str) -> Callable[[Row, Row], float]:
    """The slowest median to the fastest, over how much there is."""

    def value(subject: Row, _: Row) -> float:
        check_others(subject)
        medians = [path(step, f"{part}.whole_us.p50") for step in path(subject, "steps")]
        return max(medians) / min(medians)

    return value


def carried(wanted: float) -> Callable[[Row, Row], float]:
    """The rate that went through. One that is too low says nothing when others took the cores."""

    def value(subject: Row, _: Row) -> float:
        if path(subject, "rate") < wanted:
            check_others(subject)
        return subject["rate"]

    return value


def added_meanwhile(metric: str) -> Callable[[Row, Row], float]:
    """What other people's requests take longer while something else goes on."""

    def value(subject: Row, _: Row) -> float:
        if subject["rig_busy"] > BUSY:
            raise Refused(f"the rig's core was {subject['rig_busy']:.0%} busy")
        check_others(subject)
        before, during = (path(subject, f"{part}.{metric}") for part in ("before", "during"))
        return during - before

    return value


def me_rate(subject: Row, _: Row) -> float:
    """Rate with a token divided by the rate without. Where the server's core was not the limit, the rates say
    nothing about it, and CPU time per request stands for them."""
    ways = ("me", "healthz")
    rates = [path(subject, f"{name}.requests_per_second") for name in ways]
    costs = [path(subject, f"{name}.cpu_us_per_request") for name in ways]
    saturated = all(path(subject, f"{name}.server_busy") > BUSY for name in ways)
    return rates[0] / rates[1] if saturated else costs[1] / costs[0]


def compare_loads(subject: Row, peer: Row):
    room = [row["core_busy"] < BUSY for row in (subject, peer)]
    loads = [path(row, "tokens_per_second") for row in (subject, peer)]
    if all(room) and max(loads) / min(loads) > 1 + LOADS_DIFFER:
        raise Refused(f"the rig was the limit: {loads[0]:.0f} and {loads[1]:.0f} tokens/s")


@dataclass
class Bar:
    """One line of the verdict."""

    what: str
    scenario: str
    peer: str
    value: Callable[[Row, Row], float]
    limit: float
    at_most: bool = True
    unit: str = "×"
    subject: str = "vestibule"
    """The server that the bar is for."""

    def holds(self, value: float) -> bool:
        return value <= self.limit if self.at_most else value >= self.limit

    def judge(self, rows: list[Row], subject: str | None = None) -> Row | None:
        """The verdict over all rounds, for another server than the bar's if one is named; None when the run had not both
        rows."""
        values, refusals = [], []
        subject = subject or self.subject
        peer = subject if self.peer == SELF else self.peer
        for mine in (row for row in rows if (row["server"], row["scenario"]) == (subject, self.scenario)):
            theirs = [
                row
                for row in rows
                if (row["server"], row["scenario"], row["round"]) == (peer, self.scenario, mine["round"])
            ]
            if not theirs:
                continue
            if mine["faults"] or theirs[0]["faults"]:
                refusals.append("a row is not valid")
                continue
            try:
                values.append(self.value(mine, theirs[0]))
            except (Refused, ZeroDivisionError) as reason:
                refusals.append(str(reason))
        if not values and not refusals:
            return None
        verdict = {"bar": self.what, "scenario": self.scenario, "limit": self.limit, "unit": self.unit}
        verdict |= {"at_most": self.at_most, "refusals": refusals}
        if values:
            middle = median(values)
            verdict |= {"median": middle, "least": min(values), "greatest": max(values)}
            verdict["holds"] = self.holds(middle)
        return verdict


CPU = "cpu_us_per_token"
COST = "cpu_us_per_request"
AUTH = "authentication"
TURNS = "turns-postgresql"
NODES = "vestibule-nodes"

BARS = [
    Bar("CPU per token, saturated, to the limit line", "saturated", "limit", ratio(CPU), 1.15),
    Bar("CPU per token, paced, to the limit line", "paced", "limit", ratio(CPU), 1.5),
    Bar("CPU per token, openai-chatkit as documented", "saturated", "python", times_better(CPU), 20, False),
    Bar("CPU per token, openai-chatkit tuned", "saturated", "python-tuned", times_better(CPU), 10, False),
    Bar("CPU per token, FastAPI relay", "saturated", "fastapi", times_better(CPU), 5, False),
    Bar("CPU per token, chatkit-node-backend-sdk", "saturated", "node", times_better(CPU), 2.5, False),
    Bar(
        "CPU per one-token turn, openai-chatkit with SQLite",
        "turns",
        "python-sqlite",
        times_better("cpu_us_per_request"),
        20,
        False,
    ),
    Bar(
        "one-token turns a second, openai-chatkit with SQLite",
        "turns",
        "python-sqlite",
        rate("requests_per_second"),
        20,
        False,
    ),
    Bar("GET with a cached token, to one without", "requests", SELF, me_rate, 0.8, False),
    *(
        Bar(f"CPU per request, {what}", AUTH, "fastapi-auth", times_better(f"{key}.{COST}"), least, False)
        for what, key, least in (
            ("a JWT that is in the cache", "warm", 25),
            ("a JWT that is not", "cold", 4.5),
            ("a client secret minted", "mint", 6),
            ("a client secret refreshed", "refresh", 6),
        )
    ),
    Bar("CPU per forged JWT, to a valid one", AUTH, SELF, to_own(f"forged.{COST}", f"cold.{COST}"), 1.2),
    Bar("key fetches for 10,000 unknown key ids", "flood", SELF, own("key_fetches"), 12, unit=""),
    Bar("added latency of others meanwhile, p50", "flood", SELF, added_meanwhile("whole_us.p50"), 100, unit=" µs"),
    Bar("added latency of others meanwhile, p99", "flood", SELF, added_meanwhile("whole_us.p99"), 1000, unit=" µs"),
    Bar("memory of 9 messages at once in a thread of 52 MB", "long-thread", SELF, own("peak_mib"), 200, unit=" MiB"),
    Bar("list of others meanwhile, p99", "long-thread", SELF, own("during.whole_us.p99"), 20_000, unit=" µs"),
    Bar("one-token turn p99, to the limit line", "turns", "limit", ratio("whole_us.p99"), 1.5),
    Bar("memory a further reader, 1,000 of one answer", "readers-1000", SELF, own("kib_per_reader"), 12, unit=" KiB"),
    Bar("first event replayed, 2,000 at once, p99", "storm-2000", SELF, own("first_token_us.p99"), 1e6, unit=" µs"),
    Bar("memory after the storm, to before it", "storm-2000", SELF, own("memory_left"), 1.1),
    Bar(
        "added to the token p99 by slow readers and stalled models",
        "neighbours",
        SELF,
        added_meanwhile("token_us.p99"),
        500,
        unit=" µs",
    ),
    Bar("memory a stream, 1,000 open", "hold-1000", SELF, own("kib_per_stream"), 40, unit=" KiB"),
    Bar("memory a stream, 5,000 open", "hold-5000", SELF, own("kib_per_stream"), 40, unit=" KiB"),
    Bar("added latency p99, 5,000 slow streams", "slow-5000", "direct", added("token_us.p99"), 1000, unit=" µs"),
    Bar("upstream streams left after 1,000 clients went", "hold-1000", SELF, own("upstream_left"), 0, unit=""),
    Bar("upstream streams left after 5,000 clients went", "hold-5000", SELF, own("upstream_left"), 0, unit=""),
    Bar(
        "added time to the first token, kept-alive connection, p50",
        "kept-alive",
        "direct",
        added("first_token_us.p50"),
        10_000,
        unit=" µs",
    ),
    *(
        Bar(f"{what}, openai-chatkit{name}", TURNS, f"python-{db}", value, 10, False, subject=f"vestibule-{db}")
        for name, db in ((" with PostgreSQL", "postgresql"), (", no wait for the disk", "postgresql-process"))
        for what, value in (
            ("CPU per one-token turn", times_better(COST)),
            ("one-token turns a second", rate("requests_per_second")),
        )
    ),
    *(
        Bar(f"{what} page of 10² to 10⁶ threads, slowest to fastest, {on}", "pages", SELF, flat(part), 1.5, subject=who)
        for on, who in (("PostgreSQL", "vestibule-postgresql"), ("SQLite", "vestibule"))
        for what, part in (("first", "first"), ("middle", "middle"))
    ),
    Bar("reads and runs a second, both at once", "sizing", SELF, carried(500), 500, False, "", NODES),
    Bar("CPU a turn, two nodes to one", "nodes", SELF, own("shared"), 1.1, subject=NODES),
    Bar("CPU a token, read at the other node", "nodes", SELF, own("tokens_read.ratio"), 1.4, subject=NODES),
]
