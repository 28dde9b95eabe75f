"""As many reads and as many run beginnings a second as go through one node with PostgreSQL and Redis on this machine.

The load is that of the sizing test of LangGraph's Agent Server: 500 reads and 500 run beginnings a second at once, for
which its documentation recommends 25 containers of one CPU beside a PostgreSQL of 8. Everything runs on the two cores
that there are, the model and the load client too: so the rate is what is left to the product beside them.
"""

import json

from driver.cluster import STREAM, Cluster, product, run_beside
from driver.loads import Row, Subject, converse
from driver.processes import RIG_CORE, SERVER_CORE
from driver.servers import create_thread

BOTH = f"{RIG_CORE},{SERVER_CORE}"
RATES = (100, 200, 300, 400, 500)
PEOPLE = 200
MESSAGES = 5
CARRIED = 0.98
"""A rate counts as carried when so much of it went through."""


def sizing(rates=RATES, seconds: float = 8):
    """Each rate for some seconds, also those behind one that was not carried: a neighbour may have been in the way."""

    def scenario(subject: Subject) -> Row:
        with Cluster(subject, "sizing", 1, BOTH, BOTH) as cluster:
            people = cluster.tokens("people", PEOPLE)
            reads = cluster.folder / "reads.jsonl"
            reads.write_text("\n".join(conversations(cluster, people)))
            row = {"steps": [], "failed": 0, "failures": {}, "rate": 0}
            step(cluster, people, reads, rates[0], 3)  # fills caches, and opens connections
            for rate in rates:
                one = step(cluster, people, reads, rate, seconds)
                row["steps"].append(one)
                row["failed"] += one["failed"]
                row["failures"] |= one["failures"]
            carried = [one for one in row["steps"] if one["carried"]]
            row["rate"] = carried[-1]["rate"] if carried else 0
            row["reached"] = max(min(one["reads_per_second"], one["runs_per_second"]) for one in row["steps"])
            row["others_busy"] = max(one["cores"]["others"] for one in row["steps"]) / 2
            return row | {"at_rate": (carried or row["steps"])[-1]}

    return scenario


def conversations(cluster: Cluster, people) -> list[str]:
    """Somebody's thread with some turns in it for each of the people, and the request that reads its last page."""
    bodies = []
    for token in people.read_text().split():
        thread = None
        for _ in range(MESSAGES):
            kind = "threads.add_user_message" if thread else "threads.create"
            thread = converse(cluster.places[0], token, kind, "fake-1-0", "hello", thread)
        params = {"thread_id": thread, "limit": 20, "order": "desc"}
        bodies.append(json.dumps({"type": "items.list", "params": params}))
    return bodies


def step(cluster: Cluster, people, reads, rate: int, seconds: float) -> Row:
    """Both loads at this rate at once."""
    shape = ("--bearers", people, "--rate", rate, "--seconds", seconds)
    commands = [
        cluster.load("call", "--bodies", reads, *shape, "--again", "--evenly", "--concurrency", 64, cores=BOTH),
        cluster.load(
            *("stream", "--body", create_thread("fake-1-0"), *STREAM, "--tokens", 1, *shape, "--concurrency", 256),
            cores=BOTH,
        ),
    ]
    (read, begun), cpu, elapsed = run_beside(cluster, commands)
    row = {
        "step": f"{rate} a second",
        "rate": rate,
        "failed": read["failed"] + begun["failed"],
        "failures": read["failures"] | begun["failures"],
        "reads_per_second": read["completed"] / read["elapsed_us"] * 1e6,
        "runs_per_second": begun["completed"] / begun["elapsed_us"] * 1e6,
        "read": read,
        "begun": begun,
        "cores": {name: micros / elapsed / 1e6 for name, micros in cpu.items()},
        "product_cores": product(cpu) / elapsed / 1e6,
    }
    reached = min(row["reads_per_second"], row["runs_per_second"])
    row["carried"] = reached >= CARRIED * rate and not row["failed"] and not begun["unfinished"]
    return row
