"""Prices and context windows from the package ``genai-prices`` (the extra ``prices``).

The package carries its figures with it, so nothing is fetched. It is imported when an
object of this class is made, which takes a few tenths of a second and 36 MB.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import attrs

from trio_llm.chat import Price, PriceTier
from trio_llm.chat.cost import EXACT
from trio_llm.ledger.prices import Listing

SOURCE: Final = "genai-prices"

_PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "openai": "openai",
        "openai_responses": "openai",
        "anthropic": "anthropic",
        "gemini": "google",
        "cohere": "cohere",
        "openrouter": "openrouter",
        "cloudflare": "cloudflare",
        "azure": "azure",
        "mistral": "mistral",
        "groq": "groq",
        "deepseek": "deepseek",
        "xai": "x-ai",
        "together": "together",
        "fireworks": "fireworks",
        "perplexity": "perplexity",
        "bedrock": "aws",
    }
)
"""What the package calls the kinds of provider whose prices it knows."""

_INPUT, _OUTPUT, _READ, _WRITTEN, _REASONING = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "output_reasoning_mtok",
)
"""What the package calls the prices of those tokens that `Usage` counts."""

_THOUSANDTH: Final = Decimal("0.001")

_Find = Callable[[str, str, datetime | None], Any]


def _find_in_package() -> _Find:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - an extra, and slow to import

    def find(model: str, provider: str, at: datetime | None) -> Any:
        return calc_price(Usage(), model, provider_id=provider, genai_request_timestamp=at)

    return find


@attrs.frozen(eq=False)
class GenaiPrices:
    """The figures of ``genai-prices``, as of the release that is installed.

    A newer release of the package brings newer prices, also those that hold from a day to
    come; ``prices`` in the configuration goes before them. The package can also fetch
    prices by itself (``genai_prices.UpdatePrices``); an application that starts that has
    them used here, and nothing here starts it.

    What counts of a price is what `Usage` counts: tokens by the length of the input, from
    and to the provider's cache (at the price for its usual time), reasoning where that has
    a price of its own, and requests. Sound, pictures and searches with prices of their own
    are taken for text, or for nothing.

    Raises:
        ImportError: The package is not installed.
    """

    _find: _Find = attrs.field(factory=_find_in_package)

    def find(self, kind: str, model: str, at: datetime | None = None, /) -> Listing | None:
        """Look a model up, as of an instant; ``None`` if the package does not know it."""
        provider, model = _place(kind, model)
        if provider is None or not model:
            return None
        try:
            found = self._find(model, provider, at)
        except LookupError:
            return None
        return Listing(_price(found.model_price), found.model.context_window, found.model.name)


def _place(kind: str, model: str) -> tuple[str | None, str]:
    """Give the package's name of the provider, and of the model there."""
    if kind == "huggingface":  # the router's models end with the provider that serves them
        name, _, backend = model.partition(":")
        return (f"huggingface_{backend}" if backend else None), name
    return _PROVIDERS.get(kind), model


def _price(figures: Any) -> Price | None:
    paid = _at(figures, _INPUT, 0)
    if paid is None:
        return None
    requests = _at(figures, "requests_kcount", 0)
    return Price(
        paid,
        _at(figures, _OUTPUT, 0) or Decimal(0),  # models that embed write no tokens
        _at(figures, _READ, 0),
        _at(figures, _WRITTEN, 0),
        SOURCE,
        reasoning=_at(figures, _REASONING, 0),
        request=Decimal(0) if requests is None else EXACT.multiply(requests, _THOUSANDTH),
        tiers=tuple([_tier(figures, above) for above in _thresholds(figures)]),
    )


def _tier(figures: Any, above: int) -> PriceTier:
    return PriceTier(
        above,
        _at(figures, _INPUT, above + 1) or Decimal(0),
        _at(figures, _OUTPUT, above + 1) or Decimal(0),
        _at(figures, _READ, above + 1),
        _at(figures, _WRITTEN, above + 1),
        _at(figures, _REASONING, above + 1),
    )


def _thresholds(figures: Any) -> list[int]:
    """Give the lengths of input above which any of the prices is another one."""
    names = (_INPUT, _OUTPUT, _READ, _WRITTEN, _REASONING)
    steps = [getattr(getattr(figures, name), "tiers", ()) for name in names]
    return sorted({step.start for tiers in steps for step in tiers})


def _at(figures: Any, name: str, length: int) -> Decimal | None:
    """Give a price for an input of some length; a price in steps has a base, and rises."""
    figure = getattr(figures, name)
    value = getattr(figure, "base", figure)
    for step in getattr(figure, "tiers", ()):
        if length > step.start:
            value = step.price
    return value if isinstance(value, Decimal) else None
