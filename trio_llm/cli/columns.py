"""Which columns of a table a terminal has room for, and the table of those."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

_BORDERS: Final = 3
"""Columns of the terminal that each column of a table needs besides its text."""


def fitting(
    ranks: Mapping[str, int],
    rows: Sequence[Mapping[str, Text]],
    width: int,
    least: Mapping[str, int] | None = None,
) -> list[str]:
    """Give the columns that say something and, together, are no wider than the terminal.

    Args:
        ranks: The headings in their order, and in which order they get what room there is;
            those of 0 are always shown.
        rows: The cells of each row, by heading.
        width: Columns of the terminal.
        least: How wide some of them are at least, whatever is in them now.
    """
    widths = {
        heading: max([cell_len(heading), *[row[heading].cell_len for row in rows]])
        for heading in ranks
        if any(row[heading].plain for row in rows) or not ranks[heading]
    }
    for heading, floor in (least or {}).items():
        widths[heading] = max(widths.get(heading, 0), floor)
    room = width - 1
    shown: set[str] = set()
    for heading in sorted(widths, key=lambda heading: ranks[heading]):
        if widths[heading] + _BORDERS <= room or not ranks[heading]:
            shown.add(heading)
            room -= widths[heading] + _BORDERS
    return [heading for heading in ranks if heading in shown]


def fitted(
    ranks: Mapping[str, int],
    rows: Sequence[Mapping[str, Text]],
    width: int,
    *,
    left: Collection[str] = (),
    title: str | None = None,
    sums: bool = False,
    least: Mapping[str, int] | None = None,
) -> Table:
    """Give a table of the columns that fit.

    Args:
        ranks: As in `fitting`.
        rows: Likewise.
        width: Likewise.
        left: The headings whose cells begin at the left; all others are figures.
        title: What stands above it.
        sums: Whether the last row is the sum of the others.
        least: As in `fitting`.
    """
    table = Table(title=title, title_justify="left")
    least = least or {}
    shown = fitting(ranks, rows, width, least)
    for heading in shown:
        words = heading in left
        table.add_column(
            heading,
            justify="left" if words else "right",
            overflow="fold" if words else "ellipsis",
            no_wrap=not words,
            min_width=least.get(heading),
        )
    for number, row in enumerate(rows, start=1):
        table.add_row(
            *[row[heading] for heading in shown], end_section=sums and number == len(rows) - 1
        )
    return table
