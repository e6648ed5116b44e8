"""What a provider says that it charged, where it says so in US dollars."""

from decimal import Decimal
from typing import Any, Final

from trio_llm.chat.cost import EXACT
from trio_llm.wire.openai_chat.pricing import dollars
from trio_llm.wire.values import as_object

_TICK: Final = Decimal("1e-10")
"""US dollars; docs.x.ai, "Cost tracking"."""
_BEYOND: Final = 1e18
"""No amount is as large, not even in ticks; a number has at most so many digits to look at."""


def charged_of(usage: Any, *, bare: bool = False) -> Decimal | None:
    """Give what was charged, in US dollars; ``None`` where the counts do not say it.

    Read, by who says it so: ``cost_in_usd_ticks`` (xAI); ``cost.total_cost`` (Perplexity);
    ``cost`` beside ``is_byok`` or ``cost_details`` (OpenRouter, whose credits are dollars,
    and Vercel). With a key of one's own at OpenRouter, what the provider behind it takes
    comes on top. A bare number is in any unit, and an ``estimated_cost`` was not charged.

    Args:
        usage: What stands beside the answer.
        bare: Whether a number ``cost`` with nothing beside it is in dollars, too.
    """
    fields = as_object(usage)
    ticks = fields.get("cost_in_usd_ticks")
    if ticks is not None:
        return _amount(ticks, _TICK) if type(ticks) is int else None
    cost = fields.get("cost")
    if type(cost) is dict:
        stated = as_object(cost)
        in_dollars = stated.get("currency", "USD") == "USD"
        return _amount(stated.get("total_cost")) if in_dollars else None
    if not (bare or "is_byok" in fields or "cost_details" in fields):
        return None
    charged = _amount(cost)
    if charged is None or fields.get("is_byok") is not True:
        return charged
    upstream = _amount(as_object(fields.get("cost_details")).get("upstream_inference_cost"))
    return None if upstream is None else EXACT.add(charged, upstream)


def _amount(value: Any, factor: Decimal = Decimal(1)) -> Decimal | None:
    """Give an amount of dollars; ``None`` for anything but a number that one can be."""
    sound = type(value) in (int, float) and value < _BEYOND
    return dollars(value, factor) if sound else None
