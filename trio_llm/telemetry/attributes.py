"""Attributes of spans: tokens and costs in the words of the conventions."""

from typing import TypeAlias

from trio_llm.chat import Cost, Usage
from trio_llm.telemetry import conventions as words

Attributes: TypeAlias = dict[str, str | bool | int | float | list[str]]


def cost_attributes(cost: Cost) -> Attributes:
    """Give what an attempt cost, in US dollars, and how sure that is."""
    return {words.COST: float(cost.amount), words.CERTAINTY: cost.certainty.name.lower()}


def call_cost_attributes(cost: Cost) -> Attributes:
    """Give what all attempts of a call cost; under other names, so that sums stay right."""
    return {words.CALL_COST: float(cost.amount), words.CALL_CERTAINTY: cost.certainty.name.lower()}


def usage_attributes(usage: Usage) -> Attributes:
    """Give the tokens of an exchange; parts of them only where there are any."""
    found: Attributes = {
        words.INPUT_TOKENS: usage.input_tokens,
        words.OUTPUT_TOKENS: usage.output_tokens,
    }
    if usage.cached_tokens:
        found[words.CACHE_READ_TOKENS] = usage.cached_tokens
    if usage.cache_write_tokens:
        found[words.CACHE_WRITE_TOKENS] = usage.cache_write_tokens
    if usage.reasoning_tokens:
        found[words.REASONING_TOKENS] = usage.reasoning_tokens
    return found
