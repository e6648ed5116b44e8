"""What a configuration came to, as plain values without any key."""

import os
from collections.abc import Mapping
from typing import Any

import attrs

from trio_llm.cli.strategies import in_words, source_of
from trio_llm.config import (
    Consensus,
    Fallback,
    LoadBalance,
    Plan,
    ResolvedBalancer,
    ResolvedProvider,
)
from trio_llm.config.rules import is_sequence, is_table
from trio_llm.config.shapes import shown_variable


def key_state(provider: ResolvedProvider, environ: Mapping[str, str]) -> tuple[str | None, bool]:
    """Give the variable that holds a provider's key, and whether it is set."""
    variable = provider.key_variable
    if variable is None:
        return None, False
    return shown_variable(variable), bool(environ.get(variable, "").strip())


def plan_data(plan: Plan) -> dict[str, Any]:
    """Give what there is, and how it is asked; times in seconds, shares of 1."""
    config = plan.config
    return {
        "default": plan.default,
        "simulated": config.simulated,
        "providers": [_provider_data(provider) for provider in plan.providers.values()],
        "balancers": [_balancer_data(balancer) for balancer in plan.balancers.values()],
        "degradation": attrs.asdict(config.degradation),
        "max_attempts": config.max_attempts,
        "retry_budget": attrs.asdict(config.retry_budget),
    }


def _provider_data(provider: ResolvedProvider) -> dict[str, Any]:
    variable, present = key_state(provider, os.environ)
    settings = provider.settings
    return {
        "name": provider.name,
        "kind": provider.kind.name,
        "enabled": settings.enabled,
        "model": provider.model,
        "url": provider.base_url,
        "key_variable": variable,
        "key_set": present,
        "max_concurrency": settings.max_concurrency,
        **safeguard_data(provider),
    }


def safeguard_data(provider: ResolvedProvider) -> dict[str, Any]:
    """Give the settings that limit a provider, or keep it from harm."""
    settings = provider.settings
    return {
        "rate_limit": attrs.asdict(settings.rate_limit),
        "cooldown": attrs.asdict(settings.cooldown),
        "breaker": attrs.asdict(settings.breaker),
        "health_check": attrs.asdict(settings.health_check),
        "context_window": settings.context_window,
        "max_tokens_per_request": settings.max_tokens_per_request,
        "hold_after_cancel": settings.hold_after_cancel,
    }


def _balancer_data(balancer: ResolvedBalancer) -> dict[str, Any]:
    settings = balancer.settings
    return {
        "name": balancer.name,
        "kind": settings.kind,
        "strategy": getattr(settings, "strategy", None),
        "members": list(balancer.members),
        "settings": _strategy_settings(balancer),
        "in_words": list(in_words(balancer)),
    }


def _strategy_settings(balancer: ResolvedBalancer) -> dict[str, Any]:
    """Give every setting as it came out, weights and the first member by name included."""
    settings = balancer.settings
    values: dict[str, Any] = {
        field.name: _plain(getattr(settings, field.name))
        for field in attrs.fields(type(settings))
        if field.name not in {"members", "name"}
    }
    values |= {setting: list(names) for setting, names in balancer.advisers.items()}
    for single in ("judge", "embedder"):
        if single in values:
            values[single] = getattr(settings, single)
    if isinstance(settings, Fallback):
        values["primary"] = balancer.primary
    if isinstance(settings, LoadBalance | Consensus) and settings.strategy == "weighted":
        total = sum(balancer.weights.values()) or 1.0
        values["shares"] = {name: weight / total for name, weight in balancer.weights.items()}
    return values


def _plain(value: object) -> Any:
    if is_table(value):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if is_sequence(value):
        return [_plain(entry) for entry in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return source_of(value)
