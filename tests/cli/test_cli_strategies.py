"""Strategies and safeguards in words, as ``trio-llm status`` tells them."""

from typing import Any

import pytest

from trio_llm.cli.safeguards import safeguards, stand_in_words
from trio_llm.cli.strategies import in_words
from trio_llm.config import (
    Balancer,
    BreakerSettings,
    Config,
    Consensus,
    CooldownSettings,
    Degradation,
    Fallback,
    HealthCheck,
    Hedge,
    LoadBalance,
    Provider,
    Race,
    RateLimit,
    Retry,
    check,
)
from trio_llm.config.schema import LOAD_BALANCE_STRATEGIES


def longest(_request: object, completion: Any) -> float:
    """Score by length, for a race by quality."""
    return float(len(completion.message.text))


class Shortest:
    """Choose by the length of names, for a load balance."""

    def order(self, _request: object, members: list[Any]) -> list[str]:
        """Give the names, the shortest first."""
        return sorted((member.name for member in members), key=len)


def words(balancer: Balancer) -> tuple[str, ...]:
    """Give what is said of a balancer over the members a, b and c."""
    providers = {name: Provider("simulated") for name in ("a", "b", "c", "spare")}
    config = Config(providers=providers, balancers={"it": balancer}, default="it")
    return in_words(check(config).balancers["it"])


ABC = ("a", "b", "c")


@pytest.mark.parametrize(
    ("balancer", "expected"),
    [
        (Race(ABC), ("first_wins: the first useful answer",)),
        (Race(ABC, timeout=5), ("first_wins: the first useful answer", "timeout 5 s")),
        (
            Race(ABC, strategy="weighted", grace_period=0.25),
            (
                "weighted: the answer with the best record of wins and speed",
                "grace period 0.25 s after the first success",
            ),
        ),
        (
            Race(ABC, strategy="quality"),
            (
                "quality: the most complete answer",
                "grace period 0.5 s after the first success",
            ),
        ),
        (
            Race(ABC, strategy="quality", judge="spare"),
            (
                "quality: the best answer in the judgement of spare",
                "grace period 0.5 s after the first success",
            ),
        ),
        (
            Race(ABC, strategy="quality", scorer=longest),
            (
                f"quality: the best answer by {__name__}:longest",
                "grace period 0.5 s after the first success",
            ),
        ),
        (
            Hedge(ABC, delay=0.8, max_extra_calls=0.05),
            (
                "the next one too, if nobody answers within 0.8 s",
                "at most 5% more calls and 10% more cost",
            ),
        ),
        (
            Hedge(ABC, percentile=0.95, minimum_samples=50),
            (
                "the next one too, if the first token is later than 95% of those of the last 300 s",
                "not before 50 of these are known",
                "at most 10% more calls and 10% more cost",
            ),
        ),
        (Fallback(ABC), ("one after the other",)),
        (
            Fallback(
                ABC,
                primary="b",
                max_retries=1,
                on_context_length=["spare"],
                on_content_filter=["c", "spare"],
            ),
            (
                "one after the other",
                "b first",
                "at most 1 after the first",
                "a request that is too long goes to spare",
                "a refused content goes to c, then spare",
            ),
        ),
        (
            LoadBalance(ABC, strategy="weighted", weights={"a": 2, "b": 1, "c": 1}),
            ("weighted: a 50%, b 25%, c 25%",),
        ),
        (
            LoadBalance(ABC, strategy="custom", selection=Shortest(), affinity=True),
            (
                f"custom: one, by {__name__}:Shortest",
                "a conversation stays at its member (affinity)",
            ),
        ),
        (Consensus(ABC), ("majority: the answer that most of them give",)),
        (
            Consensus(ABC, strategy="similarity", threshold=0.8, quorum=2, timeout=20),
            (
                "similarity: the answer that most of them give in like words",
                "threshold 0.8",
                "quorum 2 of 3",
                "timeout 20 s",
            ),
        ),
        (
            Consensus(ABC, strategy="weighted", weights={"a": 1, "b": 0.5, "c": 0.5}),
            (
                "weighted: the answer with the most weight behind it",
                "weights a 50%, b 25%, c 25%",
            ),
        ),
        (
            Consensus(ABC, strategy="embedding", embedder="spare"),
            (
                "embedding: the answer that most of them mean",
                "threshold 0.7",
                "vectors by spare",
            ),
        ),
        (
            Race(
                ABC,
                models={"a": "large"},
                virtual_models={"good": {"a": "large", "b": "big"}},
                on_interrupt="resume",
                mailbox=8,
            ),
            (
                "first_wins: the first useful answer",
                "models a → large",
                'model "good" of its own: a → large, b → big',
                "a stream that breaks goes on at another",
                "mailbox 8",
            ),
        ),
        (
            Race(ABC, on_interrupt="restart"),
            (
                "first_wins: the first useful answer",
                "a stream that breaks begins anew at another",
            ),
        ),
    ],
)
def test_strategy_in_words(balancer: Balancer, expected: tuple[str, ...]) -> None:
    """First whose answer is given, then what limits that and what is not as usual."""
    assert words(balancer) == expected


