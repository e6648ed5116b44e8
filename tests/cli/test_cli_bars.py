"""Bars, charts and tables that fit the terminal; amounts and sizes as a person reads them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console, RenderableType
from rich.text import Text

from trio_llm.chat import UNKNOWN, Certainty, Cost
from trio_llm.cli.amounts import cost_data, exactly, money, size
from trio_llm.cli.bars import Line, bar, chart
from trio_llm.cli.columns import fitted

SHARES = st.floats(0, 2, allow_nan=False)


def _drawn(picture: RenderableType, width: int) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(picture)
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize(
    ("share", "claimed", "drawn"),
    [
        (0.0, 0.0, "        "),
        (0.001, 0.0, "▏       "),
        (0.5, 0.0, "████    "),
        (0.53, 0.25, "████▎░░ "),
        (1.0, 0.5, "████████"),
        (1.7, 0.0, "████████"),
        (0.0, 0.01, "░       "),
    ],
)
def test_a_bar_is_as_long_as_its_share(share: float, claimed: float, drawn: str) -> None:
    """To an eighth of a column; a little shows, too much fills it, claims are lighter."""
    assert bar(share, 8, claimed=claimed).plain == drawn


@given(SHARES, SHARES, SHARES, st.integers(1, 60))
def test_bars_keep_their_order_and_width(
    one: float, other: float, claimed: float, width: int
) -> None:
    """Every bar has its width, and a greater share is never the shorter one."""
    shorter, longer = sorted((one, other))
    drawn = [bar(share, width, claimed=claimed).plain for share in (shorter, longer)]
    assert [len(each) for each in drawn] == [width, width]
    assert drawn[0].count("█") <= drawn[1].count("█")


def test_a_chart_is_measured_by_its_greatest() -> None:
    """The longest bar is that of the greatest amount; figures stand below each other."""
    lines = [Line("a", 1.0, "$1", "5%"), Line("bcd", 4.0, "$40", "95%"), Line("e", 0.0, "$0")]
    assert _drawn(chart("cost", lines, 28), 28) == [
        "cost",
        "  a   ███           $1  5%",
        "  bcd ████████████ $40 95%",
        "  e                 $0",
    ]


@given(st.text(min_size=1, max_size=90), st.integers(40, 120))
def test_a_chart_fits_whatever_the_names(name: str, width: int) -> None:
    """A long name is cut, so that bars and figures stay."""
    drawn = _drawn(chart("cost", [Line("x" * len(name), 1.0, ">=$1,234.56", "100%")], width), width)
    assert max(map(len, drawn)) <= width
    assert drawn[1].endswith(">=$1,234.56 100%")


def test_columns_go_by_their_rank() -> None:
    """What has no room is left out, the least important first; what says nothing is, too."""
    ranks = {"name": 0, "minor": 3, "major": 1, "empty": 2}
    row = {"name": Text("n"), "minor": Text("12"), "major": Text("345"), "empty": Text()}
    shown = {
        width: [column.header for column in fitted(ranks, [row], width).columns]
        for width in (40, 20, 10)
    }
    assert shown == {40: ["name", "minor", "major"], 20: ["name", "major"], 10: ["name"]}


@pytest.mark.parametrize(
    ("cost", "shown", "data"),
    [
        (Cost(Decimal("0.00012")), "$0.00012", ("0.00012", "exact")),
        (Cost(Decimal("12.3450"), Certainty.ESTIMATED), "~$12.34", ("12.345", "estimated")),
        (Cost(Decimal("1E+4"), Certainty.AT_LEAST), ">=$10,000.00", ("10000", "at least")),
        (Cost(), "$0", ("0", "exact")),
        (UNKNOWN, ">=$0", (None, None)),
    ],
)
def test_money_has_its_mark(cost: Cost, shown: str, data: tuple[str | None, str | None]) -> None:
    """A person sees how sure it is; a program gets all digits, or nothing where none is known."""
    assert money(cost) == shown
    assert tuple(cost_data(cost).values()) == data


def test_no_digit_is_lost() -> None:
    """An amount is given with all of its digits, however many."""
    assert exactly(Decimal("123456789012345678901234567890.123456789012")) == (
        "123456789012345678901234567890.123456789012"
    )


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (3277, "3.2 KiB"),
        (64 * 2**20, "64 MiB"),
        (2**20 - 1, "1 MiB"),
        (5 * 2**40, "5,120 GiB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    """Bytes are given in the unit that a person would choose."""
    assert size(count) == shown
