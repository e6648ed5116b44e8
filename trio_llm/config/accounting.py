"""Settings of what goes on around the calls: budgets, cache, store, records and logs."""

import importlib.util
import logging
import sys
from collections.abc import Mapping
from typing import Any, Final, cast
from zoneinfo import ZoneInfo

import attrs

from trio_llm.chat.request import CACHE_MODES
from trio_llm.config import rules, shapes

PERIODS: Final = ("day", "week", "month", "total")
SCOPES: Final = ("runtime", "provider", "model", "user")
ON_LIMIT: Final = ("refuse", "fall_on", "warn")
COMPRESSIONS: Final = ("none", "zlib", "zstd")
ZSTD: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
"""The module of zstd: of the standard library, or of the extra ``zstd``."""

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ROOMS: Final = (
    "actors",
    "providers",
    "balancing",
    "ledger",
    "cache",
    "store",
    "config",
    "runtime",
    "events",
)
"""The rooms that log; the logger of each is ``trio_llm.<room>``."""


def _to_tuple(value: Any) -> tuple[Any, ...]:
    # A wrong type passes through unchanged: the check names it.
    return tuple(value) if rules.is_sequence(value) else cast("tuple[Any, ...]", value)


def _to_level(value: Any) -> Any:
    if type(value) is int and value in logging.getLevelNamesMapping().values():
        return logging.getLevelName(value)
    return value.upper() if isinstance(value, str) else value


def _to_levels(value: Mapping[str, Any]) -> Mapping[str, Any]:
    return (
        {key: _to_level(level) for key, level in value.items()} if rules.is_table(value) else value
    )


def is_time_zone(value: object) -> str | None:
    """Demand the name of a time zone that this machine knows."""
    if not isinstance(value, str):
        return rules.expected("the name of a time zone", value)
    if value == "UTC":  # known without a database of zones
        return None
    try:
        ZoneInfo(value)
    except (LookupError, ValueError, OSError):
        return (
            f"no time zone {rules.quoted(value)}; give a name such as Europe/Zurich "
            "(where the system has none, the package tzdata brings them)"
        )
    return None


def _is_compression(value: object) -> str | None:
    if not isinstance(value, str):
        return rules.expected("a string", value)
    if value not in COMPRESSIONS:
        known = rules.suggestion(value, COMPRESSIONS)
        return f"no compression {rules.quoted(value)}; {known}"
    if value == "zstd" and not _is_installed(ZSTD):
        return "zstd is not installed; it comes with the extra: pip install 'trio-llm[zstd]'"
    return None


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package that it is in
        return False


def _is_opentelemetry(value: object) -> str | None:
    if not isinstance(value, bool):
        return rules.expected("true or false", value)
    if value and not _is_installed("opentelemetry.trace"):
        return (
            "OpenTelemetry is not installed; it comes with the extra: pip install 'trio-llm[otel]'"
        )
    return None


