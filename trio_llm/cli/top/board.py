"""The picture of a runtime at work: totals, a row for each actor, and the budgets."""

from collections.abc import Mapping, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trio_llm.cli.amounts import duration, money
from trio_llm.cli.attempts import seconds
from trio_llm.cli.budget import budget_table
from trio_llm.cli.columns import fitted
from trio_llm.cli.monitor.board import STATES
from trio_llm.cli.terminal import printable
from trio_llm.cli.top.sample import Sample, Trail
from trio_llm.policy.spending import Rule
from trio_llm.providers.status import ProviderStatus

_RANKS: Final[Mapping[str, int]] = {
    "name": 0,
    "state": 0,
    "busy": 2,
    "queued": 7,
    "rest": 1,
    "calls": 6,
    "calls/s": 3,
    "success": 2,
    "wins": 4,
    "p50": 5,
    "p95": 6,
    "tokens in": 8,
    "tokens out": 8,
    "cost": 1,
}
"""The columns, and in which order they get what room there is; 0 is always shown."""

_LEFT: Final = frozenset(("name", "state"))
_LEAST: Final[Mapping[str, int]] = {
    "rest": len("10.0 s"),
    "state": len("occupied"),
    "cost": len(">=$0.0012"),
    "p50": len("123 ms"),
    "p95": len("123 ms"),
    "success": len("success"),
    "wins": len("100%"),
}
"""So wide are some at least, so that nothing jumps when something begins to be known."""


def picture(trail: Trail, rules: Sequence[Rule], width: int, footer: Sequence[str]) -> Group:
    """Draw it.

    Args:
        trail: The samples.
        rules: The budgets.
        width: Columns of the terminal.
        footer: Lines that stand at the end.
    """
    sample = trail.last
    parts: list[RenderableType] = [headline(trail), actor_table(trail, width)]
    if rules:
        parts.append(budget_table(sample.budgets, rules, width))
    parts += [Text(printable(line), "dim", no_wrap=True, overflow="ellipsis") for line in footer]
    return Group(*parts)


def headline(trail: Trail) -> Text:
    """Say what the runtime has done in all."""
    sample = trail.last
    calls = sample.statistics.nodes[sample.root]
    read, written = sample.tokens
    many = "call" if calls.requests == 1 else "calls"
    facts = [
        duration(trail.elapsed),
        f"{calls.requests:,} {many} ({trail.per_second(sample.root):.1f}/s)",
    ]
    if sample.cached:
        facts.append(f"{sample.cached:,} more from the cache")
    if calls.success_rate is not None:
        facts.append(f"{calls.success_rate:.0%} succeeded")
    return Text.assemble(
        (sample.root, "bold"),
        f" · {' · '.join(facts)} · ",
        (money(sample.statistics.cost), "bold"),
        f" · {read:,} tokens in, {written:,} out",
        no_wrap=True,
        overflow="ellipsis",
    )


def actor_table(trail: Trail, width: int) -> Table:
    """Give one row for each provider and balancer, those who are asked below those who ask."""
    sample = trail.last
    rows = [_cells(trail, sample, depth, status) for depth, status in sample.tree]
    return fitted(_RANKS, rows, width, left=_LEFT, least=_LEAST)


def _cells(trail: Trail, sample: Sample, depth: int, status: ProviderStatus) -> dict[str, Text]:
    counts = sample.statistics.nodes[status.name]
    places = "" if status.max_concurrency is None else f"/{status.max_concurrency}"
    rest = status.cooldown_remaining
    return {
        "name": Text(f"{'  ' * depth}{status.name}", "bold" if status.members else ""),
        "state": Text(status.state, STATES.get(status.state, "red")),
        "busy": Text(f"{status.in_flight + status.held}{places}"),
        "queued": Text(str(status.queued)),
        "rest": Text(f"{rest:.1f} s" if rest else "", "yellow"),
        "calls": Text(f"{counts.requests:,}"),
        "calls/s": Text(f"{trail.per_second(status.name):.1f}"),
        "success": _share(counts.success_rate),
        "wins": Text("" if counts.win_rate is None else f"{counts.win_rate:.0%}"),
        "p50": _time(counts.p50),
        "p95": _time(counts.p95),
        "tokens in": Text(f"{counts.input_tokens:,}"),
        "tokens out": Text(f"{counts.output_tokens:,}"),
        "cost": Text(money(counts.cost)),
    }


def _time(value: float | None) -> Text:
    return Text("" if value is None else seconds(value))


def _share(value: float | None) -> Text:
    if value is None:
        return Text("")
    return Text(f"{value:.0%}", "" if value > 0.99 else "yellow" if value > 0.5 else "red")
