"""``trio-llm top``: a runtime at work, as a table, as JSON lines, and until Ctrl-C."""

import io
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from rich.console import Console

from tests.cli.cli_runs import Cli
from trio_llm.bookkeeping import rules_of
from trio_llm.chat import Cost
from trio_llm.cli.terminal import Terminal
from trio_llm.cli.top.command import Show
from trio_llm.cli.top.sample import Sample, Trail
from trio_llm.cli.top.traffic import Traffic
from trio_llm.config import (
    Budget,
    CacheSettings,
    Config,
    Fallback,
    PriceSettings,
    Provider,
    Race,
    Simulation,
)
from trio_llm.providers.status import NodeStatistics, ProviderStatus
from trio_llm.runtime import Statistics, open_runtime
from trio_llm.testing import World, run

TEXT = "one two three four"


def _provider(latency: float, price: int, **more: Any) -> Provider:
    simulation = Simulation(latency=latency, text=TEXT, **more)
    return Provider("simulated", simulation=simulation, price=PriceSettings(price, price))


CONFIG = Config(
    providers={
        "broken": _provider(0.05, 0, failure_rate=1.0),
        "swift": _provider(0.2, 100),
        "steady": _provider(0.4, 400),
        "spare": _provider(0.1, 0),
    },
    balancers={"fast": Race(("swift", "steady")), "reliable": Fallback(("broken", "fast"))},
    default="reliable",
    budgets={"day": Budget(limit=2.0, period="day")},
)

TABLE = """\
reliable · 1 s · 2 calls (2.0/s) · 100% succeeded · >=$0.0050 · 2 tokens in, 8 out
┏━━━━━━━━━━━━┳━━━━━━━━━━┳━━━━━━┳━━━━━━━━┳━━━━━━━┳━━━━━━━━━┳━━━━━━━━━┳━━━━━━┳━━━━━━━━┳━━━━━━━━━━━┓
┃ name       ┃ state    ┃ busy ┃   rest ┃ calls ┃ calls/s ┃ success ┃ wins ┃    p50 ┃      cost ┃
┡━━━━━━━━━━━━╇━━━━━━━━━━╇━━━━━━╇━━━━━━━━╇━━━━━━━╇━━━━━━━━━╇━━━━━━━━━╇━━━━━━╇━━━━━━━━╇━━━━━━━━━━━┩
│ reliable   │ ready    │    1 │        │     2 │     2.0 │    100% │      │ 249 ms │ >=$0.0050 │
│   broken   │ cooling  │ 0/16 │  5.2 s │     3 │     3.0 │      0% │      │        │        $0 │
│   fast     │ ready    │    1 │        │     2 │     2.0 │    100% │      │ 206 ms │ >=$0.0050 │
│     swift  │ ready    │ 1/16 │        │     2 │     2.0 │    100% │ 100% │ 206 ms │   $0.0010 │
│     steady │ ready    │ 1/16 │        │     2 │     2.0 │         │   0% │        │ >=$0.0040 │
│ spare      │ ready    │ 0/16 │        │     0 │     0.0 │         │      │        │        $0 │
└────────────┴──────────┴──────┴────────┴───────┴─────────┴─────────┴──────┴────────┴───────────┘
Budgets
┏━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━┓
┃ budget ┃ whose ┃ used          ┃     spent ┃ set aside ┃       limit ┃  left ┃ until      ┃
┡━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━┩
│ day    │ all   │ ▏░         0% │ >=$0.0050 │     $0.11 │ $2.00 a day │ $1.89 │ 1970-01-02 │
└────────┴───────┴───────────────┴───────────┴───────────┴─────────────┴───────┴────────────┘
"""


def _console() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100, height=40, color_system=None)


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _shown(
    config: Config,
    seconds: float,
    *,
    rate: float = 2.2,
    via: str | None = None,
    once: bool = False,
    live: bool = False,
    as_json: bool = False,
) -> str:
    """Show a runtime for some virtual seconds, or one interval, and give what was written."""
    terminal = Terminal()
    terminal.out = _console()

    async def scenario(world: World) -> None:
        async with open_runtime(config, rng=world.rng, wall_clock=lambda: 0.0) as runtime:
            traffic = Traffic("hello", rate)
            root = via or runtime.name
            show = Show(terminal, runtime, root, traffic, rules_of(config), live, as_json)
            with trio.move_on_after(seconds):
                await show.run(runtime.provider(root), 1.0, once=once)

    run(scenario)
    return _written(terminal.out)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_one_look() -> None:
    """Totals, a row for each actor in the shape of the tree, and the budgets."""
    assert _lines(_shown(CONFIG, 60, once=True)) == _lines(TABLE)