def _is_threshold(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return rules.expected("a number", value)
    return None if 0 < value <= 10 else "out of range; give a share of the limit, such as 0.8"


def _is_level(value: object) -> str | None:
    if not isinstance(value, str):
        return rules.expected("the name of a level", value)
    known = rules.suggestion(value, LEVELS)
    return None if value in LEVELS else f"no level {rules.quoted(value)}; {known}"


def _is_rooms(value: object) -> str | None:
    if not rules.is_table(value):
        return rules.expected("a table of levels", value)
    for room in value:
        if room not in ROOMS:
            word = str(room)
            return f"no room {rules.quoted(word)}; {rules.suggestion(word, ROOMS)}"
    return None


@attrs.frozen
class Budget:
    """What may be spent in a period.

    What a call is expected to cost is set aside before each attempt, and what it did cost
    takes its place after it, so that calls under way count, too. Attempts whose price is
    not known cost nothing here, until their provider has charged for one of late;
    `BudgetStatus.unpriced` counts them. Probes count, and are never kept back.

    Where there is room for some members of a race only, it goes to those who begin first,
    which is the scheduler's choice; the others are left out.

    Args:
        limit: US dollars.
        period: ``day``, ``week`` (from Monday), ``month``, by the calendar of
            `Config.time_zone`; or ``total``.
        per: Whose spending it limits: that of the whole ``runtime``, or that of each
            ``provider``, ``model`` or ``user`` by itself.
        only: Of these, the names that it holds for; none means all.
        alerts: Shares of the limit at which a `BudgetAlert` is sent.
        on_limit: What happens to an attempt that would exceed it: ``refuse`` (the call
            ends with `BudgetExceededError`, unless others were asked beside it), ``fall_on``
            (a balancer goes on to members that cost less; without any, the same error) or
            ``warn`` (it is made, and an event says so).
    """

    limit: float = attrs.field(default=0.0, metadata=rules.number(above=True, maximum=1e12))
    period: str = attrs.field(default="month", metadata=rules.choice(PERIODS, "period"))
    per: str = attrs.field(default="runtime", metadata=rules.choice(SCOPES, "scope"))
    only: tuple[str, ...] = attrs.field(
        default=(),
        converter=_to_tuple,
        metadata=rules.custom(shapes.is_list, items=shapes.is_word),
    )
    alerts: tuple[float, ...] = attrs.field(
        default=(0.8, 1.0),
        converter=_to_tuple,
        metadata=rules.custom(shapes.is_list, items=_is_threshold),
    )
    on_limit: str = attrs.field(default="refuse", metadata=rules.choice(ON_LIMIT, "way to go on"))


@attrs.frozen
class CacheSettings:
    """Whether and how answers are kept and given again.

    Args:
        mode: ``off``; ``on``; ``read_only`` (nothing new is kept); ``write_only`` (nothing
            is given). A call may say otherwise by its ``cache``.
        ttl: Seconds for which an answer may be given again.
        entries: How many are kept; those used least recently go first.
        size: How many bytes they may have in all, as they are kept.
        compression: ``zlib``, ``zstd`` (the extra ``zstd``) or ``none``.
        compress_above: Answers of more bytes than this are compressed.
        persistent: Whether they are kept in `Config.store`, to outlive the runtime.
        stale_if_error: For so many seconds beyond its time an answer is given, marked
            ``stale``, when nobody can answer; 0 means never.
        single_flight: Whether callers who ask the same at the same time share one call.
        flight_events: How many events of a shared stream are kept for those who join late.
    """

    mode: str = attrs.field(default="off", metadata=rules.choice(CACHE_MODES, "mode"))
    ttl: float = attrs.field(default=3600.0, metadata=rules.number(above=True))
    entries: int = attrs.field(default=1024, metadata=rules.integer(minimum=1))
    size: int = attrs.field(default=64 * 1024 * 1024, metadata=rules.integer(minimum=1))
    compression: str = attrs.field(default="zlib", metadata=rules.custom(_is_compression))
    compress_above: int = attrs.field(default=1024, metadata=rules.integer(minimum=0))
    persistent: bool = attrs.field(default=False, metadata=rules.flag())
    stale_if_error: float = attrs.field(default=0.0, metadata=rules.number())
    single_flight: bool = attrs.field(default=False, metadata=rules.flag())
    flight_events: int = attrs.field(default=4096, metadata=rules.integer(minimum=1))


@attrs.frozen
class StoreSettings:
    """Where usage, budgets and, if wanted, cached answers are kept.

    Args:
        path: A file for SQLite; ``None`` means in memory.
        synchronous: ``normal`` (what is written outlives a kill of the process) or
            ``full`` (and a loss of power; slower).
        keep_days: For so many days each attempt is kept by itself; older ones only in sums.
    """

    path: str | None = attrs.field(default=None, metadata=rules.text(optional=True))
    synchronous: str = attrs.field(
        default="normal", metadata=rules.choice(("normal", "full"), "way to write")
    )
    keep_days: int = attrs.field(default=90, metadata=rules.integer(minimum=1))


@attrs.frozen
class TelemetrySettings:
    """What is counted and traced.

    Args:
        metrics: Whether counters and histograms are kept (`Runtime.metrics`); ``None``
            means what the preset says, or no.
        opentelemetry: Whether spans and metrics go to OpenTelemetry (the extra ``otel``).
        content: Whether prompts and answers are recorded in spans.
    """

    metrics: bool | None = attrs.field(default=None, metadata=rules.flag(optional=True))
    opentelemetry: bool = attrs.field(default=False, metadata=rules.custom(_is_opentelemetry))
    content: bool = attrs.field(default=False, metadata=rules.flag())


@attrs.frozen
class LoggingSettings:
    """What is logged, by the standard `logging`, under ``trio_llm``.

    Args:
        level: ``DEBUG``, ``INFO``, ``WARNING``, ``ERROR`` or ``CRITICAL``; ``None`` means
            what the preset says, or what the application has set.
        rooms: Levels of single rooms, by name: ``providers``, ``balancing``, ...
        format: ``text`` or ``json`` lines to stderr; ``None`` means what the preset says,
            or that the application's own handlers write.
    """

    level: str | None = attrs.field(
        default=None, converter=_to_level, metadata=rules.choice(LEVELS, "level", optional=True)
    )
    rooms: Mapping[str, str] = attrs.field(
        factory=dict[str, str],
        converter=_to_levels,
        metadata=rules.custom(_is_rooms, items=_is_level),
    )
    format: str | None = attrs.field(
        default=None, metadata=rules.choice(("text", "json"), "format", optional=True)
    )
