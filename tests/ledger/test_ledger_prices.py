"""Prices: where they come from, and what a use of tokens amounts to."""

import sys
from decimal import Decimal

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from trio_llm import Price, Usage
from trio_llm.ledger import GenaiPrices, NoPrices, amount, books, installed_book
from trio_llm.providers.catalogue import KINDS
from trio_llm.testing import World, run

_MINI = Price(Decimal("0.15"), Decimal("0.60"), Decimal("0.075"))


@pytest.fixture(scope="module")
def book() -> GenaiPrices:
    """Open the installed prices."""
    pytest.importorskip("genai_prices")
    return GenaiPrices()


def test_an_amount_is_exact() -> None:
    """A million tokens cost the price, and one costs its millionth, in decimals."""
    assert amount(_MINI, Usage(1_000_000, 1_000_000)) == Decimal("0.75")
    assert amount(_MINI, Usage(1, 0)) == Decimal("0.00000015")
    assert amount(_MINI, Usage()) == 0


def test_cached_tokens_cost_their_own_price_where_there_is_one() -> None:
    """Without one they cost what other input costs."""
    usage = Usage(1_000_000, 0, cached_tokens=400_000, cache_write_tokens=200_000)
    dear = Price(Decimal(10), Decimal(1), Decimal(1), Decimal("12.5"))
    assert amount(dear, usage) == Decimal(4) + Decimal("0.4") + Decimal("2.5")
    assert amount(Price(Decimal(10), Decimal(1)), usage) == Decimal(10)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**7))
def test_no_use_costs_less_than_nothing(plain: int, out: int, cached: int, written: int) -> None:
    """Not even where a provider's numbers do not add up."""
    assert amount(_MINI, Usage(plain, out, cached, written)) >= 0


def test_the_package_knows_current_models(book: GenaiPrices) -> None:
    """Price, context window and name come in our words, per million tokens."""
    found = book.find("openai", "gpt-4o-mini")
    assert found is not None
    assert found.price == Price(
        Decimal("0.15"), Decimal("0.6"), Decimal("0.075"), None, "genai-prices"
    )
    assert found.context_window == 128_000
    assert found.name


def test_a_price_in_steps_is_told_by_its_lowest(book: GenaiPrices) -> None:
    """One that rises with the length of the input has a base."""
    found = book.find("xai", "grok-4.3")
    assert found is not None
    assert found.price is not None
    assert (found.price.input, found.price.output) == (Decimal("1.25"), Decimal("2.5"))


def test_a_model_that_embeds_costs_nothing_to_write(book: GenaiPrices) -> None:
    """It has an input price alone."""
    found = book.find("openai", "text-embedding-3-small")
    assert found is not None
    assert found.price is not None
    assert (found.price.input, found.price.output) == (Decimal("0.02"), Decimal(0))


def test_the_routers_models_name_who_serves_them(book: GenaiPrices) -> None:
    """At HuggingFace the price depends on the provider behind."""
    found = book.find("huggingface", "openai/gpt-oss-20b:groq")
    assert found is not None
    assert found.price is not None
    assert found.price.input > 0
    assert book.find("huggingface", "openai/gpt-oss-20b") is None


@pytest.mark.parametrize(
    ("kind", "model"),
    [("openai", "no-such-model"), ("openai", ""), ("ollama", "llama3.2"), ("nobody", "gpt-4o")],
)
def test_what_is_unknown_stays_unknown(book: GenaiPrices, kind: str, model: str) -> None:
    """There is no guess, and no error."""
    found = book.find(kind, model)
    assert found is None or found.price is None


def test_the_default_models_of_the_catalogue_are_priced(book: GenaiPrices) -> None:
    """The kinds whose names the package knows were mapped rightly."""
    wanted = ("openai", "anthropic", "gemini", "mistral", "groq", "deepseek", "xai", "openrouter")
    unpriced = [
        kind
        for kind in wanted
        if (found := book.find(kind, KINDS[kind].default_model or "")) is None or not found.price
    ]
    assert unpriced == []


async def test_the_book_is_opened_off_the_loop() -> None:
    """On a real clock the import runs in a thread, so that calls under way go on."""
    books.open_book.cache_clear()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(turn)
        first = await installed_book()
        assert turns > 0
        assert await installed_book() is first
        nursery.cancel_scope.cancel()


def test_a_virtual_clock_does_not_run_away_while_it_is_opened() -> None:
    """In a simulated world the import happens in place."""
    books.open_book.cache_clear()

    async def scenario(_world: World) -> float:
        with trio.move_on_after(1.0) as scope:
            await installed_book()
        assert not scope.cancelled_caught
        return trio.current_time()

    assert run(scenario).value == 0.0


async def test_without_the_extra_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is no error; prices are just not known."""
    books.open_book.cache_clear()
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    found = await installed_book()
    books.open_book.cache_clear()
    assert isinstance(found, NoPrices)
    assert found.find("openai", "gpt-4o-mini") is None
