"""Balancers as the user writes them, in code or in a file.

The records take whatever they are given; `trio_llm.config.check` looks at all of
them at once, so that one error lists every fault.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final, TypeAlias, cast

import attrs

from trio_llm.chat import OnInterrupt
from trio_llm.config import rules, shapes
from trio_llm.config.provider_schema import KeySource as KeySource
from trio_llm.config.provider_schema import Provider as Provider

_INTERRUPTS: Final = tuple(policy.value for policy in OnInterrupt)


def _to_members(value: "Iterable[Member] | None") -> "tuple[Member, ...] | None":
    # A wrong type passes through unchanged here and below: the check names it.
    if isinstance(value, list | tuple):
        return tuple(value)
    return cast("tuple[Member, ...] | None", value)


def _to_names(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, list | tuple) else cast("tuple[str, ...]", value)


def _to_interrupt(value: OnInterrupt | str) -> str:
    return value.value if isinstance(value, OnInterrupt) else value


def _to_table(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return rules.to_table(value)


def _to_tables(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return rules.to_tables(value)


def _is_member(value: object) -> str | None:
    if isinstance(value, (str, Provider, *BALANCERS)):
        return None
    return rules.expected("a name or a table", value)


@attrs.frozen
class _Balancer:
    """What all balancers have.

    Args:
        members: Names, providers or balancers; ``None`` means all enabled
            providers by priority. Ties go to the one declared first.
        models: The model that a member is asked for when the call names none, by the
            member's name.
        virtual_models: Names of models that there are at this balancer alone: for each,
            the model of every member that serves it, by the member's name.
        on_interrupt: What happens when a stream breaks after it has begun, unless the
            call says otherwise; see `OnInterrupt`.
        name: Its name; in a mapping the key says it.
        mailbox: How many requests may wait.
    """

    members: "tuple[Member, ...] | None" = attrs.field(
        default=None,
        converter=_to_members,
        metadata=rules.custom(shapes.is_members, items=_is_member),
    )
    models: Mapping[str, str] = attrs.field(
        factory=dict[str, str],
        kw_only=True,
        converter=_to_table,
        metadata=rules.custom(shapes.is_any_table, items=shapes.is_word),
    )
    virtual_models: Mapping[str, Mapping[str, str]] = attrs.field(
        factory=dict[str, Mapping[str, str]],
        kw_only=True,
        converter=_to_tables,
        metadata=rules.custom(shapes.is_any_table, items=shapes.is_table_of_words),
    )
    on_interrupt: str = attrs.field(
        default=OnInterrupt.FAIL.value,
        kw_only=True,
        converter=_to_interrupt,
        metadata=rules.choice(_INTERRUPTS, "policy"),
    )
    name: str | None = attrs.field(default=None, kw_only=True, metadata=rules.text(optional=True))
    mailbox: int = attrs.field(default=256, kw_only=True, metadata=rules.integer(minimum=1))


@attrs.frozen
class Race(_Balancer):
    """Asks all members at once; one answer is let through, the others are cancelled.

    Args:
        strategy: ``first_wins``: the first useful success. ``weighted``: of the successes
            within the grace period the one with the best record (decayed win rate x
            latency factor). ``quality``: of these the one with the best score.
        timeout: Seconds until one must have won, the grace period included; the body of
            the winning stream is not covered. ``None`` means no limit.
        grace_period: For ``weighted`` and ``quality``: seconds that the others have after
            the first success.
        scorer: For ``quality``: a callable of the request and the `Completion` that gives
            a number, the more the better, or ``package.module:function``; ``None`` means
            how complete the answer is.
        judge: For ``quality``: the name of a provider or balancer that is asked to score
            the answers, in place of a scorer.
    """

    kind: ClassVar[str] = "race"

    strategy: str = attrs.field(
        default="first_wins",
        kw_only=True,
        metadata=rules.choice(("first_wins", "weighted", "quality"), "strategy"),
    )
    timeout: float | None = attrs.field(
        default=None, kw_only=True, metadata=rules.number(above=True, optional=True)
    )
    grace_period: float = attrs.field(default=0.5, kw_only=True, metadata=rules.number())
    scorer: object = attrs.field(
        default=None, kw_only=True, metadata=rules.custom(shapes.is_function)
    )
    judge: str | None = attrs.field(default=None, kw_only=True, metadata=rules.text(optional=True))


@attrs.frozen
class Hedge(_Balancer):
    """Asks one member, and the next one too if the answer is late; the first success wins.

    A call that says that it has side effects is never hedged.

    Args:
        delay: Seconds after which the next member is asked; ``None`` means the
            percentile below.
        percentile: The share, 0 to 1, of recent times to the first token after which
            the next member is asked.
        minimum_samples: Without so many recent times there is no percentile, and the
            next member is asked only when one fails.
        window: How many seconds count as recent.
        max_extra_calls: The most that hedging may add, as a share of the calls.
        max_extra_cost: The most that it may add, as a share of the spend, where prices
            are known; ``inf`` means no limit. A member that costs something is never
            asked beside one that costs nothing unless there is none.
    """

    kind: ClassVar[str] = "hedge"

    delay: float | None = attrs.field(
        default=None, kw_only=True, metadata=rules.number(optional=True)
    )
    percentile: float = attrs.field(
        default=0.9, kw_only=True, metadata=rules.number(above=True, maximum=1.0)
    )
    minimum_samples: int = attrs.field(default=20, kw_only=True, metadata=rules.integer(minimum=1))
    window: float = attrs.field(default=300.0, kw_only=True, metadata=rules.number(above=True))
    max_extra_calls: float = attrs.field(
        default=0.1, kw_only=True, metadata=rules.number(maximum=1.0)
    )
    max_extra_cost: float = attrs.field(default=0.1, kw_only=True, metadata=rules.number())


@attrs.frozen
class Fallback(_Balancer):
    """Asks one member after the other until one succeeds.

    Args:
        max_retries: How many further members are tried; ``None`` means all.
        primary: The member tried first, by index or name; the others follow in
            declared order. A disabled one passes the turn on.
        on_context_length: Names of those that are asked, in this order, when a request
            is too long for a member. They need not be members.
        on_content_filter: The same for a request that a member refused for its content.
    """

    kind: ClassVar[str] = "fallback"

    max_retries: int | None = attrs.field(
        default=None, kw_only=True, metadata=rules.integer(minimum=0, optional=True)
    )
    primary: int | str = attrs.field(
        default=0, kw_only=True, metadata=rules.custom(shapes.is_primary)
    )
    on_context_length: tuple[str, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=_to_names,
        metadata=rules.custom(shapes.is_list, items=shapes.is_word),
    )
    on_content_filter: tuple[str, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=_to_names,
        metadata=rules.custom(shapes.is_list, items=shapes.is_word),
    )


LOAD_BALANCE_STRATEGIES: Final = (
    "round_robin",
    "random",
    "weighted",
    "least_busy",
    "least_latency",
    "least_cost",
    "adaptive",
    "custom",
)


@attrs.frozen
class LoadBalance(_Balancer):
    """Spreads calls over its members, one member for each call.

    Args:
        strategy: ``round_robin``, ``random``, ``weighted``, ``least_busy``,
            ``least_latency`` (peak EWMA, power of two choices), ``least_cost`` (real
            prices), ``adaptive`` (success, latency and cost together), or ``custom``.
        weights: For ``weighted``: the share of every member, by name.
        selection: For ``custom``: a `Selection`, or ``package.module:name`` of one.
        affinity: Whether the same conversation stays at the same member while that can
            take it, so that the provider's prompt cache is used.
    """

    kind: ClassVar[str] = "load_balance"

    strategy: str = attrs.field(
        default="round_robin",
        kw_only=True,
        metadata=rules.choice(LOAD_BALANCE_STRATEGIES, "strategy"),
    )
    weights: Mapping[str, float] = attrs.field(
        factory=dict[str, float],
        kw_only=True,
        converter=_to_table,
        metadata=rules.custom(shapes.is_weights, items=rules.share),
    )
    selection: object = attrs.field(
        default=None, kw_only=True, metadata=rules.custom(shapes.is_selection)
    )
    affinity: bool = attrs.field(default=False, kw_only=True, metadata=rules.flag())


@attrs.frozen
class Consensus(_Balancer):
    """Asks all members at once, and gives the answer on which most of them agree.

    It stops as soon as the votes that are missing cannot change the result, and cancels
    the rest. Ties go to the member declared first.

    Args:
        strategy: ``majority`` (equal texts but for case, space and punctuation at the
            ends; equal values for a typed answer), ``similarity`` (texts alike by
            `threshold`), ``weighted`` (as ``majority``, each vote by its weight), or
            ``embedding`` (vectors alike by `threshold`).
        threshold: How alike two answers must be to count as one, 0 to 1.
        quorum: How many answers there must be; ``None`` means more than half of the
            members.
        weights: For ``weighted``: what the vote of a member counts, 0 to 1, by name.
        embedder: For ``embedding``: the name of the provider or balancer that embeds.
        timeout: Seconds until there must be a result; ``None`` means no limit. The
            answers that are there by then decide, if they are enough.
    """

    kind: ClassVar[str] = "consensus"

    strategy: str = attrs.field(
        default="majority",
        kw_only=True,
        metadata=rules.choice(("majority", "similarity", "weighted", "embedding"), "strategy"),
    )
    threshold: float = attrs.field(
        default=0.7, kw_only=True, metadata=rules.number(above=True, maximum=1.0)
    )
    quorum: int | None = attrs.field(
        default=None, kw_only=True, metadata=rules.integer(minimum=1, optional=True)
    )
    weights: Mapping[str, float] = attrs.field(
        factory=dict[str, float],
        kw_only=True,
        converter=_to_table,
        metadata=rules.custom(shapes.is_weights, items=rules.share),
    )
    embedder: str | None = attrs.field(
        default=None, kw_only=True, metadata=rules.text(optional=True)
    )
    timeout: float | None = attrs.field(
        default=None, kw_only=True, metadata=rules.number(above=True, optional=True)
    )


Balancer: TypeAlias = Race | Hedge | Fallback | LoadBalance | Consensus
Member: TypeAlias = str | Provider | Race | Hedge | Fallback | LoadBalance | Consensus

BALANCERS: Final = (Race, Hedge, Fallback, LoadBalance, Consensus)
"""The classes of balancer; each knows the word after ``kind =`` that means it."""
