"""``trio-llm budget``: what is spent, set aside and left of each budget."""

import json

import pytest
import trio

from tests.cli.cli_books import NOW, Books, reservation
from tests.cli.cli_runs import Cli
from trio_llm.config import load_config
from trio_llm.runtime import open_runtime

BUDGETS = """
[budgets.all]
limit = 5.0
[budgets.today]
limit = 0.5
period = "day"
alerts = [0.5, 0.8, 1.0, 2.0]
on_limit = "fall_on"
[budgets.each-user]
limit = 3.0
per = "user"
on_limit = "warn"
[budgets.local]
limit = 1.0
per = "provider"
only = ["local"]
period = "total"
[budgets.others]
limit = 2.0
per = "model"
only = []
period = "week"
"""

TABLE = """\
Budgets
┏━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━┓
┃ budget    ┃ whose               ┃ used            ┃   spent ┃         limit ┃  left ┃
┡━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━┩
│ all       │ all                 │ ██████░    60%  │ >=$2.98 │ $5.00 a month │ $1.72 │
│ today     │ all                 │ ██████████ 125% │ >=$0.62 │   $0.50 a day │    $0 │
│ each-user │ user ann            │ █████████▋ 96%  │ >=$2.88 │ $3.00 a month │    $0 │
│ each-user │ user bob            │ ▍          4%   │   $0.10 │ $3.00 a month │ $2.90 │
│ local     │ provider local      │            0%   │    >=$0 │  $1.00 in all │ $1.00 │
│ others    │ model claude-sonnet │ ████▏      42%  │ >=$0.83 │  $2.00 a week │ $1.17 │
│ others    │ model gpt-4o        │ ███░░      29%  │  ~$0.59 │  $2.00 a week │ $1.11 │
│ others    │ model gpt-4o-mini   │ ▎          2%   │  $0.049 │  $2.00 a week │ $1.95 │
│ others    │ model llama         │            0%   │    >=$0 │  $2.00 a week │ $2.00 │
└───────────┴─────────────────────┴─────────────────┴─────────┴───────────────┴───────┘
"""


@pytest.fixture
def budgeted(books: Books) -> str:
    """Write a configuration with budgets, and books with an attempt under way."""
    books.fill([reservation("under-way", "0.3")])
    return books.config(BUDGETS)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_each_account_has_a_bar(cli: Cli, budgeted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is spent is drawn full, what is set aside is drawn lighter; no colours."""
    monkeypatch.setenv("COLUMNS", "90")
    said = cli("budget", "-c", budgeted)
    assert (said.code, said.err) == (0, "")
    assert _lines(said.out) == _lines(TABLE)


def test_a_wide_terminal_shows_what_is_to_come(
    cli: Cli, budgeted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until when, what will have been spent by then, the alerts passed, and what happens."""
    monkeypatch.setenv("COLUMNS", "200")
    row = _lines(cli("budget", "-c", budgeted).out)[5]
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        "today",
        "all",
        "████████████████████ 125%",
        ">=$0.62",
        "$0.30",
        "$0.50 a day",
        "$0",
        "2026-11-28",
        "$1.24",
        "50%, 80%, 100%",
        "falls on",
    ]


@pytest.mark.parametrize("width", [140, 100, 85])
def test_a_narrow_terminal_keeps_what_matters(
    cli: Cli, budgeted: str, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """The bar, what is spent and the limit are always there."""
    monkeypatch.setenv("COLUMNS", str(width))
    said = cli("budget", "-c", budgeted)
    assert max(map(len, said.out.splitlines())) <= width
    for word in ("█", "125%", ">=$2.98", "$5.00 a month"):
        assert word in said.out
    assert ("set aside" in said.out) is (width > 100)


def test_json_has_all_of_it_exactly(cli: Cli, budgeted: str) -> None:
    """Amounts are decimal strings, instants are seconds since the epoch."""
    data = json.loads(cli("budget", "-c", budgeted, "--json").out)
    today = data["budgets"][1]
    assert today == {
        "name": "today",
        "per": "runtime",
        "account": "",
        "period": "day",
        "limit": "0.5",
        "spent": "0.6225",
        "reserved": "0.3",
        "remaining": "0",
        "certainty": "at least",
        "unpriced": 1,
        "share": 1.245,
        "since": NOW - 12 * 3600,
        "until": NOW + 12 * 3600,
        "projected": "1.245",
        "alerts_passed": [0.5, 0.8, 1.0],
        "on_limit": "fall_on",
    }


def test_it_says_what_a_runtime_would(cli: Cli, books: Books) -> None:
    """The figures are those that a runtime over the same books goes by."""
    books.fill()
    config = books.config(BUDGETS)
    shown = json.loads(cli("budget", "-c", config, "--json").out)["budgets"]

    async def at_work() -> list[tuple[str, str, float, int, str]]:
        async with open_runtime(load_config(config), wall_clock=lambda: NOW) as llm:
            return [
                (each.name, each.account, float(each.spent), each.unpriced, each.on_limit)
                for each in llm.budgets()
            ]

    told = [
        (each["name"], each["account"], float(each["spent"]), each["unpriced"], each["on_limit"])
        for each in shown
    ]
    assert told == trio.run(at_work)


def test_budgets_of_which_nothing_is_known(cli: Cli, books: Books) -> None:
    """Before the first run everything is left, also where nobody has an account."""
    said = cli("budget", "-c", books.config(BUDGETS))
    assert said.code == 0
    assert "no user yet" in said.out
    assert "provider local" in said.out
    assert f"note: nothing was spent: {books.store} is not there yet" in said.err
    assert not books.store.exists()


def test_without_budgets_it_says_how_to_add_one(cli: Cli, quick: str) -> None:
    """There is nothing to show, and that is no failure."""
    said = cli("budget", "-c", quick)
    assert (said.code, said.out) == (0, "")
    assert "add one: [budgets.daily] with limit = 5.0" in said.err
    assert json.loads(cli("budget", "-c", quick, "--json").out) == {"budgets": []}


def test_budgets_in_memory_cannot_be_seen(cli: Cli, books: Books) -> None:
    """Where no file is configured, the remedy is said."""
    config = books.config(BUDGETS)
    text = books.folder.joinpath("agent.toml").read_text()
    books.folder.joinpath("agent.toml").write_text(text.replace(f'path = "{books.store}"', ""))
    said = cli("budget", "-c", config)
    assert (said.code, said.out) == (2, "")
    assert "budgets are kept in memory, and gone with the runtime" in said.err


def test_a_store_that_cannot_be_read(cli: Cli, books: Books) -> None:
    """The failure names the file."""
    books.store.write_text("my diary, " * 500)
    said = cli("budget", "-c", books.config(BUDGETS))
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"error: {books.store}: ")


def test_a_budget_that_is_used_up_is_a_plain_failure(cli: Cli, books: Books) -> None:
    """Whoever asks is told how it stands, and where to look; through a balancer, too."""
    more = """
[providers.dear]
kind = "simulated"
price = { input = 1000, output = 1000 }
[balancers.any]
kind = "fallback"
members = ["dear"]
[budgets.tiny]
limit = 0.000001
on_limit = "%s"
"""
    for via, on_limit in (("dear", "refuse"), ("any", "fall_on")):
        said = cli("ask", "-c", books.config(more % on_limit), "--via", via, "hello")
        assert said.code == 1
        assert "budget 'tiny'" in said.err
        assert "hint: `trio-llm budget` shows how the budgets stand" in said.err
