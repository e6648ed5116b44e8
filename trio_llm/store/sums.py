"""Sums of charges, in whole numbers."""

from collections.abc import Mapping
from typing import Final

import attrs

from trio_llm.chat import Certainty, Charge, Cost
from trio_llm.store.amounts import dollars_of, micros_of, picos_of
from trio_llm.store.protocol import UsageRow

_AT_LEAST: Final = int(Certainty.AT_LEAST)


@attrs.define
class Sums:
    """What some charges come to.

    Attributes:
        attempts: Physical attempts.
        succeeded: Of these, the ones that gave an answer.
        unpriced: Of these, the ones whose price is not known.
        input_tokens: As in `UsageRow`, and so are the other tokens.
        certainty: The weakest mark, as a number.
        latency: How long they took, in microseconds.
        picos: What they cost, in millionths of a millionth of a US dollar.
    """

    attempts: int = 0
    succeeded: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    certainty: int = 0
    latency: int = 0
    picos: int = 0

    def book(self, charge: Charge) -> None:
        """Add one charge."""
        self.attempts += 1
        if charge.outcome == "succeeded":
            self.succeeded += 1
        usage = charge.usage
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.cached_tokens += usage.cached_tokens
            self.cache_write_tokens += usage.cache_write_tokens
            self.reasoning_tokens += usage.reasoning_tokens
        cost = charge.cost
        picos = None if cost is None else picos_of(cost.amount)
        if cost is None or picos is None:
            self.unpriced += 1
            self.certainty = _AT_LEAST
        else:
            self.picos += picos
            if cost.certainty > self.certainty:
                self.certainty = int(cost.certainty)
        self.latency += micros_of(charge.latency)

    def __add__(self, other: "Sums") -> "Sums":
        """Give the sum of both; neither changes."""
        return Sums(
            self.attempts + other.attempts,
            self.succeeded + other.succeeded,
            self.unpriced + other.unpriced,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            max(self.certainty, other.certainty),
            self.latency + other.latency,
            self.picos + other.picos,
        )

    def row(self, key: tuple[str, ...]) -> UsageRow:
        """Give them as the row of a key."""
        return UsageRow(
            key,
            self.attempts,
            self.succeeded,
            self.unpriced,
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
            Cost(dollars_of(self.picos), Certainty(self.certainty)),
            self.latency / 1e6,
        )


def rows_of(sums: Mapping[tuple[str, ...], Sums]) -> tuple[UsageRow, ...]:
    """Give sums as rows, in the order of their keys."""
    return tuple(sums[key].row(key) for key in sorted(sums))
