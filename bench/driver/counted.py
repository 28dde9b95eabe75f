"""User instructions per token and per turn, counted by valgrind.

Unlike time, the count hardly changes with what else the machine does (a few tokens more or less come
together in one read), and it needs no counters of the processor. It leaves the kernel out. Three runs of a fresh server
differ only in tokens or in turns; what starting costs is the same in all of them and drops out.
"""

import re
from collections.abc import Callable

from driver.processes import Process
from driver.loads import Row, Subject, counted_load

VALGRIND = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")

STREAMS, TOKENS = 5, 50
MORE_STREAMS, MORE_TOKENS = 25, 250


def collected(process: Process) -> int:
    """The count that valgrind writes when the server has ended."""
    found = re.search(r"Collected : (\d+)", process.log.read_text(errors="replace"))
    if not found:
        raise RuntimeError(f"valgrind counted nothing:\n{process.last_words()}")
    return int(found[1])


def count(start: Callable[[], Subject]) -> Row:
    """Runs the three loads; `start` gives a fresh server under valgrind that is ready."""
    runs = [(STREAMS, TOKENS), (STREAMS, MORE_TOKENS), (MORE_STREAMS, TOKENS)]
    counts = []
    for streams, tokens in runs:
        subject = start()
        with subject.process:
            row = counted_load(subject, streams, tokens)
        if row["failed"] or row["unfinished"]:
            return row
        counts.append(collected(subject.process))
    base, more_tokens, more_turns = counts
    per_token = (more_tokens - base) / (STREAMS * (MORE_TOKENS - TOKENS))
    per_turn = (more_turns - base) / (MORE_STREAMS - STREAMS)
    row["user_instructions_per_token"] = per_token
    row["user_instructions_per_turn"] = per_turn - TOKENS * per_token
    return row
