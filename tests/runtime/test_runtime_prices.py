"""The price book is opened before the first call that needs it, and only then."""

import pytest

from trio_llm import Config, Hedge, LoadBalance, PriceSettings, Provider, open_runtime
from trio_llm.assembly import prices
from trio_llm.config.schema import Member


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count how often the installed book is opened, which is not done here."""
    times: list[str] = []

    async def open_it() -> None:
        times.append("opened")

    monkeypatch.setattr(prices, "installed_book", open_it)
    return times


def _member(name: str, **settings: PriceSettings) -> Provider:
    return Provider("openai", name, api_key="sk-0123456789", **settings)  # type: ignore[arg-type]


async def _open(tree: Member) -> None:
    async with open_runtime(Config(default=tree)):
        pass


async def test_prices_that_come_from_the_book_are_at_hand(opened: list[str]) -> None:
    """Every attempt is booked, so they are asked for whatever the strategy."""
    await _open(_member("a"))
    await _open(LoadBalance([_member("a"), _member("b")], strategy="least_cost"))
    assert len(opened) == 2


async def test_who_asks_for_no_price_does_not_wait_for_the_book(opened: list[str]) -> None:
    """Prices that are configured, providers of no known price, and those that are off."""
    own = PriceSettings(input=1.0, output=2.0)
    await _open(Hedge([_member("a", price=own), _member("b", price=own)]))
    await _open(Hedge([Provider("simulated", "a"), Provider("simulated", "b")]))
    off = Provider("openai", "off", api_key="sk-0123456789", enabled=False)
    async with open_runtime(Config({"off": off, "a": Provider("simulated")}, default="a")):
        assert opened == []


async def test_a_reload_brings_them_too(opened: list[str]) -> None:
    """A new plan that needs prices has them before its first call."""
    async with open_runtime(Config(default=Provider("simulated", "s"))) as llm:
        assert opened == []
        await llm.reload(Config(default=_member("a")))
        assert opened == ["opened"]
