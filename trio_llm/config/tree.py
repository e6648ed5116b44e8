"""The configuration as a whole."""

import os
from collections.abc import Mapping

import attrs

from trio_llm.config import rules
from trio_llm.config.accounting import (
    Budget,
    CacheSettings,
    LoggingSettings,
    StoreSettings,
    TelemetrySettings,
    is_time_zone,
)
from trio_llm.config.census import Place, occurrences
from trio_llm.config.save import write
from trio_llm.config.schema import BALANCERS, Balancer, Member, Provider
from trio_llm.config.settings import Degradation, Restart, RetryBudgetSettings
from trio_llm.providers.catalogue import KINDS


def _to_providers(value: Mapping[str, Provider]) -> Mapping[str, Provider]:
    return rules.to_table(value)


def _to_balancers(value: Mapping[str, Balancer]) -> Mapping[str, Balancer]:
    return rules.to_table(value)


def _to_budgets(value: Mapping[str, Budget]) -> Mapping[str, Budget]:
    return rules.to_table(value)


def _is_budget(value: object) -> str | None:
    if not isinstance(value, Budget):
        return rules.expected("a table (in code, a Budget)", value)
    return None


def _is_table(value: object) -> str | None:
    if not rules.is_table(value):
        return rules.expected("a table", value)
    if not all(isinstance(key, str) for key in value):
        return "a name in it is no string"
    return None


def _is_provider(value: object) -> str | None:
    if isinstance(value, BALANCERS):
        return f"{value.kind} is a kind of balancer; move it to `balancers`"
    if isinstance(value, Provider):
        return None
    return rules.expected("a table (in code, a Provider)", value)


def _is_balancer(value: object) -> str | None:
    if isinstance(value, BALANCERS):
        return None
    kinds = [cls.kind for cls in BALANCERS]
    if isinstance(value, Provider):
        kind: object = value.kind
    elif rules.is_table(value):
        kind = value.get("kind", "")
    else:
        names = ", ".join(cls.__name__ for cls in BALANCERS)
        return rules.expected(f"a table (in code, one of {names})", value)
    if not rules.is_word(kind):
        return f"a kind is missing; known are {', '.join(kinds)}"
    if kind in KINDS:
        return f"{kind} is a kind of provider; move it to `providers`"
    return f"no kind of balancer {rules.quoted(kind)}; {rules.suggestion(kind, kinds)}"


def _is_default(value: object) -> str | None:
    if value is None or isinstance(value, (str, Provider, *BALANCERS)):
        return None
    return rules.expected("a name or a table", value)


@attrs.frozen
class Config:
    """Providers, balancers, and who answers by default.

    Args:
        providers: The providers by name.
        balancers: The balancers by name.
        default: Whom the runtime's own methods ask: a name, or an object with
            members nested in it to any depth. ``None`` means the only balancer
            that is no member of another, or the only provider, or else a
            fallback over all enabled providers by priority.
        max_attempts: The most physical attempts that one call may make, retries
            and racers included; a call may say otherwise.
        close_deadline: How many seconds the clean-up of one call may take.
        drain_deadline: How many seconds requests under way have to finish when
            the runtime is closed.
        restart: How often actors are restarted.
        retry_budget: How many retries all calls may make together.
        degradation: What callers get when nobody can answer.
        budgets: What may be spent, by a name for each budget.
        time_zone: The IANA name of the time zone in which days, weeks and months begin.
        cache: Whether and how answers are given again.
        store: Where usage, budgets and cached answers are kept.
        telemetry: What is counted and traced.
        logging: What is logged.
        preset: ``development`` (all that happens is logged, as text, and counted) or
            ``production`` (JSON lines of what matters, and counters); what is set besides
            goes before it.
        performance_file: A TOML file that keeps latencies, success and win rates over
            restarts; ``None`` means that they begin anew. Of several runtimes with one
            file, the last one to write wins.
        performance_interval: Seconds between two writes of it.
    """

    providers: Mapping[str, Provider] = attrs.field(
        factory=dict[str, Provider],
        converter=_to_providers,
        metadata=rules.custom(_is_table, items=_is_provider),
    )
    balancers: Mapping[str, Balancer] = attrs.field(
        factory=dict[str, Balancer],
        converter=_to_balancers,
        metadata=rules.custom(_is_table, items=_is_balancer),
    )
    default: Member | None = attrs.field(default=None, metadata=rules.custom(_is_default))
    max_attempts: int = attrs.field(default=20, kw_only=True, metadata=rules.integer(minimum=1))
    close_deadline: float = attrs.field(
        default=1.0, kw_only=True, metadata=rules.number(above=True)
    )
    drain_deadline: float = attrs.field(default=5.0, kw_only=True, metadata=rules.number())
    restart: Restart = attrs.field(factory=Restart, kw_only=True, metadata=rules.record(Restart))
    retry_budget: RetryBudgetSettings = attrs.field(
        factory=RetryBudgetSettings, kw_only=True, metadata=rules.record(RetryBudgetSettings)
    )
    degradation: Degradation = attrs.field(
        factory=Degradation, kw_only=True, metadata=rules.record(Degradation)
    )
    budgets: Mapping[str, Budget] = attrs.field(
        factory=dict[str, Budget],
        kw_only=True,
        converter=_to_budgets,
        metadata=rules.custom(_is_table, items=_is_budget),
    )
    time_zone: str = attrs.field(default="UTC", kw_only=True, metadata=rules.custom(is_time_zone))
    cache: CacheSettings = attrs.field(
        factory=CacheSettings, kw_only=True, metadata=rules.record(CacheSettings)
    )
    store: StoreSettings = attrs.field(
        factory=StoreSettings, kw_only=True, metadata=rules.record(StoreSettings)
    )
    telemetry: TelemetrySettings = attrs.field(
        factory=TelemetrySettings, kw_only=True, metadata=rules.record(TelemetrySettings)
    )
    logging: LoggingSettings = attrs.field(
        factory=LoggingSettings, kw_only=True, metadata=rules.record(LoggingSettings)
    )
    preset: str | None = attrs.field(
        default=None,
        kw_only=True,
        metadata=rules.choice(("development", "production"), "preset", optional=True),
    )
    performance_file: str | None = attrs.field(
        default=None, kw_only=True, metadata=rules.text(optional=True)
    )
    performance_interval: float = attrs.field(
        default=60.0, kw_only=True, metadata=rules.number(above=True)
    )

    def _places(self) -> list[Place]:
        return list(occurrences(self.providers, self.balancers, self.default))

    @property
    def simulated(self) -> bool:
        """Whether every enabled provider is simulated, so that no answer is a real one."""
        kinds = [
            place.node.kind
            for place in self._places()
            if isinstance(place.node, Provider) and place.node.enabled
        ]
        return bool(kinds) and all(kind == "simulated" for kind in kinds)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as TOML, atomically; `load_config` gives an equal configuration.

        Settings at their defaults are left out. Custom classes are written as
        ``package.module:Class``, the form in which they are loaded.

        Raises:
            ConfigError: It holds a key, a callable or an instance, which no file
                may hold, or values of wrong types; the error names each place.
            OSError: The file cannot be written.
        """
        write(self, self._places(), path)
