"""What comes back from the operations besides a conversation."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from trio_llm.chat.capability import Capability
from trio_llm.chat.cost import NOTHING, Certainty, Cost
from trio_llm.chat.reply import Attempt, Usage


@attrs.frozen(kw_only=True)
class OperationResult:
    """The root of what the operations give.

    Attributes:
        usage: Tokens, or ``None`` where the provider did not say.
        model: The model that answered.
        provider: Who answered.
        latency: Seconds from the call to its last byte.
        metadata: What the balancers add, as in a `Reply`.
        attempts: One record per physical attempt.
        raw: The provider's decoded body.
        charged: US dollars that the provider says it charged; ``None`` where it does not.
        cost: What the operation cost: all its attempts, retries and losers included.
        certainty: How sure the provider is of what it charged.
    """

    usage: Usage | None = None
    model: str | None = None
    provider: str = ""
    latency: float = 0.0
    metadata: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    attempts: tuple[Attempt, ...] = ()
    raw: Any = attrs.field(default=None, repr=False)
    charged: Decimal | None = None
    cost: Cost = NOTHING
    certainty: Certainty = Certainty.EXACT


def _count_vectors(vectors: Sequence[Sequence[float]]) -> str:
    return f"<{len(vectors)} of {len(vectors[0]) if vectors else 0}>"


@attrs.frozen(kw_only=True)
class Embeddings(OperationResult):
    """Vectors, one for each text, in the order of the texts.

    Attributes:
        vectors: The vectors.
    """

    vectors: tuple[tuple[float, ...], ...] = attrs.field(repr=_count_vectors)

    @property
    def dimensions(self) -> int:
        """The length of the vectors; 0 when there are none."""
        return len(self.vectors[0]) if self.vectors else 0

    def __len__(self) -> int:
        return len(self.vectors)

    def __iter__(self) -> Iterator[tuple[float, ...]]:
        return iter(self.vectors)

    def __getitem__(self, index: int) -> tuple[float, ...]:
        return self.vectors[index]


@attrs.frozen
class Verdict:
    """What a moderation says about one text.

    Attributes:
        flagged: Whether the provider objects to it.
        categories: Each category of the provider, and whether it applies.
        scores: How sure it is, 0 to 1, by category.
    """

    flagged: bool
    categories: Mapping[str, bool] = attrs.field(factory=dict[str, bool])
    scores: Mapping[str, float] = attrs.field(factory=dict[str, float])


@attrs.frozen(kw_only=True)
class Moderation(OperationResult):
    """What a moderation says; it exists only when the provider has judged.

    Attributes:
        verdicts: One for each text, in order.
    """

    verdicts: tuple[Verdict, ...]

    @property
    def flagged(self) -> bool:
        """Whether the provider objects to any of the texts."""
        return any(verdict.flagged for verdict in self.verdicts)

    @property
    def categories(self) -> frozenset[str]:
        """The categories that apply to any of the texts."""
        return frozenset(
            name
            for verdict in self.verdicts
            for name, applies in verdict.categories.items()
            if applies
        )


@attrs.frozen(kw_only=True)
class TokenCount(OperationResult):
    """How many input tokens a conversation has.

    Attributes:
        tokens: The number.
        exact: Whether the provider counted; otherwise it is an estimate.
        error: For an estimate, the relative error of recent ones (0.1 is ten
            percent), or ``None`` while nothing is known.
    """

    tokens: int
    exact: bool
    error: float | None = None


@attrs.frozen
class PriceTier:
    """What a model costs when the input is long, in US dollars per million tokens.

    It holds for the whole request, not only for the tokens beyond the threshold.

    Attributes:
        above: It holds when there are more input tokens than this, cached ones included.
        input: Input tokens.
        output: Output tokens.
        cached_input: Input tokens read from the provider's cache; ``None`` means as `input`.
        cache_write: Input tokens written to it; ``None`` means as `input`.
        reasoning: Output tokens spent on reasoning; ``None`` means as `output`.
    """

    above: int
    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None


@attrs.frozen
class Price:
    """What a model costs, in US dollars per million tokens.

    Attributes:
        input: Input tokens.
        output: Output tokens.
        cached_input: Input tokens read from the provider's cache; ``None`` means as `input`.
        cache_write: Input tokens written to it; ``None`` means as `input`.
        source: Where the figures come from: ``wire``, ``configuration``, ``genai-prices``, or
            ``kind`` for those of a server on the user's own machine.
        reasoning: Output tokens spent on reasoning; ``None`` means as `output`.
        request: US dollars for each request, besides its tokens.
        tiers: What holds instead for long inputs, in rising order of `PriceTier.above`.
    """

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    source: str = "wire"
    reasoning: Decimal | None = attrs.field(default=None, kw_only=True)
    request: Decimal = attrs.field(default=Decimal(0), kw_only=True)
    tiers: tuple[PriceTier, ...] = attrs.field(default=(), kw_only=True)

    @property
    def free(self) -> bool:
        """Whether neither tokens nor requests cost anything."""
        return not (self.input or self.output or self.reasoning or self.request or self.tiers)


@attrs.frozen(kw_only=True)
class ModelInfo:
    """One model of a provider; ``None`` means that nothing says.

    Attributes:
        id: The name by which it is asked for.
        provider: The provider, by its name in the configuration.
        name: A name for people.
        capabilities: What it can do.
        context_window: Input tokens that it takes at most.
        max_output_tokens: Output tokens that it gives at most.
        price: What it costs.
        size: Bytes on disk, for a local one.
        details: Further facts in the provider's words.
    """

    id: str
    provider: str = ""
    name: str | None = None
    capabilities: frozenset[Capability] | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    price: Price | None = None
    size: int | None = None
    details: Mapping[str, Any] = attrs.field(factory=dict[str, Any], repr=False)


@attrs.frozen(kw_only=True)
class ModelList(OperationResult):
    """Models, in the provider's order; also what `ShowModel` gives, with one in it.

    Attributes:
        models: The models.
    """

    models: tuple[ModelInfo, ...]


@attrs.frozen
class PullProgress:
    """How far a pull has come.

    Attributes:
        status: What the server is doing, in its words.
        digest: Which layer it is about.
        total: Bytes of that layer.
        completed: Bytes of it that have arrived.
    """

    status: str
    digest: str | None = None
    total: int | None = None
    completed: int | None = None


@attrs.frozen(kw_only=True)
class Done(OperationResult):
    """What an operation gives that has nothing to say but that it was done.

    Attributes:
        status: The provider's last word.
    """

    status: str = ""
