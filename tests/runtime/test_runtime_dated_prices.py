"""A running provider goes by the price of the day, and by the model's own before any other."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio

from trio_llm import Config, LoadBalance, PriceSettings, Provider
from trio_llm.testing import World, run

DEAR: dict[str, Any] = {"input": 9, "output": 9}


def test_the_cheapest_is_another_one_from_its_day_on() -> None:
    """At midnight in UTC a new price holds, without a restart."""

    async def scenario(world: World) -> list[str]:
        now = datetime.fromtimestamp(world.wall_clock(), UTC)
        midnight = now.replace(hour=0, minute=0, second=0) + timedelta(days=1)
        later = {"input": "0.001", "output": "0.001", "since": midnight.date()}
        old = Provider("simulated", "old", price=PriceSettings(2, 2))
        new = Provider("simulated", "new", prices={"sim*": [DEAR, later]})
        chosen: list[str] = []
        tree = LoadBalance([old, new], strategy="least_cost")
        async with world.open(Config(default=tree)) as llm:
            for instant in (midnight - timedelta(seconds=5), midnight + timedelta(seconds=5)):
                await trio.sleep_until(trio.current_time() + (instant - now).total_seconds())
                now = datetime.fromtimestamp(world.wall_clock(), UTC)
                chosen.append((await llm.generate("hi")).provider)
        return chosen

    assert run(scenario).value == ["old", "new"]


@pytest.mark.parametrize(
    ("prices", "chosen"),
    [
        ({"simulated": DEAR}, "b"),
        ({"sim*": DEAR}, "b"),
        ({"*": DEAR}, "b"),
        ({"other": DEAR}, "a"),
        ({"simulated": {**DEAR, "since": "9999-01-01"}}, "a"),
    ],
)
def test_a_models_own_price_goes_before_that_of_all(prices: dict[str, Any], chosen: str) -> None:
    """What the table does not say, `price` does."""

    async def scenario(world: World) -> str:
        a = Provider("simulated", "a", price=PriceSettings(1, 1), prices=prices)
        b = Provider("simulated", "b", price=PriceSettings(2, 2))
        async with world.open(Config(default=LoadBalance([a, b], strategy="least_cost"))) as llm:
            return (await llm.generate("hi")).provider

    assert run(scenario).value == chosen
