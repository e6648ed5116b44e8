"""A provider as the user writes it, in code or in a file.

The record takes whatever it is given; `trio_llm.config.check` looks at all of
it at once, so that one error lists every fault.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias, cast

import attrs

from trio_llm.chat import Capability
from trio_llm.config import rules, shapes, shown
from trio_llm.config.prices import to_prices
from trio_llm.config.secret import Secret
from trio_llm.config.settings import (
    BreakerSettings,
    CooldownSettings,
    HealthCheck,
    PriceSettings,
    RateLimit,
    Retry,
    Simulation,
    Timeouts,
)
from trio_llm.policy import Blame
from trio_llm.wire import DIALECTS

KeySource: TypeAlias = Callable[[], Awaitable[str]]
"""An async callable that gives a key; asked before each attempt.

What it raises is shown by the name of its class alone, as an `AuthenticationError`;
a `ProviderError` is passed on as it is.
"""

_CAPABILITIES: Final = {capability.value: capability for capability in Capability}
_ORDER: Final = {capability: rank for rank, capability in enumerate(Capability)}


def _to_tuple(value: Iterable[str]) -> tuple[str, ...]:
    # A wrong type passes through unchanged here and below: the check names it.
    return tuple(value) if isinstance(value, list | tuple) else cast("tuple[str, ...]", value)


def _to_key(value: "str | Secret | KeySource | None") -> "Secret | KeySource | None":
    return Secret(value) if isinstance(value, str) else value


def _to_headers(value: Mapping[str, str]) -> Mapping[str, str]:
    return rules.to_table(value)


def _to_errors(value: "Mapping[str, Blame | Mapping[str, bool]]") -> Mapping[str, Any]:
    # A row is kept as a table, so that what was loaded from a file equals it.
    return (
        {
            name: attrs.asdict(row) if isinstance(row, Blame) else rules.to_table(row)
            for name, row in value.items()
        }
        if rules.is_table(value)
        else value
    )


def _to_capabilities(
    value: Iterable[Capability | str] | None,
) -> tuple[Capability | str, ...] | None:
    if isinstance(value, set | frozenset):
        value = sorted(value, key=lambda item: _ORDER.get(cast("Capability", item), len(_ORDER)))
    if not isinstance(value, list | tuple):
        return cast("tuple[Capability | str, ...] | None", value)
    return tuple(_CAPABILITIES.get(item, item) if type(item) is str else item for item in value)


@attrs.frozen
class Provider:
    """One provider: who is asked, how often, how long.

    Args:
        kind: What it is; see `trio_llm.providers.catalogue.KINDS`.
        name: Its name; in a mapping the key says it. Without either it is the kind.
        model: The model to ask for; ``None`` means the kind's own.
        base_url: Where it is; ``None`` means where the kind says.
        api_key_env: The environment variable that holds its key; ``None`` means
            the kind's own.
        api_key_envs: Environment variables with several keys of it. It then becomes
            one provider for each, ``name-1`` and so on, each with places and health
            of its own, under a load balancer that bears its name: a call goes to the
            next key in turn, and on to another one if that fails.
        api_key: The key itself, or an async callable that gives it. In code only.
        dialect: Its wire format, where it is not that of its kind; see
            `trio_llm.wire.DIALECTS`.
        api_version: The version of its interface, for the kinds ``azure``,
            ``anthropic`` and ``openai_compatible``, and for any in the dialect
            ``anthropic``; ``None`` means the kind's or the dialect's own.
        embedding_model: The model that embeds; ``None`` means the kind's own.
        moderation_model: The model that moderates; ``None`` means the kind's own.
        structured_output: How an answer of a given shape is asked for: by the ``native``
            JSON schema, as a forced ``tool``, or in words (``prompt``); ``None`` means
            what the kind takes, which can depend on the schema and on tools beside it.
        enabled: Whether it is used at all.
        priority: Lower is tried first where a balancer lists no members; ties in
            declared order.
        max_concurrency: How many requests it serves at once.
        mailbox: How many requests may wait.
        max_tokens_per_request: Upper limit on output tokens of any request.
        models: Further models that it serves.
        capabilities: What it can be asked to do; ``None`` means what the kind can.
        timeouts: How long each phase may take.
        retry: Further attempts on this provider.
        cooldown: When it rests after failures, and how long.
        breaker: When it is cut off besides, and how it comes back.
        rate_limit: How many requests and tokens it may be asked for.
        health_check: Active probes.
        hold_after_cancel: Seconds for which the place of a cancelled request stays taken,
            for a local server that goes on generating.
        context_window: Input tokens that it takes at most; a longer request is not sent
            to it. ``None`` means what is known of the model, or no limit.
        price: What all of its models cost; ``None`` means what the installed prices say.
        prices: What single models cost, which goes before `price`: by the model's name,
            or the beginning of one and ``*``, a table as for `price` or a list of such
            tables. Each may have ``since``, the day (in UTC) from which on it holds, and
            ``above``, for requests with more input tokens than that; one with ``above``
            says what differs from the one without it of the same ``since``.
        continues: Whether it goes on with an answer that ends the conversation, so
            that a broken stream can be resumed with it; ``None`` means what the kind does.
        errors: What follows from its errors, where that is not what the table in
            `trio_llm.policy.blame` says: by the name of the class, a `Blame`, or those
            of ``charges``, ``cools``, ``falls_through`` and ``retries`` that differ.
        headers: Further HTTP headers for every request.
        proxy: The URL of an HTTP proxy; ``None`` leaves it to the environment.
        verify: Whether certificates are checked, or a file of those to trust.
        cls: For the kind ``custom``: the class, an instance of it, or
            ``package.module:Class``. The key in a file is ``class``.
        options: For the kind ``custom``: keyword arguments of the class.
        simulation: For the kind ``simulated``: how it behaves.
    """

    kind: str = attrs.field(metadata=rules.text(empty=True))
    name: str | None = attrs.field(default=None, metadata=rules.text(optional=True))
    model: str | None = attrs.field(default=None, kw_only=True, metadata=rules.text(optional=True))
    base_url: str | None = attrs.field(
        default=None, kw_only=True, repr=shown.url, metadata=rules.custom(shapes.is_base_url)
    )
    api_key_env: str | None = attrs.field(
        default=None, kw_only=True, repr=shown.variable, metadata=rules.custom(shapes.is_variable)
    )
    api_key_envs: tuple[str, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=_to_tuple,
        repr=shown.variables,
        metadata=rules.custom(shapes.is_list, items=shapes.is_listed_variable),
    )
    api_key: Secret | KeySource | None = attrs.field(
        default=None,
        kw_only=True,
        converter=_to_key,
        repr=shown.key,
        metadata=rules.custom(shapes.is_key),
    )
    dialect: str | None = attrs.field(
        default=None, kw_only=True, metadata=rules.choice(DIALECTS, "dialect", optional=True)
    )
    api_version: str | None = attrs.field(
        default=None, kw_only=True, metadata=rules.custom(shapes.is_version)
    )
    embedding_model: str | None = attrs.field(
        default=None, kw_only=True, metadata=rules.text(optional=True)
    )
    moderation_model: str | None = attrs.field(
        default=None, kw_only=True, metadata=rules.text(optional=True)
    )
    structured_output: Literal["native", "tool", "prompt"] | None = attrs.field(
        default=None,
        kw_only=True,
        metadata=rules.choice(("native", "tool", "prompt"), "way to ask", optional=True),
    )
    enabled: bool = attrs.field(default=True, kw_only=True, metadata=rules.flag())
    priority: int = attrs.field(default=0, kw_only=True, metadata=rules.integer())
    max_concurrency: int = attrs.field(default=16, kw_only=True, metadata=rules.integer(minimum=1))
    mailbox: int = attrs.field(default=256, kw_only=True, metadata=rules.integer(minimum=1))
    max_tokens_per_request: int | None = attrs.field(
        default=None, kw_only=True, metadata=rules.integer(minimum=1, optional=True)
    )
    models: tuple[str, ...] = attrs.field(
        default=(),
        kw_only=True,
        converter=_to_tuple,
        metadata=rules.custom(shapes.is_list, items=shapes.is_word),
    )
    capabilities: tuple[Capability | str, ...] | None = attrs.field(
        default=None,
        kw_only=True,
        converter=_to_capabilities,
        metadata=rules.custom(shapes.is_optional_list, items=shapes.is_capability),
    )
    timeouts: Timeouts = attrs.field(
        factory=Timeouts, kw_only=True, metadata=rules.record(Timeouts)
    )
    retry: Retry = attrs.field(factory=Retry, kw_only=True, metadata=rules.record(Retry))
    cooldown: CooldownSettings = attrs.field(
        factory=CooldownSettings, kw_only=True, metadata=rules.record(CooldownSettings)
    )
    breaker: BreakerSettings = attrs.field(
        factory=BreakerSettings, kw_only=True, metadata=rules.record(BreakerSettings)
    )
    rate_limit: RateLimit = attrs.field(
        factory=RateLimit, kw_only=True, metadata=rules.record(RateLimit)
    )
    health_check: HealthCheck = attrs.field(
        factory=HealthCheck, kw_only=True, metadata=rules.record(HealthCheck)
    )
    hold_after_cancel: float = attrs.field(default=0.0, kw_only=True, metadata=rules.number())
    context_window: int | None = attrs.field(
        default=None, kw_only=True, metadata=rules.integer(minimum=1, optional=True)
    )
    price: PriceSettings | None = attrs.field(
        default=None, kw_only=True, metadata=rules.record(PriceSettings, optional=True)
    )
    prices: Mapping[str, Any] = attrs.field(
        factory=dict[str, Any],
        kw_only=True,
        converter=to_prices,
        metadata=rules.custom(shapes.is_any_table),
    )
    continues: bool | None = attrs.field(
        default=None, kw_only=True, metadata=rules.flag(optional=True)
    )
    errors: Mapping[str, Blame | Mapping[str, bool]] = attrs.field(
        factory=dict[str, "Blame | Mapping[str, bool]"],
        kw_only=True,
        converter=_to_errors,
        metadata=rules.custom(shapes.is_errors),
    )
    headers: Mapping[str, str] = attrs.field(
        factory=dict[str, str],
        kw_only=True,
        converter=_to_headers,
        repr=shown.names,
        metadata=rules.custom(shapes.is_headers, items=shapes.is_header_value),
    )
    proxy: str | None = attrs.field(
        default=None, kw_only=True, repr=shown.url, metadata=rules.custom(shapes.is_proxy)
    )
    verify: bool | str = attrs.field(
        default=True, kw_only=True, metadata=rules.custom(shapes.is_verify)
    )
    cls: object = attrs.field(default=None, kw_only=True)
    options: Mapping[str, Any] = attrs.field(
        factory=dict[str, Any],
        kw_only=True,
        converter=rules.to_table,
        repr=shown.names,
        metadata=rules.custom(shapes.is_options),
    )
    simulation: Simulation | None = attrs.field(
        default=None, kw_only=True, metadata=rules.record(Simulation, optional=True)
    )
