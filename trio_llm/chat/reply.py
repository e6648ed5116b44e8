"""What comes back: the completion of one exchange, and the reply to a call."""

import enum
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import attrs

from trio_llm.chat.cost import NOTHING, Certainty, Cost
from trio_llm.chat.messages import Message, ToolCall

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter", "unknown"]


@attrs.frozen
class Usage:
    """Tokens of one exchange, with the same meaning at every provider.

    Attributes:
        input_tokens: Tokens read, those from a cache included.
        output_tokens: Tokens written, reasoning included.
        cached_tokens: Of the input, those read from the provider's cache.
        cache_write_tokens: Of the input, those written to that cache.
        reasoning_tokens: Of the output, those spent on reasoning.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens


@attrs.frozen
class Completion:
    """What one exchange with a provider gave, as its dialect decoded it.

    Attributes:
        message: The assistant's turn.
        finish_reason: Why it ended, in this library's words.
        raw_finish: Why it ended, in the provider's words.
        usage: Tokens, or ``None`` where the provider did not say.
        charged: US dollars that the provider says it charged; ``None`` where it does not.
        model: The model that answered, as the provider names it.
        response_id: The provider's identifier of the response.
        raw: The decoded body; ``None`` for a stream.
        certainty: How sure it is of what it charged.
    """

    message: Message
    finish_reason: FinishReason = "stop"
    raw_finish: str | None = None
    usage: Usage | None = None
    model: str | None = None
    response_id: str | None = None
    raw: Any = attrs.field(default=None, repr=False)
    charged: Decimal | None = None
    certainty: Certainty = Certainty.EXACT


class AttemptOutcome(enum.Enum):
    """How one physical attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DISCARDED = "discarded"


@attrs.frozen
class Attempt:
    """One physical attempt: one request that went, or was about to go, on the wire.

    Attributes:
        provider: Who was asked.
        path: The way through the call tree, from the outermost name to the provider.
        model: The model asked for.
        number: Which attempt of this path in this call, from 1.
        outcome: How it ended; *discarded* is a success that another one beat.
        reason: Why it was cancelled or failed, in words.
        error: The class name of the error, if it failed.
        status: The HTTP status, if one arrived.
        started: Seconds from the start of the call.
        latency: Seconds from its own start to its end.
        time_to_first_token: Seconds from its own start to the first useful
            event, for streams.
        usage: Tokens, as far as known.
        cost: What it cost, as far as known; ``None`` where the price is not known.
    """

    provider: str
    path: tuple[str, ...]
    model: str | None
    number: int
    outcome: AttemptOutcome
    started: float
    latency: float
    reason: str | None = None
    error: str | None = None
    status: int | None = None
    time_to_first_token: float | None = None
    usage: Usage | None = None
    cost: Cost | None = None


@attrs.frozen(kw_only=True)
class Reply:
    """The answer to a call.

    Attributes:
        message: The assistant's turn; add it to the conversation to go on.
        finish_reason: Why it ended: ``stop``, ``length``, ``tool_calls``,
            ``content_filter`` or ``unknown``.
        usage: Tokens of the exchange that won.
        provider: Who answered.
        model: The model that answered.
        latency: Seconds from the call to its last byte.
        time_to_first_token: Seconds from the call to the first useful event of
            a stream; ``None`` for a plain call.
        metadata: What the balancers add: ``racing_winner``,
            ``racing_latency_ms``, ``racing_scores``, ``hedge_provider``, ``hedged``,
            ``fallback_provider``, ``fallback_index``, ``loadbalance_provider``,
            ``consensus_votes``, ``consensus_share``, ``switched_from``. Where keys meet,
            the outermost balancer's value stands.
        attempts: One record per physical attempt, in the order of the call tree.
        raw: The provider's decoded body; ``None`` for a stream.
        degraded: How it stands in for an answer that nobody could give: ``stale`` (the
            last good one to the same request) or ``default`` (the configured text);
            ``None`` for a real answer.
        cost: What the call cost: all its attempts, retries and losers included.
        cached: How it came without a call of its own: ``hit`` (from the cache) or
            ``shared`` (the call of another caller who asked the same); ``None`` otherwise.
    """

    message: Message
    finish_reason: FinishReason
    usage: Usage
    provider: str
    model: str
    latency: float
    time_to_first_token: float | None = None
    metadata: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    attempts: tuple[Attempt, ...] = ()
    raw: Any = attrs.field(default=None, repr=False)
    degraded: str | None = None
    cost: Cost = NOTHING
    cached: str | None = None

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.message.text

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that the model asks for."""
        return self.message.tool_calls
