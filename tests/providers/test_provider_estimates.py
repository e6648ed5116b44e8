"""What an attempt may cost is estimated once: where the provider is chosen, and not again."""

import pytest
import trio

from tests.guarantees.scenes import Cast
from trio_llm import Budget, Config, PriceSettings, Retry
from trio_llm.providers.bookings import Bookings
from trio_llm.testing import Answers, Fails, World, run

PRICE = PriceSettings(input=10.0, output=20.0)


def _estimates(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the model of each estimate that is made."""
    models: list[str] = []
    estimate = Bookings.estimate

    def noted(self: Bookings, request: object, model: str) -> object:
        models.append(model)
        return estimate(self, request, model)  # type: ignore[arg-type]

    monkeypatch.setattr(Bookings, "estimate", noted)
    return models


def test_the_estimate_of_the_choice_is_that_of_the_first_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each further attempt is estimated anew, since something may have been learnt."""
    models = _estimates(monkeypatch)
    provider = Cast().provider(
        "a",
        [Fails(), Answers(), Answers()],
        model="m",
        price=PRICE,
        retry=Retry(attempts=1, base_delay=0.1),
    )

    async def scene(world: World) -> None:
        budgets = {"all": Budget(limit=1.0)}
        async with world.open(Config(default=provider, budgets=budgets)) as llm:
            await llm.generate("hi")
            assert models == ["m", "m"]
            await llm.generate("hi")
            assert models == ["m", "m", "m"]
            assert llm.budgets()[0].reserved == 0

    run(scene)


def test_nothing_is_estimated_without_a_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody asks for is not worked out."""
    models = _estimates(monkeypatch)

    async def scene(world: World) -> None:
        provider = Cast().provider("a", Answers(), model="m", price=PRICE)
        async with world.open(Config(default=provider)) as llm:
            await llm.generate("hi")
            await trio.lowlevel.checkpoint()
        assert models == []

    run(scene)
