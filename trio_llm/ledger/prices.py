"""Prices as the library speaks of them."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Protocol

import attrs

from trio_llm.chat import Price
from trio_llm.policy.costing import amount as amount


@attrs.frozen
class Listing:
    """What a source says of one model; ``None`` where it says nothing.

    Attributes:
        price: What it costs.
        context_window: Input tokens that it takes at most.
        name: A name for people.
    """

    price: Price | None = None
    context_window: int | None = None
    name: str | None = None


class PriceBook(Protocol):
    """A source of prices."""

    def find(self, kind: str, model: str, at: datetime | None = None, /) -> Listing | None:
        """Look a model up.

        Args:
            kind: The kind of its provider, as in the catalogue of kinds.
            model: Its name, as the provider knows it.
            at: The instant at which the price holds; ``None`` means now.
        """
        ...


class NoPrices:
    """A source that knows nothing."""

    def find(self, _kind: str, _model: str, _at: datetime | None = None, /) -> Listing | None:
        """Find nothing."""
        return None


@attrs.frozen
class DatedPrice:
    """A price, and from when on it holds.

    Attributes:
        price: The price.
        since: The first day (in UTC) on which it holds; ``None`` means that it always has.
    """

    price: Price
    since: date | None = None


@attrs.frozen
class PriceTable:
    """Prices by the model's name, each from a day on until the next one holds.

    Args:
        models: By name; one that ends with ``*`` stands for every name that begins so.
    """

    models: Mapping[str, tuple[DatedPrice, ...]] = attrs.field(
        factory=dict[str, tuple[DatedPrice, ...]]
    )

    def find(self, model: str, day: date) -> Price | None:
        """Give what a model costs on a day (in UTC); ``None`` if the table does not say.

        The name itself goes before one with ``*``, and of these the longest goes first.
        """
        for name in self._names_for(model):
            held = [p for p in self.models[name] if p.since is None or p.since <= day]
            if held:
                return max(held, key=lambda dated: dated.since or date.min).price
        return None

    def _names_for(self, model: str) -> Iterator[str]:
        if model in self.models:
            yield model
        patterns = [name for name in self.models if name[-1:] == "*"]
        for name in sorted(patterns, key=len, reverse=True):
            if model.startswith(name[:-1]):
                yield name