@pytest.mark.parametrize("strategy", sorted(set(LOAD_BALANCE_STRATEGIES) - {"custom", "weighted"}))
def test_every_way_to_spread_has_words(strategy: str) -> None:
    """The word of the configuration comes first, then what it means."""
    (said,) = words(LoadBalance(ABC, strategy=strategy))
    assert said.startswith(f"{strategy}: ")


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        (Provider("simulated"), ()),
        (
            Provider(
                "simulated",
                rate_limit=RateLimit(requests_per_minute=500, tokens_per_minute=200_000),
            ),
            ("500 requests/min, 200,000 tokens/min; beyond that it waits",),
        ),
        (
            Provider(
                "simulated",
                rate_limit=RateLimit(requests_per_day=1000, on_limit="fall_on", learn=False),
            ),
            (
                "1,000 requests/day; beyond that it falls on",
                "limits in headers are not heeded",
            ),
        ),
        (
            Provider(
                "simulated",
                cooldown=CooldownSettings(initial=2, maximum=60, after_failures=5),
                breaker=BreakerSettings(ratio=0.3, window=20, minimum_calls=5),
            ),
            (
                (
                    "breaker: after 5 in a row, rests 2 s at first, 60 s at most, "
                    "at 30% failures, of 5 calls or more, within 20 s"
                ),
            ),
        ),
        (
            Provider(
                "simulated",
                breaker=BreakerSettings(jitter=0.2, quota_rest=60, authentication_rest=30),
            ),
            (("breaker: rests up to 20% longer, 60 s without quota, 30 s after a refused key"),),
        ),
        (
            Provider("simulated", health_check=HealthCheck(interval=30, call="models")),
            ("probed every 30 s for the list of models",),
        ),
        (
            Provider("simulated", health_check=HealthCheck(interval=5, timeout=2)),
            ("probed every 5 s for one token, 2 s at most",),
        ),
        (
            Provider(
                "simulated",
                retry=Retry(attempts=2),
                context_window=128_000,
                max_tokens_per_request=4096,
                hold_after_cancel=2,
            ),
            (
                "asked again 2 times at most",
                "context window 128,000",
                "writes 4,096 tokens at most",
                "a cancelled call keeps its place 2 s",
            ),
        ),
    ],
)
def test_safeguards_in_words(provider: Provider, expected: tuple[str, ...]) -> None:
    """Limits are always told, the other settings where they differ from the default."""
    assert safeguards(provider) == expected


@pytest.mark.parametrize(
    ("degradation", "expected"),
    [
        (Degradation(), None),
        (Degradation(reply="sorry"), "a text that is set"),
        (
            Degradation(stale=True, stale_for=90, reply="sorry"),
            "the last good answer to the same request, up to 1 min 30 s old or a text that is set",
        ),
    ],
)
def test_degradation_in_words(degradation: Degradation, expected: str | None) -> None:
    """What callers get when nobody can answer is told, if it is no error."""
    assert stand_in_words(degradation) == expected
