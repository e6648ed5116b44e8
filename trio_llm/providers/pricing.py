"""What asking a provider costs, as far as prices are known."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, TypeAlias

import attrs

from trio_llm.chat import AnyRequest, Price, Request, Usage
from trio_llm.chat.cost import EXACT, rounded
from trio_llm.policy.costing import estimated
from trio_llm.policy.latency import Ewma
from trio_llm.providers.estimate import media_tokens, text_tokens

PriceSource: TypeAlias = Callable[[str, datetime], Price | None]
"""Gives the price of a model at an instant (in UTC); ``None`` where it is not known."""

USUAL_OUTPUT: Final = 256
"""Output tokens that an answer is taken to have before there was any."""

_SLOWLY: Final = 3600.0
_MODELS: Final = 64
_NEWEST: Final = Decimal("0.2")
"""The share of the newest attempt in what a provider charges of late."""
_HOLDS: Final = 1800.0
"""Seconds for which a price surely holds.

Prices change with the day or, where some hours are cheaper, on the half hour.
"""


def input_tokens(request: AnyRequest) -> float:
    """Estimate the input tokens of a request, by the rules of `trio_llm.providers.estimate`."""
    if not isinstance(request, Request):
        return 0.0
    media = [media_tokens(message.content) for message in request.messages]
    return text_tokens(request) + sum(media)


@attrs.define(eq=False)
class Pricing:
    """The price of each model of one provider, and how long its answers are.

    Args:
        source: Where prices come from; each model is looked up once in half an hour.
        wall_clock: Seconds since the epoch, by which the source tells what holds.
    """

    source: PriceSource
    wall_clock: Callable[[], float]
    _known: dict[str, Price | None] = attrs.field(factory=dict[str, Price | None], init=False)
    _period: float = attrs.field(default=math.nan, init=False)
    _charged: dict[str, Decimal] = attrs.field(factory=dict[str, Decimal], init=False)
    _output: Ewma = attrs.field(factory=lambda: Ewma(_SLOWLY), init=False)

    def price(self, model: str) -> Price | None:
        """Give the price of a model as of now, if it is known."""
        period = self.wall_clock() // _HOLDS
        if period != self._period:
            self._period = period
            self._known.clear()
        try:
            return self._known[model]
        except KeyError:
            return self._look_up(model)

    def _look_up(self, model: str) -> Price | None:
        if len(self._known) >= _MODELS:
            del self._known[next(iter(self._known))]
        price = self.source(model, datetime.fromtimestamp(self._period * _HOLDS, UTC))
        self._known[model] = price
        return price

    def charged(self, model: str) -> Decimal | None:
        """Give what the provider has charged for an attempt of late; ``None`` before the first."""
        return self._charged.get(model)

    def was_charged(self, model: str, dollars: Decimal) -> None:
        """Learn what the provider charged for an attempt."""
        before = self._charged.pop(model, dollars)
        while len(self._charged) >= _MODELS:
            del self._charged[next(iter(self._charged))]
        change = EXACT.multiply(EXACT.subtract(dollars, before), _NEWEST)
        self._charged[model] = rounded(EXACT.add(before, change))

    def answered(self, now: float, usage: Usage | None) -> None:
        """Learn how long answers are."""
        if usage is not None and usage.output_tokens:
            self._output.observe(now, float(usage.output_tokens))

    def output_tokens(self, request: AnyRequest) -> float:
        """Estimate the output tokens of the answer to a request."""
        if not isinstance(request, Request):
            return 0.0
        usual = self._output.mean
        expected = float(USUAL_OUTPUT) if usual is None else usual
        return expected if request.max_tokens is None else min(expected, request.max_tokens)

    def cost(self, request: AnyRequest, model: str) -> float | None:
        """Estimate what a request costs, in US dollars; ``None`` if the price is not known."""
        price = self.price(model)
        if price is None:
            return None
        output = self.output_tokens(request)
        return float(estimated(price, math.ceil(input_tokens(request)), math.ceil(output)))
