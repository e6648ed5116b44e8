"""The small records of settings inside a provider or the configuration; seconds as floats."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from trio_llm import errors
from trio_llm.config import rules, shapes
from trio_llm.config.figures import is_figure, is_optional_figure, to_figure, to_optional_figure

_ERROR_CLASSES = tuple(
    name
    for name, cls in vars(errors).items()
    if isinstance(cls, type) and issubclass(cls, errors.ProviderError)
)


@attrs.frozen
class Timeouts:
    """How long a provider may take in each phase, in seconds; ``inf`` means no limit.

    Args:
        connect: To open a connection, TLS included.
        first_token: From the request to the first useful event of a stream, or
            to the head of a plain response.
        idle: Between two reads after that; it does not run while the caller is
            the slow side.
        total: The whole attempt.
    """

    connect: float = attrs.field(default=5.0, metadata=rules.number(above=True))
    first_token: float = attrs.field(default=60.0, metadata=rules.number(above=True))
    idle: float = attrs.field(default=60.0, metadata=rules.number(above=True))
    total: float = attrs.field(default=600.0, metadata=rules.number(above=True))


@attrs.frozen
class Retry:
    """Further attempts on the same provider.

    Args:
        attempts: How many further ones; 0 means none.
        base_delay: Upper bound of the first pause, in seconds; it doubles.
        max_delay: Upper bound of every pause, in seconds. A wait that the provider
            asks for is kept to the letter; if it is longer than this and than 120 s,
            the call does not ask it again.
        errors: Where that differs for one class of error: by the name of the class,
            those of the three above that differ.
    """

    attempts: int = attrs.field(default=0, metadata=rules.integer(minimum=0))
    base_delay: float = attrs.field(default=0.5, metadata=rules.number())
    max_delay: float = attrs.field(default=8.0, metadata=rules.number())
    errors: Mapping[str, Mapping[str, Any]] = attrs.field(
        factory=dict[str, Mapping[str, Any]],
        converter=rules.to_tables,
        metadata=rules.custom(shapes.is_errors),
    )


@attrs.frozen
class CooldownSettings:
    """When a provider rests after failures.

    Args:
        initial: Length of the first rest, in seconds; each in a row is twice
            as long.
        maximum: Longest rest by escalation, in seconds.
        after_failures: How many charged failures in a row start a rest.
    """

    initial: float = attrs.field(default=5.0, metadata=rules.number())
    maximum: float = attrs.field(default=300.0, metadata=rules.number())
    after_failures: int = attrs.field(default=3, metadata=rules.integer(minimum=1))


@attrs.frozen
class BreakerSettings:
    """When a provider is cut off, and how it comes back; see `trio_llm.policy.breaker`.

    It opens after `CooldownSettings.after_failures` charged failures in a row, or by
    the share of failures set here; it rests as `CooldownSettings` says; then one real
    call is let through, and its outcome closes it or opens it again.

    Args:
        ratio: The share of charged failures, 0 to 1, that opens it; 1 means never by
            share, unless all fail.
        window: Over so many seconds.
        minimum_calls: And not on fewer outcomes than this.
        jitter: By how much of its length a rest may be prolonged by chance, 0 to 1.
            A wait that the provider asked for is not.
        quota_rest: Seconds of the first rest when the quota is used up and the
            provider does not say until when; it doubles.
        authentication_rest: Seconds of the first rest after a refused key; it doubles.
    """

    ratio: float = attrs.field(default=0.5, metadata=rules.number(above=True, maximum=1.0))
    window: float = attrs.field(default=60.0, metadata=rules.number(above=True))
    minimum_calls: int = attrs.field(default=20, metadata=rules.integer(minimum=1))
    jitter: float = attrs.field(default=0.1, metadata=rules.number(maximum=1.0))
    quota_rest: float = attrs.field(default=600.0, metadata=rules.number(above=True))
    authentication_rest: float = attrs.field(default=300.0, metadata=rules.number(above=True))


@attrs.frozen
class RateLimit:
    """How much a provider may be asked; see `trio_llm.policy.rate_limit`.

    Args:
        requests_per_minute: Requests; ``None`` means no limit.
        tokens_per_minute: Input and output tokens, reserved by an estimate and settled
            by what was used; ``None`` means no limit.
        requests_per_day: Requests; ``None`` means no limit.
        on_limit: What a call does that would exceed it: ``wait`` in line, at most until
            its deadline, where no other member can take it; or ``fall_on`` at once.
        learn: Whether to keep to what the provider's headers say is left.
    """

    requests_per_minute: float | None = attrs.field(
        default=None, metadata=rules.number(above=True, optional=True)
    )
    tokens_per_minute: float | None = attrs.field(
        default=None, metadata=rules.number(above=True, optional=True)
    )
    requests_per_day: float | None = attrs.field(
        default=None, metadata=rules.number(above=True, optional=True)
    )
    on_limit: str = attrs.field(
        default="wait", metadata=rules.choice(("wait", "fall_on"), "way to go on")
    )
    learn: bool = attrs.field(default=True, metadata=rules.flag())


@attrs.frozen
class HealthCheck:
    """Active probes of a provider; without an interval there are none.

    Args:
        interval: Seconds between two probes; ``None`` means none.
        jitter: By how much of its length an interval may differ by chance, 0 to 1.
        timeout: Seconds that a probe may take.
        call: What is asked: one token (``generate``), or the list of models
            (``models``), which costs nothing, and says less.
    """

    interval: float | None = attrs.field(
        default=None, metadata=rules.number(above=True, optional=True)
    )
    jitter: float = attrs.field(default=0.1, metadata=rules.number(maximum=1.0))
    timeout: float = attrs.field(default=10.0, metadata=rules.number(above=True))
    call: str = attrs.field(
        default="generate", metadata=rules.choice(("generate", "models"), "call")
    )


@attrs.frozen
class PriceSettings:
    """What a provider's models cost, in US dollars per million tokens.

    A figure is a number, or a string with more digits than a float can hold.

    Args:
        input: Input tokens.
        output: Output tokens.
        cached_input: Input tokens read from the provider's cache; ``None`` means as
            other input.
        cache_write: Input tokens written to it; ``None`` means as other input.
        reasoning: Output tokens spent on reasoning; ``None`` means as other output.
        request: US dollars for each request, besides its tokens.
    """

    input: Decimal = attrs.field(
        default=Decimal(0), converter=to_figure, metadata=rules.custom(is_figure)
    )
    output: Decimal = attrs.field(
        default=Decimal(0), converter=to_figure, metadata=rules.custom(is_figure)
    )
    cached_input: Decimal | None = attrs.field(
        default=None, converter=to_optional_figure, metadata=rules.custom(is_optional_figure)
    )
    cache_write: Decimal | None = attrs.field(
        default=None, converter=to_optional_figure, metadata=rules.custom(is_optional_figure)
    )
    reasoning: Decimal | None = attrs.field(
        default=None, converter=to_optional_figure, metadata=rules.custom(is_optional_figure)
    )
    request: Decimal = attrs.field(
        default=Decimal(0), converter=to_figure, metadata=rules.custom(is_figure)
    )


@attrs.frozen
class RetryBudgetSettings:
    """How many retries a runtime may make in all; see `trio_llm.policy.budget`.

    Args:
        share: Retries earned by each call.
        per_second: Retries earned by each second.
    """

    share: float = attrs.field(default=0.2, metadata=rules.number())
    per_second: float = attrs.field(default=10.0, metadata=rules.number())


@attrs.frozen
class Degradation:
    """What a caller gets in place of an error when nobody could answer.

    Such a reply is marked: `Reply.degraded` says how. An error that another provider
    could not have mended (a bad request, a refused content) stays an error.

    Args:
        stale: Whether to give the last good answer to the same request, if there is one.
        stale_for: How old that may be, in seconds.
        entries: How many answers are remembered for that.
        reply: The text to give otherwise; ``None`` means that the error stands.
    """

    stale: bool = attrs.field(default=False, metadata=rules.flag())
    stale_for: float = attrs.field(default=3600.0, metadata=rules.number(above=True))
    entries: int = attrs.field(default=256, metadata=rules.integer(minimum=1))
    reply: str | None = attrs.field(default=None, metadata=rules.text(optional=True))


@attrs.frozen
class Restart:
    """How often the supervisor restarts an actor before it is *down*.

    Args:
        max_restarts: At most this many within the window.
        window: Its length in seconds.
        backoff: The first pause, in seconds; it doubles.
        max_backoff: The longest pause, in seconds.
    """

    max_restarts: int = attrs.field(default=3, metadata=rules.integer(minimum=0))
    window: float = attrs.field(default=60.0, metadata=rules.number(above=True))
    backoff: float = attrs.field(default=0.1, metadata=rules.number())
    max_backoff: float = attrs.field(default=5.0, metadata=rules.number())


@attrs.frozen
class Simulation:
    """How a provider of the kind ``simulated`` behaves.

    Args:
        latency: Seconds before the first piece of the answer.
        jitter: Up to this many seconds more, drawn for each call.
        text: What it answers; ``None`` means a line with its name and
            the prompt in it.
        chunks: Into how many pieces a stream cuts the answer.
        gap: Seconds between two pieces.
        failure_rate: Share of the calls that fail, 0 to 1.
        fail_with: The class name of the error that those raise.
        seed: Makes its draws differ from those of its like.
    """

    latency: float = attrs.field(default=0.2, metadata=rules.number())
    jitter: float = attrs.field(default=0.0, metadata=rules.number())
    text: str | None = attrs.field(default=None, metadata=rules.text(optional=True, empty=True))
    chunks: int = attrs.field(default=4, metadata=rules.integer(minimum=1))
    gap: float = attrs.field(default=0.02, metadata=rules.number())
    failure_rate: float = attrs.field(default=0.0, metadata=rules.number(maximum=1.0))
    fail_with: str = attrs.field(
        default="ServerError", metadata=rules.choice(_ERROR_CLASSES, "error class")
    )
    seed: int = attrs.field(default=0, metadata=rules.integer())
