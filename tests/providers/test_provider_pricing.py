"""What one provider's requests cost: prices by the day, each looked up seldom."""

from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest

from trio_llm.chat import Message, Price, PriceTier, Request, Usage
from trio_llm.providers.pricing import Pricing

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
OLD, NEW = Price(Decimal(1), Decimal(2)), Price(Decimal(3), Decimal(4))


@attrs.define
class Desk:
    """A source with a new price from midnight on, and a clock that stands still."""

    now: float = MIDNIGHT
    asked: list[tuple[str, datetime]] = attrs.field(factory=list[tuple[str, datetime]])

    def price(self, model: str, at: datetime) -> Price | None:
        """Give a price as of an instant."""
        self.asked.append((model, at))
        if model == "unknown":
            return None
        return NEW if at.timestamp() >= MIDNIGHT else OLD

    def open(self) -> Pricing:
        """Give the pricing that asks it."""
        return Pricing(self.price, lambda: self.now)


@pytest.mark.parametrize(
    ("seconds", "price"), [(-86_400.0, OLD), (-0.001, OLD), (0.0, NEW), (5.0, NEW)]
)
def test_a_price_is_that_of_the_day(seconds: float, price: Price) -> None:
    """The day begins at midnight in UTC, to the millisecond."""
    assert Desk(MIDNIGHT + seconds).open().price("m") == price


def test_a_price_changes_while_the_provider_runs() -> None:
    """A clock that has gone over midnight, or back, finds what holds there."""
    desk = Desk(MIDNIGHT - 1)
    pricing = desk.open()
    found: list[Price | None] = []
    for seconds in (-1, 1, -1):
        desk.now = MIDNIGHT + seconds
        found.append(pricing.price("m"))
    assert found == [OLD, NEW, OLD]


def test_a_model_is_looked_up_once_in_half_an_hour() -> None:
    """Also one that has no price; the source is told when that half hour began."""
    desk = Desk(MIDNIGHT + 1700)
    pricing = desk.open()
    for model in ("a", "unknown", "a", "unknown"):
        pricing.price(model)
    begun = datetime.fromtimestamp(MIDNIGHT, UTC)
    assert desk.asked == [("a", begun), ("unknown", begun)]
    desk.now += 200
    pricing.price("a")
    assert desk.asked[2:] == [("a", datetime.fromtimestamp(MIDNIGHT + 1800, UTC))]


def test_only_so_many_models_are_remembered() -> None:
    """A caller who asks for ever new names fills no memory; the oldest is asked for again."""
    desk = Desk()
    pricing = desk.open()
    for number in range(65):
        pricing.price(f"m{number}")
    pricing.price("m64")
    assert len(desk.asked) == 65
    pricing.price("m0")
    assert len(desk.asked) == 66


def test_an_estimate_knows_tiers_and_the_price_of_a_request() -> None:
    """A long input costs what long inputs do, and what answers usually have is added."""
    tier = PriceTier(100, Decimal(10), Decimal(20))
    price = Price(Decimal(1), Decimal(2), request=Decimal("0.5"), tiers=(tier,))
    pricing = Pricing(lambda _model, _at: price, lambda: MIDNIGHT)
    pricing.answered(0.0, Usage(1, 50))
    short, long = (Request(messages=[Message("user", "word " * n)]) for n in (1, 1000))
    cheap, dear = pricing.cost(short, "m"), pricing.cost(long, "m")
    assert cheap is not None
    assert dear is not None
    assert 0.5 + 50 * 2e-6 < cheap < 0.5 + 50 * 2e-6 + 100 * 1e-6
    assert dear > 0.5 + 50 * 20e-6 + 1000 * 10e-6
    assert Pricing(lambda _model, _at: None, lambda: MIDNIGHT).cost(short, "m") is None
