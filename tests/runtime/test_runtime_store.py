"""A runtime with its books on disk: what is there when, and what happens when they fail."""

from decimal import Decimal
from pathlib import Path

import pytest

from tests.guarantees.scenes import Cast, field, kinds
from trio_llm import Budget, Config, PriceSettings, StoreError, StoreSettings, Usage
from trio_llm.chat import Certainty, Reservation, Subject
from trio_llm.store import UsageQuery
from trio_llm.store.sqlite import SQLiteStore
from trio_llm.testing import Answers, World, run

PRICE = PriceSettings(input=1.0, output=1.0)


def _config(path: Path, **settings: object) -> Config:
    answers = Answers("a b c", after=0.5, pieces=3, gap=0.5, usage=Usage(500_000, 500_000))
    provider = Cast().provider("it", answers, price=PRICE)
    return Config(default=provider, store=StoreSettings(path=str(path)), **settings)  # type: ignore[arg-type]


async def _in_file(path: Path) -> Decimal:
    store = SQLiteStore(path, read_only=True)
    async with store.opened():
        rows = await store.usage(UsageQuery())
    return rows[0].cost.amount if rows else Decimal(0)


def test_what_a_caller_is_told_is_on_disk_before(tmp_path: Path) -> None:
    """A whole reply, and that of a stream as soon as it is finished."""

    async def scenario(world: World) -> None:
        path = tmp_path / "usage.db"
        async with world.open(_config(path)) as llm:
            assert (await llm.generate("hello")).cost.amount == await _in_file(path) == 1
            async with llm.stream("hello") as stream:
                async for _ in stream:
                    pass
                assert stream.reply.cost.amount == 1
                assert await _in_file(path) == 2

    run(scenario)


def test_what_an_earlier_process_left_under_way_is_booked_by_its_estimate(tmp_path: Path) -> None:
    """It counts in usage and budgets, and an event says how much it was."""

    async def scenario(world: World) -> None:
        path = tmp_path / "usage.db"
        subject = Subject("it", "custom", "m")
        store = SQLiteStore(path)
        async with store.opened():
            time = world.wall_clock()
            await store.write([Reservation("old-1", time, subject, 1, Decimal("0.25"))])
        config = _config(path, budgets={"all": Budget(limit=2.0, period="total")})
        for _ in range(2):  # once, however often it is opened
            async with world.open(config) as llm:
                (row,) = await llm.ledger.usage("outcome")
                assert (row.key, row.cost.amount) == (("lost",), Decimal("0.25"))
                assert row.cost.certainty is Certainty.ESTIMATED
                (budget,) = llm.budgets()
                assert (budget.spent, budget.reserved) == (Decimal("0.25"), Decimal(0))

    run(scenario)


def test_usage_is_not_told_while_the_store_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls go on and budgets hold; a question to the ledger says that it would be incomplete."""

    async def scenario(world: World) -> None:
        path = tmp_path / "usage.db"
        config = _config(path, budgets={"all": Budget(limit=2.0, period="total")})
        async with world.open(config) as llm:

            async def fail(*_changes: object) -> None:
                raise StoreError("the disk is full")

            with monkeypatch.context() as patch:
                patch.setattr(SQLiteStore, "write", fail)
                assert (await llm.generate("hello")).cost.amount == 1
                with pytest.raises(StoreError, match="1 attempts are not in the store yet"):
                    await llm.ledger.total()
                assert llm.budgets()[0].spent == llm.statistics().cost.amount == 1
        failures = kinds(world.log, "StoreFailed")
        assert {field(each, "error") for each in failures} == {"the disk is full"}
        assert await _in_file(path) == 1  # it was written when the store worked again

    run(scenario)
