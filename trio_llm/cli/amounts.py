"""Money and time as a person reads them."""

from decimal import Decimal
from typing import Any

import attrs

from trio_llm.chat import Price


def dollars(amount: Decimal) -> str:
    """Give US dollars with as many digits as say something."""
    if not amount:
        return "$0"
    if amount >= 1:
        return f"${amount:,.2f}"
    # Two significant digits of a small amount, however small, and no exponent.
    return f"${amount:.{max(2, 1 - amount.adjusted())}f}"


def price_data(price: Price | None) -> dict[str, Any] | None:
    """Give a price as decimal strings, in US dollars per million tokens."""
    return None if price is None else attrs.asdict(price, value_serializer=_plain)


def _plain(_instance: type, _field: "attrs.Attribute[Any]", value: Any) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def duration(seconds: float) -> str:
    """Give a time as ``8 s``, ``3 min 20 s`` or ``2 h 05 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
