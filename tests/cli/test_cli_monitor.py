"""``trio-llm monitor``: rounds of probes as a table, as lines, and as JSON lines."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.cli.cli_runs import Cli, at_a_terminal, read_rest, read_until
from trio_llm import events
from trio_llm.cli.monitor.board import Board
from trio_llm.cli.monitor.watch import Change, Probed, Record, Watch
from trio_llm.errors import ProviderUnavailableError, ServerError
from trio_llm.providers.status import ProviderStatus
from trio_llm.runtime import Health

WARD = """
default = "well"
[providers.well]
kind = "simulated"
simulation = { latency = 0.001 }
[providers.sick]
kind = "simulated"
simulation = { latency = 0.001, failure_rate = 1.0 }
cooldown = { after_failures = 2, initial = 60 }
[providers.off]
kind = "simulated"
enabled = false
"""


@pytest.fixture
def ward(tmp_path: Path) -> str:
    """Write one provider that is well, one that is not, and one that is switched off."""
    path = tmp_path / "ward.toml"
    path.write_text(WARD)
    return str(path)


@pytest.fixture
def healthy(tmp_path: Path) -> str:
    """Write one provider that is well."""
    path = tmp_path / "healthy.toml"
    path.write_text('[providers.well]\nkind = "simulated"\nsimulation = { latency = 0.001 }\n')
    return str(path)


def test_lines_tell_each_probe_and_each_change(cli: Cli, ward: str) -> None:
    """Without a terminal each probe is a line; a rest begins once, and is not broken by probes."""
    said = cli("monitor", "-c", ward, "--interval", "0.1", "--rounds", "3")
    assert said.code == 1
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in said.out.splitlines()]
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in said.out.splitlines())
    assert sum(line.startswith("well: ok after ") for line in lines) == 3
    failed = [line for line in lines if line.startswith("sick: failed after ")]
    assert len(failed) == 2
    assert failed[0].endswith(": a simulated failure [ServerError]")
    assert "sick: breaker closed → open (a simulated failure)" in lines
    assert lines.count("sick: not asked, it is cooling") == 1
    assert not any("off" in line.split(":")[0] for line in lines)


def test_everybody_well_in_the_last_round_is_success(cli: Cli, healthy: str) -> None:
    """With --rounds the exit code says how the last round went."""
    said = cli("monitor", "-c", healthy, "--rounds", "1")
    assert said.code == 0
    assert len(said.out.splitlines()) == 1


def test_json_is_one_object_on_a_line(cli: Cli, ward: str) -> None:
    """Each probe has its outcome and how the provider fares; each event its own fields."""
    said = cli("monitor", "-c", ward, "--interval", "0.1", "--rounds", "3", "--json")
    assert said.code == 1
    records: list[dict[str, Any]] = [json.loads(line) for line in said.out.splitlines()]
    probes = [record for record in records if record["type"] == "probe"]
    assert [(probe["round"], probe["name"]) for probe in probes].count((3, "sick")) == 1
    assert len(probes) == 6
    last = {probe["name"]: probe for probe in probes}
    assert last["well"]["healthy"] is True
    assert last["well"]["status"]["breaker"] == "closed"
    assert last["well"]["probes"]["count"] == 3
    assert 0 < last["well"]["probes"]["p50"] <= last["well"]["probes"]["p95"] < 5
    assert (last["sick"]["healthy"], last["sick"]["asked"]) == (False, False)
    assert last["sick"]["error_class"] == "ProviderUnavailableError"
    assert last["sick"]["status"]["breaker"] == "open"
    assert last["sick"]["probes"] == {"count": 2, "success_rate": 0.0, "p50": None, "p95": None}
    changed = next(record for record in records if record.get("event") == "BreakerChanged")
    assert (changed["name"], changed["old"], changed["new"]) == ("sick", "closed", "open")
    rest = next(record for record in records if record.get("event") == "CooldownStarted")
    assert rest["until"] - rest["time"] == pytest.approx(60, rel=0.2)


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 0), (["--json"], 0), (["--rounds", "1000"], 130)]
)
def test_interrupt_is_the_end_of_an_endless_watch(
    healthy: str, environment: dict[str, str], arguments: list[str], code: int
) -> None:
    """Ctrl-C ends it with 0; it breaks off one that was to end by itself, with 130."""
    command, terminal = at_a_terminal(
        ["monitor", "-c", healthy, "--interval", "0.2", *arguments],
        environment | {"COLUMNS": "100", "LINES": "20"},
    )
    seen = read_until(terminal, b"well")
    seen += read_until(terminal, b"well")
    command.send_signal(signal.SIGINT)
    seen += read_rest(terminal)
    assert command.wait(10) == code
    assert b"Traceback" not in seen
    assert (b"interrupted" in seen) is (code == 130)
    assert seen.count(b"\x1b[?25h") == seen.count(b"\x1b[?25l")


def test_without_colour_the_table_is_plain(healthy: str, environment: dict[str, str]) -> None:
    """NO_COLOR takes the colours out of the live table."""
    command, terminal = at_a_terminal(
        ["monitor", "-c", healthy, "--rounds", "1"],
        environment | {"COLUMNS": "100", "LINES": "20", "NO_COLOR": "1"},
    )
    shown = read_rest(terminal)
    assert command.wait(20) == 0
    assert b"last probe" in shown
    assert not re.search(rb"\x1b\[[0-9;]*3[1-6]m", shown)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--interval", "0"], "--interval"),
        (["--rounds", "0"], "--rounds"),
        (["-c", "nowhere.toml"], "no such file"),
    ],
)
def test_wrong_usage(cli: Cli, arguments: list[str], words: str) -> None:
    """What cannot be done is said, and nobody is probed."""
    said = cli("monitor", *arguments)
    assert said.code == 2
    assert words in said.err
    assert said.out == ""


# The table.


def _watch(*names: str) -> Watch:
    def unsaid(*_told: object) -> None:
        """Nobody listens."""

    return Watch(names, unsaid, unsaid)


def _drawn(watch: Watch, statuses: list[ProviderStatus], width: int, height: int = 24) -> str:
    console = Console(width=width, color_system=None)
    board = Board(watch, width, height)
    clock = ["12:00:00" for _ in watch.changes]
    with console.capture() as capture:
        console.print(board.picture(100.0, clock, statuses, "round 3, every 10 s; Ctrl-C ends it"))
    return capture.get()


def _limited() -> ProviderStatus:
    return ProviderStatus(
        "openai",
        "openai",
        "cooling",
        in_flight=2,
        held=1,
        queued=4,
        max_concurrency=16,
        cooldown_remaining=12.34,
        failures=3,
        breaker="half_open",
        requests_available=41.7,
        tokens_available=123456.0,
    )


def test_wide_table_has_everything() -> None:
    """State, breaker, places, line, rest, failures, times, shares, limits and the last probe."""
    watch = _watch("openai")
    for latency in (0.1, 0.2, 0.3):
        watch.probed(Probed(90.0, 1, Health("openai", True, latency)))
    watch.probed(Probed(97.0, 2, Health("openai", False, 0.4, ServerError("down"))))
    row = _drawn(watch, [_limited()], 170).splitlines()[3]
    cells = [cell.strip() for cell in row.strip("│").split("│")]
    assert cells == [
        "openai",
        "cooling",
        "half open",
        "3/16",
        "4",
        "12.3 s",
        "3",
        "200 ms",
        "300 ms",
        "75%",
        "42",
        "123,456",
        "failed 400 ms, 3 s ago: ServerError",
    ]


@pytest.mark.parametrize("width", [120, 100, 80, 60, 50])
def test_narrow_table_leaves_out_what_matters_least(width: int) -> None:
    """No line is wider than the terminal; name, state and last probe are always there."""
    watch = _watch("openai")
    watch.probed(Probed(97.0, 1, Health("openai", True, 0.4)))
    drawn = _drawn(watch, [_limited()], width)
    assert max(len(line) for line in drawn.splitlines()) <= width
    for word in ("openai", "cooling", "ok 400 ms"):
        assert word in drawn
    assert ("half open" in drawn) is (width >= 60)
    assert ("123,456" in drawn) is (width >= 120)


def test_what_no_provider_has_takes_no_column() -> None:
    """Without rate limits there are no columns for what they leave."""
    status = ProviderStatus("a", "simulated", "ready", max_concurrency=1)
    drawn = _drawn(_watch("a"), [status], 170)
    assert "left" not in drawn
    assert "under way" in drawn


def test_changes_below_the_table_fit_the_terminal() -> None:
    """The last ones are shown, as many as the height allows, each on one line."""
    watch = _watch("a")
    for number in range(40):
        watch.changes.append(Change(float(number), "a", f"change {number} " + "x" * 200, True))
    status = ProviderStatus("a", "simulated", "ready", max_concurrency=1)
    drawn = _drawn(watch, [status], 80, height=20).splitlines()
    assert len(drawn) <= 20
    assert "change 39" in drawn[-2]
    assert drawn[-2].endswith("…")
    assert "change 0 " not in "\n".join(drawn)


def test_a_failure_that_goes_on_is_told_once() -> None:
    """Only another failure, or one after a success, is news; a refusal is none."""
    watch = _watch("a")
    down = Health("a", False, 0.1, ServerError("down"))
    resting = Health("a", False, 0.0, ProviderUnavailableError("it rests", code="cooling"))
    for number, health in enumerate([down, down, resting, down, Health("a", True, 0.1), down]):
        watch.probed(Probed(float(number), number, health))
    assert [change.at for change in watch.changes] == [0.0, 3.0, 5.0]


def test_records_of_others_are_left_out() -> None:
    """Calls and balancers are not what a monitor tells of."""
    watch = _watch("a")
    watch.observe(events.ActorDown(1.0, None, ("fast",)))
    watch.observe(events.AttemptStarted(1.0, 1, ("a",), 1, None))
    assert not watch.changes
    watch.observe(events.ProviderRecovered(2.0, None, ("a",), 75.0))
    watch.observe(events.ActorCrashed(3.0, None, ("a",), "\x1b[2Jboom"))
    watch.observe(events.ActorRestarted(3.1, None, ("a",), 0.1))
    watch.observe(events.ActorDown(3.2, None, ("a",)))
    assert [change.what for change in watch.changes] == [
        "recovered after 1 min 15 s",
        "its actor crashed: [2Jboom",
        "its actor was restarted",
        "its actor stays down",
    ]


def test_percentiles_are_of_the_answers_by_nearest_rank() -> None:
    """Failures count for the share that was answered, and not for how long answers take."""
    record = Record()
    assert (record.success_rate, record.percentile(0.5)) == (None, None)
    for latency in (0.4, 0.1, 0.3, 0.2):
        record.add(Health("a", True, latency))
    record.add(Health("a", False, 9.0, ServerError("down")))
    assert (record.percentile(0.5), record.percentile(0.95)) == (0.2, 0.4)
    assert record.success_rate == pytest.approx(0.8)
