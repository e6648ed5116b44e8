"""Figures that no file can hold: they are clipped, and what still cannot be written is named."""

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.store.store_pieces import attempts, charge, virtually
from trio_llm.chat import Certainty, Cost, Subject, Usage
from trio_llm.errors import StoreError
from trio_llm.store import SQLiteStore, UnwritableError, UsageQuery, UsageRow


def _row(path: Path, **fields: Any) -> UsageRow:
    """Write a sound charge and an odd one; give what comes back of the odd one."""

    async def scenario() -> UsageRow:
        async with (store := SQLiteStore(path / "store.db")).opened():
            odd = charge(2, subject=Subject("odd", "custom", "m"), **fields)
            await store.write([charge(1), odd])
            assert await attempts(store) == 2
            (row,) = await store.usage(UsageQuery(only=(("provider", "odd"),)))
            return row

    return virtually(scenario)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (math.nan, 0),
        (1.5, 1),
        (math.inf, 10**12),
        (-math.inf, -(10**12)),
        (10**30, 10**12),
        ("5", 0),
        (None, 0),
        (True, 1),
    ],
)
def test_a_count_that_is_none_is_kept_as_what_there_is_at_least(
    given: Any, kept: int, tmp_path: Path
) -> None:
    """The other counts and the amount stay as they are; nothing of it is exact."""
    row = _row(tmp_path, usage=Usage(given, 7))
    assert (row.input_tokens, row.output_tokens) == (kept, 7)
    assert row.cost == Cost(Decimal("0.015"), Certainty.AT_LEAST)


@pytest.mark.parametrize("amount", [Decimal("NaN"), Decimal("sNaN"), Decimal("inf"), math.nan, "1"])
def test_an_amount_that_is_none_is_not_known(amount: Any, tmp_path: Path) -> None:
    """It counts as nothing, *at least*, and its attempt as one without a price."""
    row = _row(tmp_path, cost=Cost(amount))
    assert row.cost == Cost(Decimal(0), Certainty.AT_LEAST)
    assert row.unpriced == 1


@pytest.mark.parametrize("amount", [0.25, 1])
def test_an_amount_that_is_a_number_is_kept_at_least(amount: Any, tmp_path: Path) -> None:
    """No decimal, but something was paid."""
    row = _row(tmp_path, cost=Cost(amount))
    assert row.cost == Cost(Decimal(str(amount)), Certainty.AT_LEAST)
    assert row.unpriced == 0


@pytest.mark.parametrize(
    "subject",
    [
        Subject("one", "openai", None),  # type: ignore[arg-type]
        Subject("one", "openai", "m", tags=(("team", object()),)),  # type: ignore[arg-type]
        Subject("one", "openai", "m", tags=[("team", "x")]),  # type: ignore[arg-type]
    ],
)
def test_a_change_that_cannot_be_written_is_told_from_a_store_that_fails(
    subject: Subject, tmp_path: Path
) -> None:
    """Nothing of its batch is written, and without it all of the rest is."""

    async def scenario() -> None:
        async with (store := SQLiteStore(tmp_path / "store.db")).opened():
            with pytest.raises(UnwritableError):
                await store.write([charge(1), charge(2, subject=subject)])
            assert await attempts(store) == 0
            await store.write([charge(1)])
            assert await attempts(store) == 1

    virtually(scenario)


def test_a_full_disk_is_not_the_fault_of_a_change(tmp_path: Path) -> None:
    """What the store cannot do for want of room is not said of what is to be written."""

    async def scenario() -> None:
        async with (store := SQLiteStore(tmp_path / "store.db")).opened():
            connection = store._writing.worker.connection  # type: ignore[union-attr]
            connection.execute("PRAGMA max_page_count = 1")
            with pytest.raises(StoreError, match="the disk is full") as caught:
                await store.write([charge(number) for number in range(5000)])
            assert not isinstance(caught.value, UnwritableError)

    virtually(scenario)
