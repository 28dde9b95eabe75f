"""Loads on servers over PostgreSQL: turns of many people, and pages of the threads of one who has very many."""

import json
import sqlite3
import time
from itertools import count
from statistics import median

from driver.loads import Row, Subject, converse, measure, together
from driver.processes import post
from driver.servers import tokens

PEOPLE = 200


def turns_of_many(subject: Subject, seconds: float = 6) -> Row:
    """Turns of one token, 16 at a time, each on a new connection and in a new thread, of 200 people in turn: one
    person's turns would wait for one another, where a commit waits for the disk."""
    who = ()
    if subject.server.identity:
        who = ("--bearers", tokens(subject.place, "people", PEOPLE, of="valid"))
    body = subject.server.body("fake-1-0")
    load = ("stream", "--body", body, "--format", subject.server.format, "--tokens", 1, "--concurrency", 16, *who)
    measure(subject, subject.load(*load, "--seconds", 2, bearer=False))  # signs everybody in, and fills caches
    return measure(subject, subject.load(*load, "--seconds", seconds, bearer=False))


SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
PAGE = 20
PARTS = ("first", "middle")

# A person's one thread is copied, each copy a second older than the one before, with an id of its own. The ids of the
# copies are the same in both databases: the number of the copy in place of the last digits.
NUMBER = "substr('0000000000000000', 1, 16 - length(g.n)) || g.n"
COPY = f"""
    INSERT INTO threads (owner, id, created_at, epoch, version, data{{columns}})
    SELECT t.owner, substr(t.id, 1, length(t.id) - 16) || {NUMBER}, t.created_at - g.i * 1000000, t.epoch, t.version,
           replace(t.data, t.id, substr(t.id, 1, length(t.id) - 16) || {NUMBER}){{values}}
    FROM threads AS t, {{numbers}} WHERE t.id = '{{thread}}'
"""
AT = "SELECT id FROM threads WHERE owner = (SELECT owner FROM threads WHERE id = '{thread}')" \
     " ORDER BY created_at DESC, id DESC LIMIT 1 OFFSET {offset}"


class Tables:
    """The product's tables, whichever database they are in."""

    def __init__(self, subject: Subject):
        self.postgresql = subject.process.beside.get("postgresql")
        self.sqlite = subject.place.folder / "vestibule.db"

    def run(self, text: str) -> str:
        """The first value of a statement's first row."""
        if self.postgresql:
            return self.postgresql.sql(text).partition("\n")[0]
        with sqlite3.connect(self.sqlite, timeout=60, isolation_level=None) as connection:
            row = connection.execute(text).fetchone()
        connection.close()
        return row[0] if row else ""

    def copy(self, thread: str, copies: int):
        if self.postgresql:
            numbers = f"(SELECT i, i::text AS n FROM generate_series(1, {copies}::bigint) AS i) AS g"
        else:
            numbers = (
                f"(WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < {copies})"
                " SELECT i, CAST(i AS TEXT) AS n FROM c) AS g"
            )
        more = ("workflow", "active_at")
        names, values = (", ".join(("", *(prefix + name for name in more))) for prefix in ("", "t."))
        self.run(COPY.format(columns=names, values=values, numbers=numbers, thread=thread))

    def settle(self):
        """What the database would do at some time of its own accord, so that it does not while we measure."""
        self.run("VACUUM ANALYZE" if self.postgresql else "PRAGMA wal_checkpoint(TRUNCATE)")


def pages(sizes=SIZES, seconds: float = 1.5):
    """The first page of somebody's threads, and one in their middle, for people with 100 to a million of them, one
    request after the other. All of them are in the same database."""

    def scenario(subject: Subject) -> Row:
        tables, path = Tables(subject), subject.server.path
        listings = {}
        began = time.monotonic()
        for size, token in zip(sizes, people(subject, len(sizes)), strict=True):
            thread = converse(subject.place, token, "threads.create", "fake-1-0", "hello")
            tables.copy(thread, size - 1)
            middle = tables.run(AT.format(thread=thread, offset=size // 2))
            for part, after in (("first", None), ("middle", middle)):
                params = {"limit": PAGE, "order": "desc"} | ({"after": after} if after else {})
                body = json.dumps({"type": "threads.list", "params": params})
                listings[part, size] = (token, body)
                page = json.loads(post(subject.place.port, path, token, body))
                if len(page["data"]) != PAGE or not page["has_more"]:
                    raise RuntimeError(f"the {part} page of {size} threads is not one of {PAGE}")
        tables.settle()
        row = {"fill_seconds": time.monotonic() - began, "first": {}, "middle": {}}
        for number in count():
            # Forth and back, so that whatever gets slower with time is not taken for the size; the first time warms up.
            order = list(listings.items())
            for (part, size), (token, body) in order if number % 2 else reversed(order):
                load = ("call", "--concurrency", 1, "--seconds", seconds, "--bearer", token, "--body", body)
                one = measure(subject, subject.load(*load, path=path, bearer=False))
                best = row[part].get(f"of_{size}")
                if number and (not best or one["whole_us"]["p50"] < best["whole_us"]["p50"]):
                    row[part][f"of_{size}"] = one
            if number == 2:
                break
        row["steps"] = [{"step": f"{size:,}"} | {part: row[part][f"of_{size}"] for part in PARTS} for size in sizes]
        measured = [one for part in PARTS for one in row[part].values()]
        row |= together(measured)
        # One request that was disturbed is no reason to refuse the rest: medians are compared.
        row["others_busy"] = median(one["others_busy"] for one in measured)
        return row

    return scenario


def people(subject: Subject, how_many: int) -> list[str]:
    return tokens(subject.place, "collectors", how_many, of="valid").read_text().split()
