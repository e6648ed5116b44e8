"""``trio-llm usage``: the table, the bars and what is to come; JSON and CSV; plain errors."""

import csv
import io
import json
import re
from decimal import Decimal
from typing import Any

import pytest

from tests.cli.cli_books import DAY, NOW, Books, write
from tests.cli.cli_runs import Cli
from trio_llm.chat import Charge, Cost, Subject
from trio_llm.cli import stored

TABLE = """\
Usage since the books began (UTC)
┏━━━━━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━┓
┃ provider  ┃ model         ┃ attempts ┃ succeeded ┃ tokens in ┃ tokens out ┃    cost ┃ share ┃
┡━━━━━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━┩
│ anthropic │ claude-sonnet │       13 │       92% │    12,024 │      2,484 │ >=$1.73 │   58% │
│ openai    │ gpt-4o        │       13 │      100% │    12,010 │      2,489 │  ~$1.15 │   39% │
│ openai    │ gpt-4o-mini   │       12 │      100% │    12,012 │      2,484 │   $0.10 │    4% │
│ local     │ llama         │        1 │        0% │         0 │          0 │    >=$0 │    0% │
├───────────┼───────────────┼──────────┼───────────┼───────────┼────────────┼─────────┼───────┤
│ total     │               │       39 │       95% │    36,046 │      7,457 │ >=$2.98 │  100% │
└───────────┴───────────────┴──────────┴───────────┴───────────┴────────────┴─────────┴───────┘
The price of 1 attempt is not known, and counts as nothing; give it by `price` or `prices` of the
provider.

cost by day
  2026-11-14 ██▊                                                 $0.034  1%
  2026-11-15 █████▍                                              $0.068  2%
  2026-11-16 ████████▏                                            $0.10  3%
  2026-11-17 ██████████▉                                          $0.14  5%
  2026-11-18 █████████████▌                                       $0.17  6%
  2026-11-19 ████████████████▎                                    $0.20  7%
  2026-11-20 ███████████████████                                  $0.24  8%
  2026-11-21 █████████████████████▋                               $0.27  9%
  2026-11-22 ████████████████████████▍                            $0.30 10%
  2026-11-23                                                         $0
  2026-11-24                                                         $0
  2026-11-25 ████████████████████████████████▌                    $0.40 14%
  2026-11-26 ███████████████████████████████████▎                 $0.44 15%
  2026-11-27 ██████████████████████████████████████████████████ >=$0.62 21%

cost by provider
  anthropic ██████████████████████████████████████████████████ >=$1.73 58%
  openai    ████████████████████████████████████▎               ~$1.26 42%
  local                                                           >=$0  0%

top models by cost
  claude-sonnet ██████████████████████████████████████████████████ >=$1.73 58%
  gpt-4o        █████████████████████████████████▎                  ~$1.15 39%
  gpt-4o-mini   ███                                                  $0.10  4%
  llama                                                               >=$0  0%

top users by cost
  ann ██████████████████████████████████████████████████ >=$2.88 96%
  bob █▉                                                   $0.10  4%

If it goes on as in the last 7 days: >=$9.12 in 30 days, $0.30 a day.
"""


@pytest.fixture
def filled(books: Books, monkeypatch: pytest.MonkeyPatch) -> Books:
    """Give books with a fortnight in them, and a terminal of a hundred columns."""
    monkeypatch.setenv("COLUMNS", "100")
    books.fill()
    return books


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_it_is_shown_at_a_glance(cli: Cli, filled: Books) -> None:
    """A table with a sum, bars by day and provider, the top, and the month to come; no colours."""
    said = cli("usage", "-c", filled.config())
    assert said.code == 0
    assert said.err == ""
    assert _lines(said.out) == _lines(TABLE)
    assert "\x1b" not in said.out


