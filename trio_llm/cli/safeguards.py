"""What keeps a provider from harm, in words: its limits, and the settings that differ."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from trio_llm.cli.amounts import duration
from trio_llm.cli.strategies import percent, span
from trio_llm.config import (
    BreakerSettings,
    CooldownSettings,
    Degradation,
    HealthCheck,
    Provider,
    RateLimit,
)
from trio_llm.config.rules import default_of

_COOLDOWN: Final[Mapping[str, Callable[[Any], str]]] = {
    "after_failures": lambda value: f"after {value} in a row",
    "initial": lambda value: f"rests {span(value)} at first",
    "maximum": lambda value: f"{span(value)} at most",
}

_BREAKER: Final[Mapping[str, Callable[[Any], str]]] = {
    "ratio": lambda value: f"at {percent(value)} failures",
    "minimum_calls": lambda value: f"of {value} calls or more",
    "window": lambda value: f"within {span(value)}",
    "jitter": lambda value: f"rests up to {percent(value)} longer",
    "quota_rest": lambda value: f"{span(value)} without quota",
    "authentication_rest": lambda value: f"{span(value)} after a refused key",
}


def safeguards(provider: Provider) -> tuple[str, ...]:
    """Say what limits a provider, and what of its safeguards is not as usual."""
    words = [*_limits(provider.rate_limit)]
    breaker = [
        *_differing(provider.cooldown, CooldownSettings(), _COOLDOWN),
        *_differing(provider.breaker, BreakerSettings(), _BREAKER),
    ]
    if breaker:
        words.append(f"breaker: {', '.join(breaker)}")
    if provider.health_check.interval is not None:
        words.append(_probes(provider.health_check))
    if provider.retry.attempts:
        words.append(f"asked again {provider.retry.attempts} times at most")
    if provider.context_window is not None:
        words.append(f"context window {provider.context_window:,}")
    if provider.max_tokens_per_request is not None:
        words.append(f"writes {provider.max_tokens_per_request:,} tokens at most")
    if provider.hold_after_cancel:
        words.append(f"a cancelled call keeps its place {span(provider.hold_after_cancel)}")
    return tuple(words)


def _limits(limit: RateLimit) -> list[str]:
    limits = [
        f"{value:,.10g} {what}"
        for value, what in (
            (limit.requests_per_minute, "requests/min"),
            (limit.tokens_per_minute, "tokens/min"),
            (limit.requests_per_day, "requests/day"),
        )
        if value is not None
    ]
    words: list[str] = []
    if limits:
        beyond = "waits" if limit.on_limit == "wait" else "falls on"
        words.append(f"{', '.join(limits)}; beyond that it {beyond}")
    if not limit.learn:
        words.append("limits in headers are not heeded")
    return words


def _probes(check: HealthCheck) -> str:
    how = "one token" if check.call == "generate" else "the list of models"
    words = f"probed every {span(check.interval or 0.0)} for {how}"
    usual = default_of(attrs.fields(HealthCheck).timeout)
    return words if check.timeout == usual else f"{words}, {span(check.timeout)} at most"


def _differing(
    settings: attrs.AttrsInstance,
    usual: attrs.AttrsInstance,
    phrases: Mapping[str, Callable[[Any], str]],
) -> list[str]:
    return [
        phrase(getattr(settings, name))
        for name, phrase in phrases.items()
        if getattr(settings, name) != getattr(usual, name)
    ]


def stand_in_words(degradation: Degradation) -> str | None:
    """Say what a caller gets when nobody can answer; ``None`` where that is the error."""
    words: list[str] = []
    if degradation.stale:
        words.append(
            f"the last good answer to the same request, up to {duration(degradation.stale_for)} old"
        )
    if degradation.reply is not None:
        words.append("a text that is set")
    return " or ".join(words) or None
