"""What the spans of calls and attempts say, in the words of the conventions."""

from typing import TypeAlias

from trio_llm import events
from trio_llm.chat import Cost, Usage
from trio_llm.telemetry import conventions as words

Attributes: TypeAlias = dict[str, str | bool | int | float | list[str]]
AttemptEnd: TypeAlias = events.AttemptSucceeded | events.AttemptFailed | events.AttemptCancelled


def call_begins(event: events.RequestStarted) -> Attributes:
    """Give what is known of a call when it is made."""
    found: Attributes = {
        words.OPERATION: words.operation_name(event.operation),
        words.ENDPOINT: event.path[0],
    }
    if event.call is not None:
        found[words.CALL] = event.call
    if event.model is not None:
        found[words.REQUEST_MODEL] = event.model
    if event.streaming:
        found[words.REQUEST_STREAM] = True
    return found


def call_ends(event: events.RequestFinished) -> Attributes:
    """Give how a call ended, and what all its attempts cost.

    The cost has other names than that of an attempt, so that sums over spans stay right.
    """
    found: Attributes = {
        words.OUTCOME: event.outcome,
        words.CALL_COST: float(event.cost.amount),
        words.CALL_CERTAINTY: event.cost.certainty.name.lower(),
    }
    if event.provider is not None:
        found[words.MEMBER] = event.provider
    if event.model is not None:
        found[words.RESPONSE_MODEL] = event.model
    if event.finish_reason is not None:
        found[words.FINISH_REASONS] = [event.finish_reason]
    if event.first_token is not None:
        found[words.FIRST_CHUNK] = event.first_token
    if event.outcome == "failed":
        found[words.ERROR_TYPE] = event.error or "_OTHER"
    return found


def attempt_begins(event: events.AttemptStarted) -> Attributes:
    """Give what is known of an attempt before it is made."""
    found: Attributes = {
        words.OPERATION: words.operation_name(event.operation),
        words.PROVIDER: words.provider_name(event.provider_kind),
        words.MEMBER: event.path[-1],
        words.PATH: list(event.path),
        words.NUMBER: event.number,
    }
    if event.model:
        found[words.REQUEST_MODEL] = event.model
    return found


def attempt_ends(event: AttemptEnd) -> Attributes:
    """Give how an attempt ended."""
    found: Attributes = {}
    if isinstance(event, events.AttemptSucceeded):
        found[words.OUTCOME] = "succeeded"
        found |= _answer(event)
    elif isinstance(event, events.AttemptFailed):
        found[words.OUTCOME] = "failed"
        found[words.ERROR_TYPE] = event.error
        if event.status is not None:
            found[words.HTTP_STATUS] = event.status
        if event.operation == "chat":
            found[words.FINISH_REASONS] = ["error"]
    else:
        found[words.OUTCOME] = "cancelled"
        found[words.CANCEL_REASON] = event.reason
    cost: Cost | None = event.cost
    if cost is not None:
        found[words.COST] = float(cost.amount)
        found[words.CERTAINTY] = cost.certainty.name.lower()
    return found


def _answer(event: events.AttemptSucceeded) -> Attributes:
    found: Attributes = {} if event.usage is None else _tokens(event.usage)
    if event.answered_by is not None:
        found[words.RESPONSE_MODEL] = event.answered_by
    if event.response_id is not None:
        found[words.RESPONSE_ID] = event.response_id
    if event.finish_reason is not None:
        found[words.FINISH_REASONS] = [event.finish_reason]
    return found


def _tokens(usage: Usage) -> Attributes:
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