@pytest.mark.parametrize("width", [120, 80, 60, 45])
def test_no_line_is_wider_than_the_terminal(
    cli: Cli, filled: Books, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    """A narrow terminal gets fewer figures and shorter bars; the cost is always there."""
    monkeypatch.setenv("COLUMNS", str(width))
    said = cli("usage", "-c", filled.config(), "--by", "user,provider")
    assert said.code == 0
    assert max(map(len, said.out.splitlines())) <= width
    assert ">=$2.98" in said.out
    assert ("tokens in" in said.out) is (width >= 60)


def test_figures_are_of_what_was_asked_for(cli: Cli, filled: Books) -> None:
    """Time and conditions narrow the rows, the bars, the top and what is to come alike."""
    said = cli(
        "usage", "-c", filled.config(), "--by", "day", "--since", "2026-11-25",
        "--until", "2026-11-27", "--only", "provider=openai", "--only", "tag:team=search",
    )  # fmt: skip
    assert said.code == 0
    title, *rest = _lines(said.out)
    assert title == (
        "Usage from 2026-11-25 00:00 until 2026-11-27 00:00 (UTC) of provider openai, "
        "tag:team search"
    )
    assert [line.split()[0] for line in rest if line.startswith("  ")] == [
        *("2026-11-25", "2026-11-26"),
        *("openai", "gpt-4o", "ann"),
    ]
    assert rest[-1].startswith("If it goes on as in the last 7 days: ~$3.80 in 30 days")


def test_the_greatest_are_named_and_the_others_summed_up(cli: Cli, filled: Books) -> None:
    """With --top the rest is one row, and nothing is missing from the sum."""
    said = cli("usage", "-c", filled.config(), "--by", "day", "--top", "2", "--days", "3")
    rows = [line for line in _lines(said.out) if line.startswith(("│", "├"))]
    assert [row.split()[1] for row in rows if row.startswith("│")] == [
        "2026-11-27",
        "2026-11-26",
        "others",
        "total",
    ]
    assert rows[-2].startswith("├")
    chart = said.out.split("cost by day\n")[1].split("\n\n")[0]
    assert [line.split()[0] for line in chart.splitlines()] == [
        *("2026-11-25", "2026-11-26", "2026-11-27"),
    ]
    assert "llama" not in said.out.split("top models")[1]


def test_days_are_those_of_the_time_zone(cli: Cli, filled: Books) -> None:
    """The configuration's time zone says when a day begins, in rows and in options."""
    config = filled.config(head='time_zone = "Pacific/Kiritimati"')  # 14 hours before UTC
    data = _json(cli, config, "--by", "day", "--since", "2026-11-28")
    assert data["time_zone"] == "Pacific/Kiritimati"
    assert [row["key"]["day"] for row in data["rows"]] == ["2026-11-28"]
    assert data["since"] == NOW - 2 * 3600
    assert data["total"]["attempts"] == 6


def _json(cli: Cli, config: str, *options: str) -> dict[str, Any]:
    said = cli("usage", "-c", config, "--json", *options)
    assert said.code == 0, said.err
    data: dict[str, Any] = json.loads(said.out)
    return data


def test_json_has_all_of_it_exactly(cli: Cli, filled: Books) -> None:
    """Amounts are decimal strings with their certainty, and rows add up to the total."""
    data = _json(cli, filled.config())
    assert data["store"] == str(filled.store)
    assert (data["total"]["cost"], data["total"]["certainty"]) == ("2.985", "at least")
    assert sum(Decimal(row["cost"]) for row in data["rows"]) == Decimal("2.985")
    assert sum(Decimal(row["cost"]) for row in data["days"]) == Decimal("2.985")
    assert sum(row["share"] for row in data["providers"]) == pytest.approx(1)
    assert data["rows"][1]["key"] == {"provider": "openai", "model": "gpt-4o"}
    assert [row["key"]["user"] for row in data["top_users"]] == ["ann", "bob"]
    assert data["projection"]["days"] == 30
    assert data["projection"]["basis_days"] == 7
    assert data["total"]["unpriced"] == 1


def test_csv_is_for_spreadsheets(cli: Cli, filled: Books) -> None:
    """A heading and one line for each row, with all digits."""
    said = cli("usage", "-c", filled.config(), "--csv", "--by", "user,tag:team")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [(row["user"], row["tag:team"]) for row in rows] == [
        *(("ann", ""), ("ann", "search"), ("bob", ""), ("", "")),
    ]
    assert rows[2] == {
        "user": "bob",
        "tag:team": "",
        "attempts": "12",
        "succeeded": "12",
        "unpriced": "0",
        "input_tokens": "12012",
        "output_tokens": "2484",
        "cached_tokens": "0",
        "cache_write_tokens": "0",
        "reasoning_tokens": "0",
        "cost": "0.105",
        "certainty": "exact",
        "latency": "6.0",
    }


def test_a_store_is_read_by_itself(cli: Cli, filled: Books) -> None:
    """With --store no configuration is needed."""
    said = cli("usage", "--store", str(filled.store), "--by", "outcome")
    assert said.code == 0
    assert {"succeeded", "cancelled", "failed"} <= set(said.out.split())


def test_it_reads_while_an_agent_is_at_work(cli: Cli, filled: Books) -> None:
    """The lock of a runtime is neither needed nor taken."""
    lock = filled.lock
    lock.acquire()
    said = cli("usage", "-c", filled.config())
    lock.release(orderly=True)
    assert said.code == 0
    assert ">=$2.98" in said.out


def test_without_costs_attempts_are_drawn(cli: Cli, filled: Books) -> None:
    """Where nothing has cost anything, shares and bars go by attempts."""
    said = cli("usage", "-c", filled.config(), "--only", "provider=local")
    assert said.code == 0
    assert "attempts by day" in said.out
    assert re.search(r"llama +█+ +1 100%", said.out)
    assert "top users" not in said.out


def test_long_ago_is_no_trend(cli: Cli, filled: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing was used of late, nothing is foretold."""
    monkeypatch.setattr(stored, "wall_clock", lambda: NOW + 30 * DAY)
    said = cli("usage", "-c", filled.config())
    assert said.out.endswith("Nothing was used in the last 7 days, so nothing is foretold.\n")


def test_names_cannot_steer_the_terminal(cli: Cli, books: Books) -> None:
    """A user's name comes from outside: control characters in it are not written."""
    subject = Subject("openai", "openai", "m", "eve\x1b[2J")
    books.fill([Charge("evil", NOW, subject, 1, "succeeded", None, Cost(Decimal(9)))])
    said = cli("usage", "-c", books.config(), "--by", "user")
    assert "eve[2J" in said.out
    assert "\x1b" not in said.out


# Nothing to show, and what cannot be asked.


def test_books_that_have_not_been_begun(cli: Cli, books: Books) -> None:
    """Before the first run there is nothing, and it is said where it was looked for."""
    said = cli("usage", "-c", books.config())
    assert (said.code, said.out) == (0, "")
    assert said.err == (
        f"note: nothing was booked: {books.store} is not there yet; the first runtime makes it\n"
    )
    assert not books.store.exists()


def test_empty_books_say_so(cli: Cli, books: Books) -> None:
    """A store without a charge, and a question that nothing fits, are told apart."""
    write(books.store, [])
    said = cli("usage", "-c", books.config())
    assert (said.code, said.out) == (0, "")
    assert said.err == f"note: nothing has been booked in {books.store} yet\n"
    said = cli("usage", "-c", books.config(), "--since", "2030-01-01", "--csv")
    assert said.out.startswith("provider,model,attempts")
    assert said.err == f"note: nothing in {books.store} fits --since, --until and --only\n"
    assert _json(cli, books.config())["days"] == []


def test_usage_in_memory_is_gone(cli: Cli, quick: str) -> None:
    """Where no file is configured, the remedy is said."""
    said = cli("usage", "-c", quick)
    assert said.code == 2
    assert said.err == (
        f"error: {quick}: usage is kept in memory, and gone with the runtime; "
        'put path = "trio_llm.db" under [store] for a file on disk\n'
    )
    said = cli("usage")
    assert said.code == 2
    assert "name a configuration with --config" in said.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--by", "modle"], '--by: no property "modle"; did you mean "model"?'),
        (["--by", ","], "--by names nothing; give some of provider, kind"),
        (["--by", "tag:"], 'did you mean "tag:NAME"?'),
        (["--since", "yesterday"], "--since: 'yesterday' is no time; give a day as 2026-11-01"),
        (["--until", "2026-13-01"], "--until: '2026-13-01' is no time"),
        (["--since", "7d", "--until", "8d"], "--until is not after --since"),
        (["--only", "openai"], "--only: 'openai' has no =; write it as in provider=openai"),
        (["--only", "modle=x"], '--only: no property "modle"'),
        (["--only", "user=a", "--only", "user=b"], "--only: user is given twice"),
        (["--json", "--csv"], "--json and --csv exclude each other"),
        (["--top", "0"], "--top"),
        (["--days", "400"], "--days"),
        (["--store", "nowhere.db"], "nowhere.db: no such file; give the file"),
        (["--store", "."], ".: a directory; give the file"),
    ],
)
def test_wrong_usage(cli: Cli, filled: Books, options: list[str], words: str) -> None:
    """What cannot be asked is said in words, with the remedy; nothing is shown."""
    said = cli("usage", "-c", filled.config(), *options)
    assert (said.code, said.out) == (2, "")
    assert words in " ".join(said.err.split())


