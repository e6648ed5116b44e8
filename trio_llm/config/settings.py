"""The small records of settings inside a provider or the configuration; seconds as floats."""

import attrs

from trio_llm import errors
from trio_llm.config import rules

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
    """

    attempts: int = attrs.field(default=0, metadata=rules.integer(minimum=0))
    base_delay: float = attrs.field(default=0.5, metadata=rules.number())
    max_delay: float = attrs.field(default=8.0, metadata=rules.number())


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
