"""Amounts of money and of time as whole numbers, so that every sum is exact."""

import decimal
from decimal import Decimal
from typing import Final

_EXACT: Final = decimal.Context(prec=100)
"""Decimals of an application's own context may be short."""


def picos_of(amount: Decimal) -> int | None:
    """Give US dollars in millionths of a millionth; ``None`` for what is no amount."""
    try:
        return round(amount.scaleb(12, _EXACT))
    except (ValueError, ArithmeticError):
        return None


def dollars_of(picos: int) -> Decimal:
    """Give millionths of a millionth of a US dollar in US dollars."""
    return Decimal(picos).scaleb(-12, _EXACT)


def micros_of(seconds: float) -> int:
    """Give seconds in millionths; what is no length of time is none."""
    try:
        return round(seconds * 1e6)
    except (ValueError, OverflowError):
        return 0
