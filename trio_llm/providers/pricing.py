"""What asking a provider costs, as far as prices are known."""

from collections.abc import Callable
from typing import Final, TypeAlias

import attrs

from trio_llm.chat import AnyRequest, Price, Request, Usage
from trio_llm.policy.latency import Ewma
from trio_llm.providers.estimate import media_tokens, text_tokens

PriceSource: TypeAlias = Callable[[str], Price | None]
"""Gives the price of a model; ``None`` where it is not known."""

USUAL_OUTPUT: Final = 256
"""Output tokens that an answer is taken to have before there was any."""

_SLOWLY: Final = 3600.0
_MILLION: Final = 1_000_000.0
_MODELS: Final = 64


def no_prices(_model: str) -> Price | None:
    """Know no price."""
    return None


def input_tokens(request: AnyRequest) -> float:
    """Estimate the input tokens of a request, by the rules of `trio_llm.providers.estimate`."""
    if not isinstance(request, Request):
        return 0.0
    media = media_tokens(part for message in request.messages for part in message.content)
    return text_tokens(request) + media


@attrs.define(eq=False)
class Pricing:
    """The price of each model of one provider, and how long its answers are.

    Args:
        source: Where prices come from; each model is looked up once.
    """

    source: PriceSource = no_prices
    _known: dict[str, Price | None] = attrs.field(factory=dict[str, Price | None], init=False)
    _output: Ewma = attrs.field(factory=lambda: Ewma(_SLOWLY), init=False)

    def price(self, model: str) -> Price | None:
        """Give the price of a model, if it is known."""
        if model not in self._known:
            if len(self._known) >= _MODELS:
                del self._known[next(iter(self._known))]
            self._known[model] = self.source(model)
        return self._known[model]

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
        paid = input_tokens(request) * float(price.input)
        return (paid + self.output_tokens(request) * float(price.output)) / _MILLION