def test_a_sheet_runs_nothing_that_somebody_has_sent(cli: Cli, books: Books) -> None:
    """Names of users and tags are texts to a spreadsheet, and steer no terminal."""
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\x1b[31mred", "two\nlines", "a=b", "ann"]
    charges = [
        Charge(
            str(number),
            NOW,
            Subject("one", "openai", "m", name, tags=(("=t\x1b", "v"),)),
            number,
            "succeeded",
            None,
            None,
            0.0,
        )
        for number, name in enumerate(names)
    ]
    write(books.store, charges)
    said = cli("usage", "-c", books.config(), "--csv", "--by", "user,tag:=t\x1b")
    head, *rows = csv.reader(io.StringIO(said.out))
    assert head[1] == "tag:=t"
    assert {row[0] for row in rows} == {
        "'=1+1",
        "'+1",
        "'-1",
        "'@SUM(A1)",
        "' =1",
        "[31mred",
        "two lines",
        "a=b",
        "ann",
    }
    assert "\x1b" not in said.out


def test_another_file_is_no_store(cli: Cli, books: Books) -> None:
    """With --store the failure says so, and what to do."""
    path = books.folder / "passwd"
    path.write_text("root:x:0:0:root:/root:/bin/sh\n")
    said = cli("usage", "--store", str(path))
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"error: {path}: it is no store of this library")
    assert "give another path" in said.err
    assert path.read_text() == "root:x:0:0:root:/root:/bin/sh\n"


def test_a_file_that_is_no_store(cli: Cli, books: Books) -> None:
    """It is left as it is, and the failure names it."""
    books.store.write_text("my diary, " * 500)
    said = cli("usage", "-c", books.config())
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith(f"error: {books.store}: it is no store of this library")
    assert books.store.read_text() == "my diary, " * 500
