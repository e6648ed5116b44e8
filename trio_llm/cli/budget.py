"""``trio-llm budget``: how the budgets of a configuration stand, from the books on disk."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
import typer
from rich.table import Table
from rich.text import Text

from trio_llm.bookkeeping import rules_of
from trio_llm.chat import Cost
from trio_llm.cli.amounts import dollars, exactly, money
from trio_llm.cli.bars import bar
from trio_llm.cli.columns import fitted
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.stored import Place, place_of, reading
from trio_llm.cli.terminal import Terminal, printable
from trio_llm.config import load_config
from trio_llm.policy.spending import BudgetStatus, Rule

EPILOG = examples(
    "trio-llm budget -c trio_llm.toml",
    "trio-llm budget --json | jq '.budgets[] | select(.share >= 0.8)'",
)

_RANKS: Final[Mapping[str, int]] = {
    "budget": 0,
    "whose": 1,
    "used": 2,
    "spent": 0,
    "set aside": 5,
    "limit": 0,
    "left": 3,
    "until": 4,
    "projected": 6,
    "alerts": 7,
    "at the limit": 8,
}
"""The columns, and in which order they get what room there is; 0 is always shown."""

_LEFT: Final = frozenset(("budget", "whose", "used", "until", "alerts", "at the limit"))
_WIDE: Final = 120
"""Columns of a terminal that has room for long bars."""

_ON_LIMIT: Final[Mapping[str, str]] = {
    "refuse": "refuses",
    "fall_on": "falls on",
    "warn": "warns",
}


def budget(context: typer.Context, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show how the budgets stand: spent, set aside for calls under way, and left.

    An agent may be at work meanwhile.
    """
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded = load_config(config)
        rules = rules_of(loaded)
        if not rules:
            if as_json:
                terminal.document({"budgets": []})
            terminal.note(
                "the configuration has no budgets; add one: "
                '[budgets.daily] with limit = 5.0 (US dollars) and period = "day"'
            )
            return ExitCode.OK
        place = place_of(loaded, config, "budgets are")
        statuses = await standing(place, rules)
        if as_json:
            terminal.document(
                {
                    "store": str(place.path),
                    "time_zone": place.time_zone,
                    "budgets": [status_data(status, rules) for status in statuses],
                }
            )
        else:
            terminal.table(budget_table(statuses, rules, terminal.out.width))
        if not place.begun:
            terminal.note(f"nothing was spent: {place.absence()}")
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


async def standing(place: Place, rules: Sequence[Rule]) -> tuple[BudgetStatus, ...]:
    """Tell how budgets stand, by what is on disk.

    What is set aside there counts, be its attempt under way or lost with its process: the
    next runtime will book it as spent.

    Raises:
        StoreError: The books cannot be read.
    """
    # To set something aside asks for room, which there need not be any more: under rules
    # that only warn there always is, and the true ones take over what they hold.
    lenient = [attrs.evolve(rule, on_limit="warn") for rule in rules]
    async with reading(place) as accounts:
        accounts.reconfigure(lenient, await accounts.history(lenient))
        now = place.clock()
        for each in await accounts.journal.store.outstanding():
            accounts.spending.reserve(now, each.subject, each.estimate)
    accounts.reconfigure(rules, ())
    return accounts.budgets()


def budget_table(statuses: Sequence[BudgetStatus], rules: Sequence[Rule], width: int) -> Table:
    """Give one row for each account, and one for each budget that has none yet.

    Args:
        statuses: How the accounts stand.
        rules: The budgets.
        width: Columns of the terminal.
    """
    length = 20 if width >= _WIDE else 10
    rows = [_cells(status, rule, length) for rule, status in _in_order(statuses, rules)]
    return fitted(_RANKS, rows, width, left=_LEFT, title="Budgets")


def _in_order(
    statuses: Sequence[BudgetStatus], rules: Sequence[Rule]
) -> Iterator[tuple[Rule, BudgetStatus | None]]:
    for rule in rules:
        own: list[BudgetStatus | None] = [each for each in statuses if each.name == rule.name]
        yield from ((rule, status) for status in own or [None])


def _cells(status: BudgetStatus | None, rule: Rule, length: int) -> dict[str, Text]:
    cells = {heading: Text() for heading in _RANKS}
    period = "in all" if rule.period == "total" else f"a {rule.period}"
    cells |= {
        "budget": Text(printable(rule.name), "bold"),
        "limit": Text(f"{dollars(rule.limit)} {period}"),
        "at the limit": Text(_ON_LIMIT[rule.on_limit]),
    }
    if status is None:
        return cells | {
            "whose": Text(f"no {rule.per} yet", "dim"),
            "spent": Text(dollars(rule.limit * 0)),
        }
    share = status.share
    style = _style(share, rule)
    reserved = float(status.reserved / status.limit)
    passed = [f"{alert:.0%}" for alert in rule.alerts if share >= alert]
    return cells | {
        "whose": Text(f"{rule.per} {printable(status.account)}" if status.account else "all"),
        "used": bar(share, length, style, reserved).append(f" {share:.0%}", style),
        "spent": Text(money(Cost(status.spent, status.certainty)), style),
        "set aside": Text(dollars(status.reserved) if status.reserved else ""),
        "left": Text(dollars(status.remaining)),
        "until": Text(_until(status, rule)),
        "projected": Text("" if status.projected is None else dollars(status.projected)),
        "alerts": Text(", ".join(passed), "yellow"),
    }


def _style(share: float, rule: Rule) -> str:
    if share >= 1.0:
        return "red"
    return "yellow" if any(share >= alert for alert in rule.alerts) else "green"


def _until(status: BudgetStatus, rule: Rule) -> str:
    if status.until is None:
        return ""
    zone = UTC if rule.time_zone == "UTC" else ZoneInfo(rule.time_zone)
    return f"{datetime.fromtimestamp(status.until, zone):%Y-%m-%d %H:%M}".removesuffix(" 00:00")


def status_data(status: BudgetStatus, rules: Sequence[Rule]) -> dict[str, Any]:
    """Give an account as plain values: amounts as decimal strings, times in seconds."""
    rule = next(rule for rule in rules if rule.name == status.name)
    amounts = ("limit", "spent", "reserved", "remaining")
    return {
        "name": status.name,
        "per": status.per,
        "account": status.account,
        "period": status.period,
        **{name: exactly(getattr(status, name)) for name in amounts},
        "certainty": status.certainty.word,
        "unpriced": status.unpriced,
        "share": status.share,
        "since": status.since,
        "until": status.until,
        "projected": None if status.projected is None else exactly(status.projected),
        "alerts_passed": [alert for alert in rule.alerts if status.share >= alert],
        "on_limit": status.on_limit,
    }