def test_json_is_one_object_for_each_interval(capsys: pytest.CaptureFixture[str]) -> None:
    """Times in seconds, amounts as decimal strings; what the members cost is what is paid."""
    assert _shown(CONFIG, 3.5, as_json=True) == ""
    looks: list[dict[str, Any]] = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert [look["elapsed"] for look in looks] == pytest.approx([1, 2, 3])
    last = looks[-1]
    actors = {actor["name"]: actor for actor in last["actors"]}
    assert [(actor["name"], actor["depth"]) for actor in last["actors"]] == [
        *(("reliable", 0), ("broken", 1), ("fast", 1), ("swift", 2), ("steady", 2), ("spare", 0)),
    ]
    assert actors["broken"]["state"] == "cooling"
    assert actors["swift"]["win_rate"] == 1.0
    assert last["totals"]["per_second"] == pytest.approx(last["totals"]["requests"] / 3)
    paid = Decimal(actors["swift"]["cost"]) + Decimal(actors["steady"]["cost"])
    assert Decimal(last["totals"]["cost"]) == paid > 0
    assert last["totals"]["certainty"] == "at least"
    assert last["budgets"][0]["spent"] == last["totals"]["cost"]


def test_a_person_sees_it_live() -> None:
    """One picture takes the place of another; the last one stays, and the cursor comes back."""
    written = _shown(CONFIG, 4.5, live=True)
    assert "Ctrl-C ends it" in written
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
    last = written[written.rindex("\x1b[?25h") :]
    assert "reliable · 4 s · " in last
    assert "Ctrl-C" not in last


def test_another_than_the_default_may_be_asked() -> None:
    """Then the totals are of that one, and it stands at the top."""
    drawn = _lines(_shown(CONFIG, 60, once=True, via="spare"))
    assert drawn[0].startswith("spare · 1 s · 2 calls (2.0/s) · 100% succeeded")
    assert drawn[4].startswith("│ spare")


def test_why_calls_fail_is_said() -> None:
    """The last failure stands below, so that a table of failures is no riddle."""
    drawn = _lines(_shown(CONFIG, 60, once=True, via="broken"))
    assert "0% succeeded" in drawn[0]
    assert drawn[-1] == "the last failure: broken: a simulated failure [ServerError]"


def test_answers_from_the_cache_are_told_apart() -> None:
    """Nobody is asked for them, and so they stand in no row."""
    config = attrs.evolve(CONFIG, cache=CacheSettings(mode="on"))
    drawn = _lines(_shown(config, 60, once=True))
    assert "1 call (1.0/s) · 2 more from the cache" in drawn[0]


def test_traffic_keeps_its_pace_and_its_bound() -> None:
    """So many a second whatever answers take, but never more than 256 under way."""
    config = Config(
        providers={"slow": attrs.evolve(_provider(30.0, 0), max_concurrency=1000, mailbox=1000)}
    )

    async def scenario(_world: World) -> list[int]:
        async with open_runtime(config) as runtime, trio.open_nursery() as nursery:
            nursery.start_soon(Traffic("hello", 10.0).drive, runtime)
            await trio.sleep(9.95)
            early = runtime.status()[0].in_flight
            await trio.sleep(20)
            late = runtime.status()[0].in_flight
            nursery.cancel_scope.cancel()
        return [early, late]

    assert run(scenario).value == [100, 256]


# What a trail tells.


def _sample(at: float, **requests: int) -> Sample:
    nodes = {name: NodeStatistics(requests=count) for name, count in requests.items()}
    return Sample(at, "a", (), Statistics(NodeStatistics(), nodes, cost=Cost()))


def test_rates_are_of_the_last_ten_seconds() -> None:
    """Older samples are let go of; one who has joined since counts from nothing."""
    trail = Trail()
    for second in range(31):
        count = min(second, 25) * 2
        trail.add(_sample(100.0 + second, a=count))
    assert trail.elapsed == 30
    assert trail.per_second("a") == pytest.approx((50 - 40) / 10)
    trail.add(_sample(131.0, a=50, new=30))
    assert trail.per_second("new") == pytest.approx(3)


