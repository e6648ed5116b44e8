"""The live picture of a monitor: one row for each provider, and what changed below."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
from rich.cells import cell_len
from rich.console import Group
from rich.table import Table
from rich.text import Text

from trio_llm.cli.amounts import duration
from trio_llm.cli.attempts import seconds
from trio_llm.cli.columns import fitting
from trio_llm.cli.monitor.watch import Change, Probed, Watch
from trio_llm.cli.terminal import printable
from trio_llm.providers.status import ProviderStatus

_COLUMNS: Final[Mapping[str, int]] = {
    "name": 0,
    "state": 0,
    "breaker": 1,
    "places": 3,
    "queue": 5,
    "rest": 1,
    "failures": 2,
    "p50": 4,
    "p95": 4,
    "success": 2,
    "calls left": 3,
    "tokens left": 3,
    "last probe": 0,
}
"""The columns, and in which order they get what room there is; 0 is always shown."""

_LEFT: Final = frozenset(("name", "state", "breaker", "last probe"))

STATES: Final[Mapping[str, str]] = {
    "ready": "green",
    "occupied": "cyan",
    "closed": "green",
    "half_open": "yellow",
    "throttled": "yellow",
    "probing": "yellow",
    "cooling": "yellow",
    "starting": "cyan",
}
"""The colour of each state, of an actor and of a breaker; of any other it is red."""

_FRAME: Final = 8
"""Lines that a picture needs besides its rows: titles, borders, a blank one and the last."""

_FEWEST: Final = 3
"""Changes that are shown however low the terminal is."""


@attrs.frozen
class Board:
    """Draws what a monitor has seen.

    Attributes:
        watch: What it has seen.
        width: Columns of the terminal.
        height: Lines of the terminal.
    """

    watch: Watch
    width: int
    height: int

    def picture(
        self, now: float, clock: Sequence[str], statuses: Sequence[ProviderStatus], footer: str
    ) -> Group:
        """Draw it.

        Args:
            now: The present instant, on Trio's clock.
            clock: The times of day of the changes, the oldest first.
            statuses: How the providers fare.
            footer: What stands at the end.
        """
        table = self._table(now, statuses)
        room = max(_FEWEST, self.height - table.row_count - _FRAME)
        lines = [
            _change_line(time, change)
            for time, change in zip(clock, self.watch.changes, strict=True)
        ][-room:]
        for line in lines:
            line.truncate(self.width, overflow="ellipsis")
        changes = [Text("What changed", "italic"), *lines] if lines else []
        return Group(table, *changes, Text(footer, "dim", no_wrap=True, overflow="ellipsis"))

    def _table(self, now: float, statuses: Sequence[ProviderStatus]) -> Table:
        rows = [self._row(now, status) for status in statuses]
        # A rest that has begun must not make the others jump.
        shown = fitting(_COLUMNS, rows, self.width, least={"rest": cell_len("300.0 s")})
        table = Table()
        for heading in shown:
            last = heading == "last probe"
            table.add_column(
                heading,
                justify="left" if heading in _LEFT else "right",
                overflow="ellipsis" if last else "fold",
                no_wrap=last,
            )
        for row in rows:
            table.add_row(*[row[heading] for heading in shown])
        return table

    def _row(self, now: float, status: ProviderStatus) -> dict[str, Text]:
        breaker = status.breaker
        rest = status.cooldown_remaining
        record = self.watch.records[status.name]
        return {
            "name": Text(status.name, "bold"),
            "state": Text(status.state, STATES.get(status.state, "red")),
            "breaker": Text(breaker.replace("_", " "), STATES.get(breaker, "red")),
            "places": Text(f"{status.in_flight + status.held}/{status.max_concurrency}"),
            "queue": Text(str(status.queued)),
            "rest": Text(f"{rest:.1f} s" if rest else "", "yellow"),
            "failures": Text(str(status.failures), "red" if status.failures else ""),
            "p50": _time(record.percentile(0.5)),
            "p95": _time(record.percentile(0.95)),
            "success": _share(record.success_rate),
            "calls left": _left(status.requests_available),
            "tokens left": _left(status.tokens_available),
            "last probe": _last(now, self.watch.last.get(status.name)),
        }


def _time(value: float | None) -> Text:
    return Text("" if value is None else seconds(value))


def _share(value: float | None) -> Text:
    if value is None:
        return Text("")
    return Text(f"{value:.0%}", "" if value > 0.99 else "yellow" if value > 0.5 else "red")


def _left(value: float | None) -> Text:
    return Text("" if value is None else f"{value:,.0f}")


def _last(now: float, probe: Probed | None) -> Text:
    if probe is None:
        return Text("under way", "dim")
    ago = f", {duration(now - probe.at)} ago"
    if probe.refused is not None:
        return Text(f"not asked: {probe.refused}{ago}", "yellow")
    error = probe.health.error
    took = seconds(probe.health.latency)
    if error is None:
        return Text.assemble(("ok", "green"), f" {took}{ago}")
    return Text.assemble(("failed", "red"), f" {took}{ago}: {type(error).__name__}")


def _change_line(time: str, change: Change) -> Text:
    style = {True: "green", False: "red", None: ""}[change.is_good]
    return Text.assemble(
        (f"{time} ", "dim"), (change.name, "bold"), (f" {printable(change.what)}", style)
    )
