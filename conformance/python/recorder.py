"""A pytest plugin: seeds what a case expects to be there, and writes down how each case ended.

The official tests name a session and a thread by fixed ids, and some of them cancel or delete what
they name, so everything is put back before each case and their order does not matter.
"""

import json
import os
import subprocess
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def seeded() -> None:
    command = [os.environ["CONFORMANCE_SEED"], os.environ["CONFORMANCE_DATABASE"]]
    subprocess.run(command, check=True, timeout=30)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    item.config.stash[OUTCOME] = "passed"
    yield
    line = {"id": item.nodeid.rpartition("/")[2], "outcome": item.config.stash[OUTCOME]}
    with open(os.environ["CONFORMANCE_OUTCOMES"], "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = (yield).get_result()
    # Preparing, running and clearing up are reported one by one; the worst of them counts.
    if report.outcome != "passed" and item.config.stash[OUTCOME] != "failed":
        item.config.stash[OUTCOME] = report.outcome


OUTCOME = pytest.StashKey[str]()
