"""Accounts over a real server: what it counts is what is booked, on disk, by every dialect."""

from decimal import Decimal
from pathlib import Path

import attrs
import pytest
import trio

from tests.real.real_server import ENDLESS, Server, provider
from trio_llm import (
    Budget,
    BudgetExceededError,
    CacheSettings,
    Certainty,
    Config,
    PriceSettings,
    Race,
    Runtime,
    StoreSettings,
    Usage,
    open_runtime,
)
from trio_llm.chat import NOTHING

pytestmark = pytest.mark.real

PROMPT = "bade kilo"
PRICE = PriceSettings(input=3.0, output=15.0, cached_input=0.3)


def _dollars(usage: Usage) -> Decimal:
    fresh = usage.input_tokens - usage.cached_tokens
    millionths = (
        Decimal(3) * fresh
        + Decimal("0.3") * usage.cached_tokens
        + Decimal(15) * usage.output_tokens
    )
    return millionths / 1_000_000


async def _ask_on(llm: Runtime) -> None:
    for number in range(20):
        await llm.generate(f"another {number}", max_tokens=12)


@pytest.mark.parametrize("kind", ["llamacpp", "anthropic", "openai_responses"])
async def test_what_the_server_counts_is_booked(
    servers: list[Server], tmp_path: Path, kind: str
) -> None:
    """Whole and streamed answers cost what their tokens do, exactly, and stand on disk."""
    priced = attrs.evolve(provider(servers[0], "real", kind), price=PRICE)
    config = Config(default=priced, store=StoreSettings(path=str(tmp_path / "usage.db")))
    async with open_runtime(config) as llm:
        whole = await llm.generate(PROMPT, max_tokens=8, user="ada")
        async with llm.stream(PROMPT, max_tokens=8, user="ada") as stream:
            async for _ in stream:
                pass
        spent = [whole.cost, stream.reply.cost]
        assert [cost.amount for cost in spent] == [
            _dollars(reply.usage) for reply in (whole, stream.reply)
        ]
        assert {cost.certainty for cost in spent} == {Certainty.EXACT}
    async with open_runtime(config) as again:
        (row,) = await again.ledger.usage("user", "provider")
        assert (row.key, row.attempts, row.output_tokens) == (("ada", "real"), 2, 16)
        assert row.cost == spent[0] + spent[1]


async def test_a_loser_that_is_cancelled_costs_at_least_what_it_read(
    servers: list[Server],
) -> None:
    """The reply of a race has both attempts in it, and says that it may be more."""
    quick = attrs.evolve(provider(servers[0], "quick"), price=PRICE, max_tokens_per_request=1)
    slow = attrs.evolve(provider(servers[1], "slow"), price=PRICE)
    async with open_runtime(Config(default=Race((quick, slow)))) as llm:
        with trio.fail_after(20):
            reply = await llm.generate(PROMPT, max_tokens=ENDLESS)
        winner, loser = reply.attempts
        assert (winner.provider, loser.provider) == ("quick", "slow")
        assert winner.cost is not None
        assert loser.cost is not None
        assert winner.cost.amount == _dollars(reply.usage)
        assert loser.cost.certainty is Certainty.AT_LEAST
        assert loser.cost.amount > 0
        assert reply.cost == winner.cost + loser.cost


async def test_a_budget_and_a_cache_before_a_real_server(servers: list[Server]) -> None:
    """A whole answer that was kept costs nothing, so it is given when the budget is used up."""
    priced = attrs.evolve(provider(servers[0], "real"), price=PRICE)
    config = Config(
        default=priced,
        budgets={"small": Budget(limit=0.001, period="total")},
        cache=CacheSettings(mode="on"),
    )
    async with open_runtime(config) as llm:
        cut = await llm.generate(PROMPT, max_tokens=12, temperature=0)
        assert (cut.finish_reason, llm.cache.statistics().entries) == ("length", 0)
        word = cut.text.split()[2]
        first = await llm.generate(PROMPT, max_tokens=12, temperature=0, stop=word)
        assert (first.finish_reason, llm.cache.statistics().entries) == ("stop", 1)
        with pytest.raises(BudgetExceededError):
            await _ask_on(llm)
        again = await llm.generate(PROMPT, max_tokens=12, temperature=0, stop=word)
        assert (again.text, again.cached, again.cost) == (first.text, "hit", NOTHING)
        async with llm.stream(PROMPT, max_tokens=12, temperature=0, stop=word) as stream:
            assert "".join([piece async for piece in stream.text()]) == first.text
        (budget,) = llm.budgets()
        assert budget.spent == (await llm.ledger.total()).cost.amount <= budget.limit
