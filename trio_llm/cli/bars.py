"""Bars of blocks, and charts of them, for terminals that have nothing but letters."""

from collections.abc import Sequence
from typing import Final

import attrs
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_EIGHTHS: Final = " ▏▎▍▌▋▊▉"
_WIDEST: Final = 50
"""Columns of a bar that is as long as any; longer ones are no easier to compare."""

_NARROWEST: Final = 8
_FIGURES: Final = ("said", "share")


def bar(share: float, width: int, style: str = "green", claimed: float = 0.0) -> Text:
    """Give a bar for what there is of something, padded to its width.

    Args:
        share: What there is, from 0 to 1; more is drawn as 1.
        width: How many columns stand for 1.
        style: Its colour.
        claimed: What is claimed besides, as `share`; it is drawn lighter.
    """
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0:
        eighths = max(1, eighths)  # a little is not nothing
    full, rest = divmod(eighths, 8)
    drawn = "█" * full + _EIGHTHS[rest].strip()
    room = width - len(drawn)
    light = min(room, max(int(claimed > 0), round(claimed * width)))
    return Text.assemble((drawn, style), ("░" * light, style), " " * (room - light))


@attrs.frozen
class Line:
    """One line of a chart.

    Attributes:
        name: What it is of.
        amount: How long its bar is, in whatever unit the chart has.
        said: The amount in words.
        share: What share of the whole it is, in words.
    """

    name: str
    amount: float
    said: str
    share: str = ""


def chart(title: str, lines: Sequence[Line], width: int, style: str = "green") -> RenderableType:
    """Give a bar for each line, the longest for the greatest amount.

    Args:
        title: What it shows.
        lines: The lines, in their order.
        width: Columns of the terminal.
        style: The colour of the bars.
    """
    greatest = max((line.amount for line in lines), default=0.0)
    names = max((cell_len(line.name) for line in lines), default=0)
    figures = sum(max((len(getattr(line, f)) for line in lines), default=0) for f in _FIGURES)
    names = max(1, min(names, width // 3, width - figures - _NARROWEST - 7))
    room = max(_NARROWEST, min(_WIDEST, width - names - figures - 7))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=names + 2, no_wrap=True, overflow="ellipsis")
    grid.add_column(width=room, no_wrap=True)
    for _ in _FIGURES:
        grid.add_column(no_wrap=True, justify="right", overflow="ellipsis")
    for line in lines:
        share = line.amount / greatest if greatest else 0.0
        grid.add_row(
            Text(f"  {line.name}"), bar(share, room, style), Text(line.said), Text(line.share)
        )
    return Group(Text(title, "italic"), grid)