def test_one_look_has_no_rate() -> None:
    """Before time has passed nothing can be said of it."""
    trail = Trail()
    trail.add(_sample(5.0, a=3))
    assert (trail.elapsed, trail.per_second("a")) == (0.0, 0.0)


def test_a_member_of_several_stands_once() -> None:
    """Where it is first asked; roots that the default never asks come after it."""
    statuses = (
        ProviderStatus("x", "simulated", "ready"),
        ProviderStatus("y", "simulated", "ready"),
        ProviderStatus("inner", "race", "ready", members=("x", "y")),
        ProviderStatus("other", "fallback", "ready", members=("inner", "x")),
        ProviderStatus("root", "fallback", "ready", members=("x", "inner")),
    )
    sample = Sample(0.0, "root", statuses, Statistics(NodeStatistics(), {}))
    assert [(depth, status.name) for depth, status in sample.tree] == [
        *((0, "root"), (1, "x"), (1, "inner"), (2, "y"), (0, "other")),
    ]


# The command.


@pytest.fixture
def real(tmp_path: Path) -> str:
    """Write a provider that is not simulated, and interrupts at its third call."""
    path = tmp_path / "real.toml"
    path.write_text(
        '[providers.real]\nkind = "custom"\noptions = { at = 3 }\n'
        'class = "tests.cli.interrupting_provider:Interrupting"\n'
    )
    return str(path)


def test_without_a_configuration_a_simulated_tree_is_shown(cli: Cli) -> None:
    """That is said, and it is one with balancers, prices and budgets."""
    said = cli("top", "--once", "--interval", "0.1")
    assert said.code == 0
    assert said.err == (
        "note: a simulated tree is shown: no key is set and no configuration given; "
        "no model is asked\n"
    )
    for word in ("reliable", "swift", "Budgets", "provider steady"):
        assert word in said.out


def test_interrupt_is_the_end(cli: Cli, real: str) -> None:
    """Ctrl-C ends it with 0, and with a last table."""
    said = cli("top", "-c", real, "--prompt", "Say OK.", "--rate", "1000", "--interval", "60")
    assert said.code == 0
    assert said.err == ""
    assert re.search(r"^real · \d s · \d+ calls", said.out)


def test_a_reader_that_has_enough_is_no_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """``top --json | head -1`` ends quietly, though it is a task that writes."""

    def closed(*_line: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Terminal, "json_line", closed)
    said = cli("top", "--demo", "--json", "--interval", "0.1")
    assert (said.code, said.out) == (0, "")
    assert said.err == "note: a simulated tree is shown; no model is asked\n"


def test_nobody_pays_unasked(cli: Cli, real: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real models are asked only what --prompt says; --demo asks none."""
    said = cli("top", "-c", real, "--once")
    assert (said.code, said.out) == (2, "")
    assert "error: real models would be asked, and each answer is paid for" in said.err
    assert "--demo for a simulated tree" in said.err
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-used")
    assert cli("top", "--once").code == 2
    said = cli("top", "-c", real, "--demo", "--once", "--interval", "0.1")
    assert said.code == 0
    assert said.err == "note: a simulated tree is shown; no model is asked\n"


def test_a_simulated_configuration_is_driven(cli: Cli, quick: str) -> None:
    """It costs nothing, so it needs no prompt."""
    said = cli("top", "-c", quick, "--once", "--interval", "0.1", "--json", "--rate", "100")
    assert said.code == 0
    assert said.err == f"note: every provider in {quick} is simulated; no model is asked\n"
    (look,) = map(json.loads, said.out.splitlines())
    assert look["totals"]["succeeded"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--demo", "--via", "stedy"], 'did you mean "steady"?'),
        (["--prompt", " "], "--prompt is empty; give one"),
        (["--interval", "0"], "--interval"),
        (["--rate", "0"], "--rate"),
        (["-c", "nowhere.toml"], "no such file"),
    ],
)
def test_wrong_usage(cli: Cli, arguments: list[str], words: str) -> None:
    """What cannot be done is said, and nobody is asked."""
    said = cli("top", "--once", *arguments)
    assert (said.code, said.out) == (2, "")
    assert words in said.err
