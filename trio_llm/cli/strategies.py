"""A balancer's strategy in words, with those of its settings that say something."""

from collections.abc import Mapping
from typing import Final

import attrs

from trio_llm.config import (
    Balancer,
    Consensus,
    Fallback,
    Hedge,
    LoadBalance,
    Race,
    ResolvedBalancer,
)
from trio_llm.config.rules import default_of, quoted

_TURNS: Final[Mapping[str, str]] = {
    "round_robin": "one in turn",
    "random": "one at random",
    "weighted": "one, by shares",
    "least_busy": "the one with the smallest share of its places taken",
    "least_latency": "the quicker of two drawn at random",
    "least_cost": "the cheapest one",
    "adaptive": "the best one by success, latency and cost",
    "custom": "one, by a rule of your own",
}
"""Whom a load balance asks."""

_VOTES: Final[Mapping[str, str]] = {
    "majority": "the answer that most of them give",
    "similarity": "the answer that most of them give in like words",
    "weighted": "the answer with the most weight behind it",
    "embedding": "the answer that most of them mean",
}
"""Which answer a consensus gives."""

_INTERRUPTS: Final[Mapping[str, str]] = {
    "restart": "a stream that breaks begins anew at another",
    "resume": "a stream that breaks goes on at another",
}


def span(seconds: float) -> str:
    """Give a setting in seconds as it was written."""
    return f"{seconds:g} s"


def percent(share: float) -> str:
    """Give a share of 1 as a percentage."""
    return f"{share * 100:.3g}%"


def shares(weights: Mapping[str, float]) -> str:
    """Give weights as shares of their sum, in declared order."""
    total = sum(weights.values()) or 1.0
    return ", ".join(f"{name} {percent(weight / total)}" for name, weight in weights.items())


def source_of(named: object) -> str | None:
    """Name something of the user's own code as a file would; ``None`` for nothing."""
    if named is None or isinstance(named, str):
        return named
    place = named if hasattr(named, "__qualname__") else type(named)
    return f"{place.__module__}:{getattr(place, '__qualname__', '')}"


def in_words(balancer: ResolvedBalancer) -> tuple[str, ...]:
    """Say how a balancer goes about it: first whose answer is given, then the limits of that."""
    settings = balancer.settings
    if isinstance(settings, Race):
        words = _race(settings)
    elif isinstance(settings, Hedge):
        words = _hedge(settings)
    elif isinstance(settings, Fallback):
        words = _fallback(settings, balancer)
    elif isinstance(settings, LoadBalance):
        words = _load_balance(settings, balancer)
    else:
        words = _consensus(settings, balancer)
    return (*words, *_common(settings))


def _race(race: Race) -> list[str]:
    words = ["first_wins: the first useful answer"]
    if race.strategy == "weighted":
        words = ["weighted: the answer with the best record of wins and speed"]
    elif race.strategy == "quality":
        scorer = source_of(race.scorer)
        how = "the most complete answer"
        if race.judge is not None:
            how = f"the best answer in the judgement of {race.judge}"
        elif scorer is not None:
            how = f"the best answer by {scorer}"
        words = [f"quality: {how}"]
    if race.strategy != "first_wins":
        words.append(f"grace period {span(race.grace_period)} after the first success")
    if race.timeout is not None:
        words.append(f"timeout {span(race.timeout)}")
    return words


def _hedge(hedge: Hedge) -> list[str]:
    if hedge.delay is not None:
        words = [f"the next one too, if nobody answers within {span(hedge.delay)}"]
    else:
        most = f"{percent(hedge.percentile)} of those of the last {span(hedge.window)}"
        words = [
            f"the next one too, if the first token is later than {most}",
            f"not before {hedge.minimum_samples} of these are known",
        ]
    words.append(
        f"at most {percent(hedge.max_extra_calls)} more calls and "
        f"{percent(hedge.max_extra_cost)} more cost"
    )
    return words


def _fallback(fallback: Fallback, balancer: ResolvedBalancer) -> list[str]:
    words = ["one after the other"]
    if balancer.primary != next(iter(balancer.members), ""):
        words.append(f"{balancer.primary} first")
    if fallback.max_retries is not None:
        words.append(f"at most {fallback.max_retries} after the first")
    for setting, case in (
        ("on_context_length", "a request that is too long"),
        ("on_content_filter", "a refused content"),
    ):
        specialists = balancer.advisers.get(setting, ())
        if specialists:
            words.append(f"{case} goes to {', then '.join(specialists)}")
    return words


def _load_balance(balance: LoadBalance, balancer: ResolvedBalancer) -> list[str]:
    headline = f"{balance.strategy}: {_TURNS[balance.strategy]}"
    if balance.strategy == "weighted":
        headline = f"weighted: {shares(balancer.weights)}"
    elif balance.strategy == "custom":
        headline = f"custom: one, by {source_of(balance.selection)}"
    words = [headline]
    if balancer.passes_on:
        words.append("on to the next key when one fails")
    if balance.affinity:
        words.append("a conversation stays at its member (affinity)")
    return words


def _consensus(consensus: Consensus, balancer: ResolvedBalancer) -> list[str]:
    words = [f"{consensus.strategy}: {_VOTES[consensus.strategy]}"]
    if consensus.strategy == "weighted":
        words.append(f"weights {shares(balancer.weights)}")
    if consensus.strategy in {"similarity", "embedding"}:
        words.append(f"threshold {consensus.threshold:g}")
    if consensus.embedder is not None:
        words.append(f"vectors by {consensus.embedder}")
    if consensus.quorum is not None:
        words.append(f"quorum {consensus.quorum} of {len(balancer.members)}")
    if consensus.timeout is not None:
        words.append(f"timeout {span(consensus.timeout)}")
    return words


def _common(settings: Balancer) -> list[str]:
    words: list[str] = []
    if settings.models:
        words.append(f"models {_pairs(settings.models)}")
    words += [
        f"model {quoted(model)} of its own: {_pairs(members)}"
        for model, members in settings.virtual_models.items()
    ]
    if settings.on_interrupt in _INTERRUPTS:
        words.append(_INTERRUPTS[settings.on_interrupt])
    if settings.mailbox != default_of(attrs.fields(type(settings)).mailbox):
        words.append(f"mailbox {settings.mailbox}")
    return words


def _pairs(table: Mapping[str, str]) -> str:
    return ", ".join(f"{member} → {model}" for member, model in table.items())
