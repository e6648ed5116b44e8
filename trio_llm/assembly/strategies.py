"""Makes the strategy of one balancer."""

from collections.abc import Callable, Mapping

from trio_llm.balancing import (
    ConsensusStrategy,
    FallbackStrategy,
    HedgeStrategy,
    LoadBalanceStrategy,
    QualityRaceStrategy,
    RaceStrategy,
    Strategy,
    WeightedRaceStrategy,
)
from trio_llm.balancing.grace import Score
from trio_llm.balancing.orders import (
    Informed,
    LeastBusy,
    LeastCost,
    Order,
    Random,
    RoundRobin,
    Weighted,
)
from trio_llm.balancing.scoring import ScoredByFunction, ScoredByJudge
from trio_llm.balancing.selection import Selected
from trio_llm.config import Consensus, Fallback, LoadBalance, Race, ResolvedBalancer
from trio_llm.policy.affinity import Affinity
from trio_llm.policy.agreement import Agreement, Aligned, Exact, Similar
from trio_llm.policy.hedging import HedgeBudget
from trio_llm.policy.preference import adaptive, least_latency
from trio_llm.providers.node import Node


def strategy_of(resolved: ResolvedBalancer, advisers: Mapping[str, tuple[Node, ...]]) -> Strategy:
    """Make the strategy of a balancer.

    Args:
        resolved: The balancer.
        advisers: By setting, those whom it asks besides its members.
    """
    settings = resolved.settings
    if isinstance(settings, Race):
        return _race(settings, resolved, advisers)
    if isinstance(settings, Consensus):
        return ConsensusStrategy(
            _agreement(settings),
            resolved.weights,
            settings.quorum,
            settings.timeout,
            next(iter(advisers.get("embedder", ())), None),
        )
    if isinstance(settings, Fallback):
        return FallbackStrategy(
            settings.max_retries,
            resolved.members.index(resolved.primary),
            advisers.get("on_context_length", ()),
            advisers.get("on_content_filter", ()),
        )
    if isinstance(settings, LoadBalance):
        return LoadBalanceStrategy(
            _order(settings, resolved),
            passes_on=resolved.passes_on,
            affinity=Affinity() if settings.affinity else None,
        )
    return HedgeStrategy(
        settings.delay,
        settings.percentile,
        settings.minimum_samples,
        settings.window,
        HedgeBudget(settings.max_extra_calls, settings.max_extra_cost),
    )


def _race(
    settings: Race, resolved: ResolvedBalancer, advisers: Mapping[str, tuple[Node, ...]]
) -> Strategy:
    if settings.strategy == "first_wins":
        return RaceStrategy(settings.timeout)
    if settings.strategy == "weighted":
        return WeightedRaceStrategy(settings.timeout, settings.grace_period)
    score: Score = ScoredByFunction()
    if resolved.scorer is not None:
        score = ScoredByFunction(resolved.scorer)
    for judge in advisers.get("judge", ()):
        score = ScoredByJudge(judge)
    return QualityRaceStrategy(settings.timeout, settings.grace_period, score)


def _agreement(settings: Consensus) -> Agreement:
    if settings.strategy == "similarity":
        return Similar(settings.threshold)
    if settings.strategy == "embedding":
        return Aligned(settings.threshold)
    return Exact()


def _order(settings: LoadBalance, resolved: ResolvedBalancer) -> Order:
    orders: dict[str, Callable[[], Order]] = {
        "round_robin": RoundRobin,
        "random": Random,
        "weighted": lambda: Weighted(resolved.weights),
        "least_busy": LeastBusy,
        "least_latency": lambda: Informed(least_latency),
        "least_cost": LeastCost,
        "adaptive": lambda: Informed(adaptive, priced=True),
        "custom": lambda: Selected(resolved.selection),
    }
    return orders[settings.strategy]()
