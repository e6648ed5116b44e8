"""``trio-llm top``: a runtime at work, as a table, as JSON lines, and until Ctrl-C."""

import io
import json
import random
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
"""


def _console() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100, height=40, color_system=None)


def _written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


async def _shown(
    config: Config,
    seconds: float,
    *,
    rate: float = 2.2,
    via: str | None = None,
    once: bool = False,
    live: bool = False,
    as_json: bool = False,
) -> str:
    """Show a runtime for some seconds, or one interval, and give what was written."""
    terminal = Terminal()
    terminal.out = _console()
    async with open_runtime(config, rng=random.Random(1), wall_clock=lambda: 0.0) as runtime:
        traffic = Traffic("hello", rate)
        root = via or runtime.name
        show = Show(terminal, runtime, root, traffic, rules_of(config), live, as_json)
        with trio.move_on_after(seconds):
            await show.run(runtime.provider(root), 1.0, once=once)
    return _written(terminal.out)


@pytest.mark.usefixtures("autojump_clock")
async def test_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Totals, a row for each actor in the shape of the tree, and the budgets."""
    drawn = await _shown(CONFIG, 60, once=True)
    print(drawn)
    assert 0
