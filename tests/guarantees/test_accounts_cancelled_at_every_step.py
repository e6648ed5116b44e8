"""Wherever a call is cancelled, its attempts are booked once and nothing stays set aside.

The cancellation comes before each task step of a call that has a budget, with the books in
memory and on disk. On disk there are more steps: what is set aside is written before the
provider is asked, and what was spent before the caller is told.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from tests.guarantees.cancelling import CancelBefore
from tests.guarantees.money_scenes import Receipts
from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import (
    Budget,
    CacheSettings,
    Config,
    Fallback,
    LLMError,
    PriceSettings,
    Provider,
    Race,
    Retry,
    Runtime,
    StoreSettings,
    Usage,
)
from trio_llm.config.schema import Member
from trio_llm.store.sqlite import SQLiteStore
from trio_llm.testing import Answers, Fails, Stalls, Step, World, run, seeds

PRICE = PriceSettings(input=1.0, output=2.0)


def _priced(cast: Cast, name: str, *steps: Step, retries: int = 0) -> Provider:
    return cast.provider(
        name, list(steps), price=PRICE, retry=Retry(attempts=retries, base_delay=0.1)
    )


def _answers(after: float = 1.0) -> Answers:
    return Answers("a b c", after=after, pieces=3, gap=0.25, usage=Usage(100, 50), passes=1)


def _retried(cast: Cast) -> Member:
    return _priced(cast, "a", Fails(after=0.25), _answers(), retries=1)


def _race(cast: Cast) -> Member:
    return Race((_priced(cast, "a", _answers()), _priced(cast, "b", Stalls())))


def _fallback(cast: Cast) -> Member:
    return Fallback((_priced(cast, "a", Fails(after=0.25)), _priced(cast, "b", _answers())))


SHAPES: tuple[Callable[[Cast], Member], ...] = (_retried, _race, _fallback)
WAYS = ("plain", "stream", "cached", "shared")


async def _call(llm: Runtime, way: str) -> None:
    if way == "stream":
        async with llm.stream("hello", user="ada") as stream:
            async for _ in stream:
                pass
    else:
        await llm.generate("hello", user="ada")


def _cancelled_at(
    shape: Callable[[Cast], Member], way: str, path: Path | None, step: int, schedule: int
) -> int:
    """Play one call, cancelled before a step; give how many steps it took."""

    async def scenario(world: World) -> int:
        cast, receipts = Cast(), Receipts()
        config = Config(
            default=shape(cast),
            budgets={
                "user": Budget(limit=1.0, period="day", per="user"),
                "all": Budget(limit=1.0, period="total", on_limit="fall_on"),
            },
            cache=CacheSettings(
                mode="on" if way == "cached" else "off",
                single_flight=way == "shared",
                persistent=path is not None,
            ),
            store=StoreSettings(path=None if path is None else str(path)),
        )
        async with world.open(config) as llm:
            llm.subscribe(receipts)
            before = (await llm.ledger.total()).cost
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            trio.lowlevel.add_instrument(instrument)
            with scope:
                try:
                    await _call(llm, way)
                except LLMError:
                    assert scope.cancel_called
            trio.lowlevel.remove_instrument(instrument)
            assert_idle(cast, llm)
            assert all(status.reserved == 0 for status in llm.budgets())
            after = await llm.ledger.total()
            assert after.cost.amount - before.amount == receipts.total.amount
            assert llm.statistics().cost == receipts.total
            for status in llm.budgets():
                assert status.spent == after.cost.amount
        if path is not None:
            store = SQLiteStore(path, read_only=True)
            async with store.opened():
                assert await store.outstanding() == ()
        return instrument.steps

    return run(scenario, schedule=schedule).value


@pytest.mark.parametrize("disk", [False, True], ids=["memory", "disk"])
@pytest.mark.parametrize("way", WAYS)
def test_the_books_are_right_wherever_a_call_is_cancelled(
    way: str, tmp_path: Path, *, disk: bool
) -> None:
    """Retries, races and fallbacks, before each step; more schedules in full runs."""
    for seed in seeds(20, share=20, least=1):
        for index, shape in enumerate(SHAPES):
            path = tmp_path / f"{index}-{seed}.db" if disk else None
            whole = _cancelled_at(shape, way, path, -1, seed)
            assert whole > 3
            stride = 3 if disk and not seed else 1  # each run opens the file anew
            for step in range((index + len(way)) % stride, whole, stride):
                _cancelled_at(
                    shape, way, path.with_suffix(f".{step}.db") if path else None, step, seed
                )
