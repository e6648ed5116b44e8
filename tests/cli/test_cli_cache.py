"""``trio-llm cache``: what is kept on disk is counted, and forgotten when that is confirmed."""

import json
import os
import pty
import sys
from collections.abc import Callable, Generator
from functools import partial

import pytest
import trio

from tests.cli.cli_books import NOW, Books
from tests.cli.cli_runs import Cli
from trio_llm.cli.__main__ import main
from trio_llm.cli.cache import confirmed
from trio_llm.cli.terminal import Terminal

CACHE = """
[cache]
mode = "on"
persistent = true
entries = 6
size = 3600
ttl = 7200
"""

TABLE = """\
Answers on disk
┏━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┓
┃         ┃    kept ┃ at most ┃ filled                       ┃
┡━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━┩
│ answers │       3 │       6 │ ████████████             50% │
│ bytes   │ 1.8 KiB │ 3.5 KiB │ ████████████             50% │
└─────────┴─────────┴─────────┴──────────────────────────────┘
"""


@pytest.fixture
def cached(books: Books) -> str:
    """Write a configuration with a cache, and books with three answers, one past its time."""
    books.keep(NOW - 1, NOW + 1, NOW + 2)
    return books.config(CACHE)


def test_what_is_kept_beside_what_may_be(cli: Cli, cached: str) -> None:
    """Two bars, and how long an answer is good for."""
    said = cli("cache", "stats", "-c", cached)
    assert said.code == 0
    assert [line.rstrip() for line in said.out.splitlines()] == TABLE.splitlines()
    assert said.err == "note: the cache is on; an answer is given again for 2 h 00 min\n"


def test_json_has_sizes_and_settings(cli: Cli, cached: str, books: Books) -> None:
    """The same is there as data."""
    data = json.loads(cli("cache", "stats", "-c", cached, "--json").out)
    assert (data["store"], data["entries"], data["size"]) == (str(books.store), 3, 1800)
    assert data["settings"]["persistent"] is True


def test_a_cache_that_is_off_or_in_memory_is_said_to_be(cli: Cli, books: Books) -> None:
    """Answers may be left in the store, yet a runtime would not use them."""
    said = cli("cache", "stats", "-c", books.config())
    assert said.code == 0
    assert 'note: the cache is off; set mode = "on" under [cache]' in said.err
    assert "a runtime keeps answers in memory; set persistent = true" in said.err
    assert f"note: {books.store} is not there yet" in said.err
    assert not books.store.exists()


def test_answers_are_forgotten(cli: Cli, cached: str, books: Books) -> None:
    """Those past their time, or all; usage stays."""
    books.fill()
    said = cli("cache", "clear", "-c", cached, "--yes", "--expired")
    assert (said.code, said.out) == (0, "forgot 1 answer\n")
    said = cli("cache", "clear", "-c", cached, "--yes")
    assert (said.code, said.out) == (0, "forgot 2 answers\n")
    said = cli("cache", "clear", "-c", cached, "--yes")
    assert (said.code, said.out) == (0, "")
    assert said.err == f"note: {books.store} keeps no answers\n"
    assert ">=$2.98" in cli("usage", "-c", cached).out


def test_nobody_can_be_asked_in_a_pipe(cli: Cli, cached: str) -> None:
    """Without a terminal nothing is forgotten unless --yes says so."""
    said = cli("cache", "clear", "-c", cached)
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "error: nobody can be asked whether to forget 3 answers (1.8 KiB); give --yes\n"
    )


def test_an_agent_at_work_keeps_its_cache(cli: Cli, cached: str, books: Books) -> None:
    """While a runtime has the store open it is counted, and not cleared: that is said."""
    lock = books.lock
    lock.acquire()
    cleared = cli("cache", "clear", "-c", cached, "--yes")
    counted = cli("cache", "stats", "-c", cached)
    lock.release(orderly=True)
    assert (cleared.code, cleared.out) == (1, "")
    assert "has it open" in cleared.err
    assert "only that can forget: `await llm.cache.clear()`; or end it first" in cleared.err
    assert counted.code == 0


def test_what_is_not_there_is_not_made(cli: Cli, books: Books) -> None:
    """Nothing is made in order to be cleared."""
    said = cli("cache", "clear", "-c", books.config(CACHE), "--yes")
    assert (said.code, said.out) == (0, "")
    assert "is not there yet" in said.err
    assert not books.store.exists()


def test_answers_in_memory_are_out_of_reach(cli: Cli, quick: str) -> None:
    """Where no file is configured, the remedy is said."""
    for command in (["stats"], ["clear", "--yes"]):
        said = cli("cache", *command, "-c", quick)
        assert (said.code, said.out) == (2, "")
        assert "answers are kept in memory, and gone with the runtime" in said.err


# At a terminal.


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Generator[Callable[[bytes], int]]:
    """Make standard input a terminal, and give what types at it."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield partial(os.write, ours)
    os.close(ours)


@pytest.mark.parametrize(
    ("keys", "out", "err"),
    [
        (b"y\n", "forgot 3 answers\n", ""),
        (b"Yes\n", "forgot 3 answers\n", ""),
        (b"\n", "", "note: nothing was forgotten\n"),
        (b"no\n", "", "note: nothing was forgotten\n"),
    ],
)
def test_only_a_plain_yes_is_one(
    cached: str,
    books: Books,
    typed: Callable[[bytes], int],
    capsys: pytest.CaptureFixture[str],
    keys: bytes,
    out: str,
    err: str,
) -> None:
    """At a terminal one is asked, with the number of answers and their file."""
    typed(keys)
    assert main(["cache", "clear", "-c", cached]) == 0
    said = capsys.readouterr()
    assert said.out == out
    question = f"Forget all of 3 answers (1.8 KiB) in {books.store}? [y/N] "
    assert said.err.replace("\n", "") == (question + err).replace("\n", "")


@pytest.mark.usefixtures("typed")
async def test_the_question_can_be_left(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever waits for the answer can be cancelled, as Ctrl-C does."""
    with trio.move_on_after(0.01) as scope:
        await confirmed("Forget?", Terminal())
    assert scope.cancelled_caught
    assert "Forget? [y/N]" in capsys.readouterr().err
