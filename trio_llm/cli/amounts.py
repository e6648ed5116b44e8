"""Money, tokens and time as a person reads them, and as a program does."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import attrs

from trio_llm.chat import UNKNOWN, Certainty, Cost, Price
from trio_llm.chat.cost import EXACT

_MARKS: Final[Mapping[Certainty, str]] = {
    Certainty.EXACT: "",
    Certainty.ESTIMATED: "~",
    Certainty.AT_LEAST: ">=",
}


def dollars(amount: Decimal) -> str:
    """Give US dollars with as many digits as say something."""
    if not amount:
        return "$0"
    if amount >= 1:
        return f"${amount:,.2f}"
    # Two significant digits of a small amount, however small, and no exponent.
    return f"${amount:.{max(2, 1 - amount.adjusted())}f}"


def money(cost: Cost) -> str:
    """Give a cost with its mark: ``~`` for an estimate, ``>=`` where it may be more."""
    return f"{_MARKS[cost.certainty]}{dollars(cost.amount)}"


def exactly(amount: Decimal) -> str:
    """Give an amount with all of its digits and no exponent."""
    return f"{amount.normalize(EXACT):f}"


def cost_data(cost: Cost | None) -> dict[str, Any]:
    """Give a cost as plain values: the amount exact, and how sure it is.

    Both are ``None`` where nothing is known of it.
    """
    if cost is None or cost == UNKNOWN:
        return {"cost": None, "certainty": None}
    return {"cost": exactly(cost.amount), "certainty": cost.certainty.word}


def price_data(price: Price | None) -> dict[str, Any] | None:
    """Give a price as decimal strings, in US dollars per million tokens."""
    return None if price is None else attrs.asdict(price, value_serializer=_plain)


def _plain(_instance: type, _field: "attrs.Attribute[Any]", value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def size(count: int) -> str:
    """Give a number of bytes as ``512 B``, ``3.2 KiB`` or ``64 MiB``."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB"):
        value /= 1024
        if value < 1023.95:
            return f"{value:.1f} {unit}".replace(".0 ", " ")
    return f"{value / 1024:,.1f} GiB".replace(".0 ", " ")


def duration(seconds: float) -> str:
    """Give a time as ``8 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
