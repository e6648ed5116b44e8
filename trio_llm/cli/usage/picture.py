"""What the books answer, as a person looks at it: a table, bars, and what is to come."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from trio_llm.cli.amounts import dollars, money
from trio_llm.cli.bars import Line, chart
from trio_llm.cli.columns import fitted
from trio_llm.cli.terminal import printable
from trio_llm.cli.usage.report import Report
from trio_llm.store import UsageRow

_RANKS: Final[Mapping[str, int]] = {
    "attempts": 1,
    "succeeded": 4,
    "tokens in": 2,
    "tokens out": 2,
    "cost": 0,
    "share": 3,
}
"""The columns of figures, and in which order they get what room there is."""


def pictures(report: Report, time_zone: str, width: int) -> Iterator[RenderableType]:
    """Give what to show, from top to bottom; not for a report of nothing.

    Args:
        report: The answer.
        time_zone: The IANA name of the time zone in which days begin.
        width: Columns of the terminal.
    """
    yield Text(headline(report, time_zone), "bold")
    yield usage_table(report, width)
    if report.total.unpriced:
        yield Text(_unpriced(report.total), "yellow")
    what = "cost" if report.by_cost else "attempts"
    for title, rows, style in (
        (f"{what} by day", report.days, "cyan"),
        (f"{what} by provider", report.providers, "green"),
        (f"top models by {what}", report.models, "magenta"),
        (f"top users by {what}", report.users, "blue"),
    ):
        if rows:
            yield Text()
            yield chart(title, [_line(report, row) for row in rows], width, style)
    yield Text()
    yield outlook(report)


def headline(report: Report, time_zone: str) -> str:
    """Say of what time the figures are, and of whom."""
    question = report.question
    zone = UTC if time_zone == "UTC" else ZoneInfo(time_zone)
    said = ["Usage"]
    for word, instant in (("from", question.since), ("until", question.until)):
        if instant is not None:
            said += [word, f"{datetime.fromtimestamp(instant, zone):%Y-%m-%d %H:%M}"]
    if question.since is None and question.until is None:
        said += ["since the books began"]
    said += [f"({time_zone})"]
    if question.only:
        said += ["of", ", ".join(f"{name} {value}" for name, value in question.only.items())]
    return printable(" ".join(said))


def usage_table(report: Report, width: int) -> Table:
    """Give one row for each combination, and their sum below."""
    by = report.question.by
    rows = [_cells(by, row.key, row, report) for row in report.rows]
    if report.left_out.attempts:
        rows.append(_cells(by, ("others",), report.left_out, report, style="dim"))
    rows.append(_cells(by, ("total",), report.total, report, style="bold"))
    ranks = {**dict.fromkeys(by, 0), **_RANKS}
    return fitted(ranks, rows, width, left=by, sums=True)


def _cells(
    by: Sequence[str], key: Sequence[str], row: UsageRow, report: Report, style: str = ""
) -> dict[str, Text]:
    figures = {
        "attempts": f"{row.attempts:,}",
        "succeeded": f"{row.succeeded / row.attempts:.0%}" if row.attempts else "",
        "tokens in": f"{row.input_tokens:,}",
        "tokens out": f"{row.output_tokens:,}",
        "cost": money(row.cost),
        "share": f"{report.share(row):.0%}",
    }
    cells = {heading: Text(figure, style) for heading, figure in figures.items()}
    for place, name in enumerate(by):
        cells[name] = _value(key[place], style) if place < len(key) else Text()
    return cells


def _value(value: str, style: str = "") -> Text:
    return Text(printable(value), style) if value else Text("none", "dim")


def _line(report: Report, row: UsageRow) -> Line:
    said = money(row.cost) if report.by_cost else f"{row.attempts:,}"
    share = f"{report.share(row):.0%}" if row.attempts else ""
    return Line(printable(row.key[0]) or "none", report.amount(row), said, share)


def _unpriced(total: UsageRow) -> str:
    what = "1 attempt" if total.unpriced == 1 else f"{total.unpriced:,} attempts"
    return (
        f"The price of {what} is not known, and counts as nothing; "
        "give it by `price` or `prices` of the provider."
    )


def outlook(report: Report) -> Text:
    """Say what is to be expected if use goes on like that."""
    projection = report.projection
    if not projection.basis_days:
        return Text("Nothing was used in the last 7 days, so nothing is foretold.", "dim")
    basis = f"{projection.basis_days:.1f}".removesuffix(".0")
    days = "day" if basis == "1" else f"{basis} days"
    return Text.assemble(
        f"If it goes on as in the last {days}: ",
        (money(projection.cost), "bold"),
        f" in {projection.days:g} days, {dollars(projection.per_day)} a day.",
    )
