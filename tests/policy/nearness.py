"""Comparison of figures that rounding may touch."""

from collections.abc import Sequence

import pytest


def near(
    wanted: float | Sequence[float], *, rel: float | None = None, within: float | None = None
) -> object:
    """Give what equals all figures near these; `pytest.approx` with its types."""
    return pytest.approx(wanted, rel=rel, abs=within)  # pyright: ignore[reportUnknownMemberType]
