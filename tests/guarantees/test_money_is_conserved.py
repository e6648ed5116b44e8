"""What attempts cost is what the ledger says, to the last digit, however each of them ended.

Random trees of providers that cost something are asked by many callers at once, while
attempts fail, are retried, lose races, are cancelled, and crash. Four counts are kept apart:
the records of attempts, the statistics, the ledger, and the budget. They must agree.
"""

from decimal import Decimal

import trio

from tests.guarantees.money_scenes import Receipts, ask, grow
from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import Budget, Config
from trio_llm.chat import Cost
from trio_llm.testing import World, explore, seeds

CALLERS = 16


async def _spend(world: World) -> None:
    rng, cast, receipts = world.rng, Cast(), Receipts()
    config = Config(
        default=grow(rng, cast, world.seed, rng.randint(0, 2)),
        budgets={
            "all": Budget(limit=1e6, period="total", on_limit="warn"),
            "each": Budget(limit=1e6, period="day", per="provider"),
        },
    )
    replies: list[Cost] = []
    async with world.open(config) as llm:
        llm.subscribe(receipts)
        async with trio.open_nursery() as nursery:
            for _ in range(CALLERS):
                nursery.start_soon(ask, rng, llm, replies)
        await trio.sleep(10.0)  # what shields itself has left, too
        assert_idle(cast, llm)
        statistics, total = llm.statistics(), await llm.ledger.total()
        assert total.cost == receipts.total == statistics.cost
        assert total.attempts == receipts.attempts
        rows = await llm.ledger.usage("provider")
        assert {row.key[0]: row.cost for row in rows} == receipts.by_provider
        for name, cost in receipts.by_provider.items():
            assert statistics.nodes[name].cost == cost
        for by in (("user",), ("day", "model"), ("outcome",), ("provider", "user", "outcome")):
            assert Cost.total([row.cost for row in await llm.ledger.usage(*by)]) == total.cost
        budgets = {(status.name, status.account): status for status in llm.budgets()}
        assert all(status.reserved == 0 for status in budgets.values())
        assert budgets["all", ""].spent == total.cost.amount
        spent = {name: each.spent for (budget, name), each in budgets.items() if budget == "each"}
        for name, cost in receipts.by_provider.items():
            assert spent.get(name, 0) == cost.amount
        # Cancelled callers have no reply, so replies and errors account for no more than all.
        assert Cost.total(replies).amount <= total.cost.amount
        assert total.cost.amount == 0 or total.cost.amount >= Decimal("1e-12")


def test_every_count_of_what_was_spent_agrees() -> None:
    """Records, statistics, ledger and budgets give one sum, by provider and in all."""
    explore(_spend, seeds=seeds(1000, share=25))
