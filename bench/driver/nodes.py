"""What it costs that several nodes share the work, and that an answer is read at another node than its own."""

from concurrent.futures import ThreadPoolExecutor

from driver.cluster import STREAM, Cluster, product, run_beside
from driver.loads import Row, Subject
from driver.processes import RIG_CORE, SERVER_CORE
from driver.readers import Answer
from driver.servers import SERVERS, create_thread

PEOPLE = 100


def nodes(rate: int = 300, seconds: float = 8, rounds: int = 2, turns: int = 150, answers: int = 40):
    """The same load on one node and spread over two, in turns, and half of it on one, which is what each of the two has;
    then answers that are read where they are written, and at the other node. The nodes share the server's core, as one
    node has it; the rig's has PostgreSQL and Redis."""

    def scenario(subject: Subject) -> Row:
        where = (RIG_CORE, SERVER_CORE)
        with Cluster(subject, "one", 1, *where) as one, Cluster(subject, "two", 2, *where) as two:
            row = {"failed": 0, "failures": {}}
            parts = {"one": [], "half": [], "two": []}
            for number in range(rounds + 1):
                for name, cluster, used in (("one", one, (0,)), ("half", one, (0,)), ("two", two, (0, 1))):
                    share = rate // 2 if name == "half" else rate
                    part = turns_at(cluster, used, share, seconds if number else 3)
                    if number:  # the first time fills caches
                        parts[name].append(part)
            row |= {name: together(found) for name, found in parts.items()}
            row["shared"] = row["two"]["cpu_us"] / row["one"]["cpu_us"]
            short = ("fake-1-4000000", 1, turns)
            long = ("fake-400-20000", 400, answers)
            for name, shape in (("turns_read", short), ("tokens_read", long)):
                found = {"home": [], "elsewhere": []}
                for number in range(rounds):
                    for place, reader in (("home", 0), ("elsewhere", 1)):
                        found[place].append(read_at(two, reader, *shape, number))
                row[name] = {place: together(some) for place, some in found.items()}
                row[name]["ratio"] = row[name]["elsewhere"]["cpu_us"] / row[name]["home"]["cpu_us"]
            for part in (row["one"], row["half"], row["two"], *row["turns_read"].values(), *row["tokens_read"].values()):
                if isinstance(part, dict):
                    row["failed"] += part["failed"]
                    row["failures"] |= part["failures"]
            return row

    return scenario


def turns_at(cluster: Cluster, used, rate: int, seconds: float) -> Row:
    """One-token turns at an even rate, which one node can carry as well as two."""
    people = cluster.folder / "people.tokens"
    if not people.exists():
        people.write_text(cluster.tokens("people", PEOPLE).read_text())
    load = ("stream", "--body", create_thread("fake-1-0"), *STREAM, "--tokens", 1, "--bearers", people)
    load = (*load, "--rate", rate, "--concurrency", 64, "--seconds", seconds)
    (report,), cpu, _ = run_beside(cluster, [cluster.load(*load, nodes=used, cores=RIG_CORE)])
    return costs(report, cpu, report["completed"])


def read_at(cluster: Cluster, reader: int, model: str, tokens: int, answers: int, number: int) -> Row:
    """Answers that are begun at the first node, whose readers go away, and that are read to their end at the node
    `reader`, from the first word. Counted is everything from the first beginning to the last end."""
    token = cluster.tokens(f"readers-{number}-{reader}-{tokens}", 1).read_text().strip()
    at_home = Subject(
        SERVERS["vestibule-postgresql"], cluster.places[0], cluster.nodes[0], cluster.subject.upstream, token, False
    )
    before = cluster.cpu()
    with ThreadPoolExecutor(4) as pool:
        begun = list(pool.map(lambda _: Answer(at_home, model, comes_back=True), range(answers)))
    bodies = cluster.folder / "resume.jsonl"
    bodies.write_text("\n".join(answer.resume() for answer in begun))
    for answer in begun:
        answer.close()
    load = ("stream", "--bodies", bodies, *STREAM, "--tokens", tokens, "--bearer", token)
    load = (*load, "--concurrency", answers, "--streams", answers, "--seconds", 2, "--grace", 60)
    (report,), _, _ = run_beside(cluster, [cluster.load(*load, nodes=(reader,), cores=RIG_CORE)])
    cpu = {name: now - before[name] for name, now in cluster.cpu().items()}
    if report["completed"] != answers:
        report["failed"] += answers - report["completed"] - report["failed"]
    return costs(report, cpu, max(report["tokens"], 1))


def costs(report: Row, cpu: dict[str, float], share: int) -> Row:
    """The parts' CPU time for each of so many."""
    row = {name: micros / share for name, micros in cpu.items()}
    row["cpu_us"] = product(cpu) / share
    row |= {name: report[name] for name in ("failed", "failures", "whole_us", "first_event_us")}
    return row


def together(parts: list[Row]) -> Row:
    """The mean of the costs, and all failures."""
    names = [name for name, value in parts[0].items() if isinstance(value, float)]
    row = {name: sum(part[name] for part in parts) / len(parts) for name in names}
    row["failed"] = sum(part["failed"] for part in parts)
    row["failures"] = {reason: count for part in parts for reason, count in part["failures"].items()}
    row["whole_us"] = parts[-1]["whole_us"]
    return row
