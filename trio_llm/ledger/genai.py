"""Prices and context windows from the package ``genai-prices`` (the extra ``prices``).

The package carries its figures with it, so nothing is fetched. It is imported when an
object of this class is made, which takes a few tenths of a second and 36 MB.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import attrs

from trio_llm.chat import Price
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


def _find_in_package() -> Callable[[str, str], Any]:
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - an extra, and slow to import

    def find(model: str, provider: str) -> Any:
        return calc_price(Usage(), model, provider_id=provider)

    return find


@attrs.frozen(eq=False)
class GenaiPrices:
    """The figures of ``genai-prices``, as of the release that is installed.

    Where a price rises with the length of the input, the lowest is given.

    Raises:
        ImportError: The package is not installed.
    """

    _find: Callable[[str, str], Any] = attrs.field(factory=_find_in_package)

    def find(self, kind: str, model: str) -> Listing | None:
        """Look a model up; ``None`` if the package does not know it."""
        provider, model = _place(kind, model)
        if provider is None or not model:
            return None
        try:
            found = self._find(model, provider)
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
    paid = _base(figures.input_mtok)
    if paid is None:
        return None
    return Price(
        paid,
        _base(figures.output_mtok) or Decimal(0),  # models that embed write no tokens
        _base(figures.cache_read_mtok),
        _base(figures.cache_write_mtok),
        SOURCE,
    )


def _base(figure: Any) -> Decimal | None:
    """Give a price without the steps that some have."""
    value = getattr(figure, "base", figure)
    return value if isinstance(value, Decimal) else None
