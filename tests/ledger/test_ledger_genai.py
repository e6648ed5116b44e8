"""The figures of ``genai-prices``: what they come to here is what they come to there."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from trio_llm.chat import Price, PriceTier, Usage
from trio_llm.chat.cost import rounded
from trio_llm.ledger import GenaiPrices, PriceBook, amount

pytest.importorskip("genai_prices")

SAME = (
    "openai",
    "anthropic",
    "deepseek",
    "groq",
    "mistral",
    "openrouter",
    "perplexity",
    "cohere",
    "azure",
)
KINDS = {**dict(zip(SAME, SAME, strict=True)), "gemini": "google", "xai": "x-ai", "bedrock": "aws"}
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
COUNTED = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "output_reasoning_mtok",
    "requests_kcount",
)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    """Open the installed prices."""
    return GenaiPrices()


def models_of(provider: str) -> list[Any]:
    """Give the package's own records of the models of a provider."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - an extra

    (found,) = [each for each in get_snapshot().providers if each.id == provider]
    return found.models


def theirs(model: Any, usage: Usage, at: datetime) -> Decimal:
    """Give what the package makes of a usage, of the figures that our counts are about."""
    from genai_prices import Usage as Theirs  # noqa: PLC0415 - an extra
    from genai_prices.types import ModelPrice  # noqa: PLC0415 - an extra

    figures = {name: getattr(model.get_prices(at), name) for name in COUNTED}
    counted = ModelPrice(**figures)
    return counted.calc_price(
        Theirs(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_reasoning_tokens=usage.reasoning_tokens,
        )
    )["total_price"]


def a_usage(rng: Random) -> Usage:
    """Draw counts that add up, some of them long."""
    most = rng.choice([50, 5_000, 150_000, 250_000, 600_000])
    read, written = rng.randrange(most), rng.randrange(most)
    cached = rng.choice([0, rng.randint(0, read)])
    kept = rng.choice([0, rng.randint(0, read - cached)])
    return Usage(read, written, cached, kept, rng.choice([0, rng.randint(0, written)]))


@pytest.mark.parametrize("kind", KINDS)
def test_an_amount_is_what_the_package_makes_of_it(kind: str, book: PriceBook) -> None:
    """For models of every kind, usages of every length, and days and hours of every price."""
    rng = Random(kind)
    models = models_of(KINDS[kind])
    tried = 0
    for model in rng.sample(models, min(40, len(models))):
        at = NOON - timedelta(hours=rng.randrange(24 * 900))
        listing = book.find(kind, model.id, at)
        if listing is None or listing.price is None or listing.name != model.name:
            continue
        for _ in range(5):
            usage = a_usage(rng)
            tried += 1
            wanted = rounded(theirs(model, usage, at))
            assert amount(listing.price, usage) == wanted, (model.id, at, usage)
    assert tried


def test_a_price_changes_on_its_day(book: PriceBook) -> None:
    """Every price of the package with a date holds from midnight in UTC on, and not before."""
    changed = 0
    for kind, provider in KINDS.items():
        for model in models_of(provider):
            for since in dates_of(model):
                day = datetime.combine(since, datetime.min.time(), UTC)
                before, after = (
                    book.find(kind, model.id, at) for at in (day - timedelta(hours=13), day)
                )
                if before is None or after is None or before.name != model.name:
                    continue
                changed += before.price != after.price
    assert changed > 20


def dates_of(model: Any) -> list[date]:
    """Give the days on which a model's price changes."""
    conditions: list[Any] = model.prices if hasattr(model.prices, "append") else []
    starts = [getattr(each.constraint, "start_date", None) for each in conditions]
    return [start for start in starts if start is not None]


def test_an_hour_that_is_dearer_is_dearer(book: PriceBook) -> None:
    """Where the price depends on the time of day, it is that of the hour."""
    day = datetime(2026, 11, 20, tzinfo=UTC)
    found = [book.find("deepseek", "deepseek-v4-pro", day + timedelta(hours=h)) for h in range(24)]
    inputs = [listing.price.input for listing in found if listing and listing.price]
    assert len(inputs) == 24
    assert inputs[0] == min(inputs)
    assert inputs[2] == max(inputs)
    assert min(inputs) < max(inputs)


class _Figures:
    """Prices as the package has them: what it does not say is ``None``."""

    def __init__(self, **figures: object) -> None:
        self.__dict__ |= dict.fromkeys(COUNTED) | figures


class _Found:
    """What the package finds."""

    def __init__(self, figures: _Figures) -> None:
        self.model_price = figures
        self.model = _Figures(context_window=None, name="m")


class _Steps:
    """A price in steps."""

    def __init__(self, base: str, **steps: str) -> None:
        self.base = Decimal(base)
        starts = sorted(steps, key=lambda name: int(name[1:]))
        self.tiers = [_Figures(start=int(n[1:]), price=Decimal(steps[n])) for n in starts]


def price_of(**figures: object) -> Price | None:
    """Give what becomes of figures."""
    seen: list[datetime | None] = []

    def find(_model: str, _provider: str, at: datetime | None) -> Any:
        seen.append(at)
        return _Found(_Figures(**figures))

    listing = GenaiPrices(find).find("openai", "m", NOON)
    assert listing is not None
    assert seen == [NOON]
    return listing.price


def test_steps_become_tiers() -> None:
    """Each step of any price begins a tier; what has no step of its own stays as it was."""
    assert price_of(
        input_mtok=_Steps("1", s200="2", s500="3"),
        output_mtok=_Steps("5", s200="7"),
        cache_read_mtok=Decimal("0.1"),
        output_reasoning_mtok=_Steps("6", s500="9"),
        requests_kcount=Decimal(5),
    ) == Price(
        Decimal(1),
        Decimal(5),
        Decimal("0.1"),
        None,
        "genai-prices",
        reasoning=Decimal(6),
        request=Decimal("0.005"),
        tiers=(
            PriceTier(200, Decimal(2), Decimal(7), Decimal("0.1"), None, Decimal(6)),
            PriceTier(500, Decimal(3), Decimal(7), Decimal("0.1"), None, Decimal(9)),
        ),
    )


@pytest.mark.parametrize("figures", [{}, {"output_mtok": Decimal(1)}, {"input_mtok": "1"}])
def test_without_a_price_of_input_nothing_is_known(figures: dict[str, object]) -> None:
    """A model that is paid by the minute or the picture has no price by the token."""
    assert price_of(**figures) is None


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The figures are those that came with the package."""
    from genai_prices import update_prices  # noqa: PLC0415 - an extra

    refused: Callable[..., Any] = pytest.fail
    monkeypatch.setattr(update_prices.UpdatePrices, "fetch", refused)
    found = GenaiPrices().find("openai", "gpt-4o-mini")
    assert found is not None
    assert found.price is not None
