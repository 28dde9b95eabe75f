"""The loads of a run by name, and which servers each is meant for."""

from collections.abc import Callable
from dataclasses import dataclass

from driver.loads import (
    Row,
    Subject,
    authentication,
    counted_load,
    flood,
    hold,
    kept_alive,
    long_thread,
    paced,
    saturated,
    slow,
    small_requests,
    smoke_stream,
    smoke_turns,
    turns,
)
from driver.nodes import nodes
from driver.postgresql import pages, turns_of_many
from driver.readers import further_readers, neighbours, storm
from driver.sizing import sizing


@dataclass
class Scenario:
    """One load, and which servers it is meant for."""

    name: str
    run: Callable[[Subject], Row]
    servers: tuple[str, ...]
    fresh: bool = False
    """Whether it wants a server that has done nothing else: memory that an earlier load left behind would be
    used again and not be seen."""
    counted: bool = False
    """Whether the server runs under valgrind; see `driver.counted`."""


RUST = ("direct", "tcp", "nginx", "limit", "vestibule")
SQLITE = ("python-sqlite", "python-tuned-sqlite")
POSTGRESQL = ("vestibule-postgresql", "python-postgresql")
PROCESS = ("vestibule-postgresql-process", "python-postgresql-process")
SLOWER = ("node", "fastapi", "python-tuned", "python")

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("saturated", saturated, (*RUST, *SLOWER)),
        Scenario("paced", paced, (*RUST, *SLOWER)),
        Scenario("turns", turns, ("direct", "limit", "vestibule", "node", "python", *SQLITE)),
        Scenario("requests", small_requests, ("vestibule",)),
        Scenario("authentication", authentication(), ("vestibule", "fastapi-auth")),
        Scenario("flood", flood(), ("vestibule",)),
        Scenario("long-thread", long_thread(), ("vestibule",), fresh=True),
        Scenario("kept-alive", kept_alive, ("direct", "limit", "vestibule")),
        Scenario("hold-1000", hold(1000), ("tcp", "nginx", "limit", "vestibule", "node"), fresh=True),
        Scenario("hold-5000", hold(5000), ("nginx", "limit", "vestibule"), fresh=True),
        Scenario("slow-5000", slow(5000), ("direct", "nginx", "limit", "vestibule")),
        Scenario("readers-1000", further_readers(1000), ("vestibule",), fresh=True),
        Scenario("storm-2000", storm(2000), ("vestibule",), fresh=True),
        Scenario("neighbours", neighbours(), ("vestibule",), fresh=True),
        Scenario("turns-postgresql", turns_of_many, ("vestibule", *POSTGRESQL, *PROCESS), fresh=True),
        Scenario("pages", pages(), ("vestibule", "vestibule-postgresql"), fresh=True),
        Scenario("sizing", sizing(), ("vestibule-nodes",)),
        Scenario("nodes", nodes(), ("vestibule-nodes",)),
        Scenario("instructions", counted_load, ("tcp", "limit", "vestibule"), counted=True),
    )
}


SMOKE_SERVERS = ("direct", "limit", "vestibule")
SMOKE = {
    scenario.name: scenario
    for scenario in (
        Scenario("smoke-stream", smoke_stream, SMOKE_SERVERS),
        Scenario("smoke-turns", smoke_turns, SMOKE_SERVERS),
        Scenario("kept-alive", kept_alive, SMOKE_SERVERS),
        Scenario("smoke-authentication", authentication(0.5, 2_000), ("vestibule",)),
        Scenario("flood", flood(1, 1_000), ("vestibule",)),
        Scenario("long-thread", long_thread(20, 1), ("vestibule",), fresh=True),
        Scenario("readers-50", further_readers(50), ("vestibule",), fresh=True),
        Scenario("storm-100", storm(100, 60), ("vestibule",), fresh=True),
        Scenario("hold-200", hold(200), ("limit", "vestibule"), fresh=True),
    )
}
