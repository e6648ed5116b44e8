"""How a runtime stands at an instant, and what it did in the seconds before."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import trio

from trio_llm.chat import Cost
from trio_llm.cli.amounts import exactly
from trio_llm.policy.spending import BudgetStatus
from trio_llm.providers.status import NodeStatistics, ProviderStatus
from trio_llm.runtime import Runtime, Statistics

_WINDOW: Final = 10.0
"""Seconds that rates are of, so that they follow a change of pace."""


@attrs.frozen
class Sample:
    """One look at a runtime.

    Attributes:
        at: When, on Trio's clock.
        root: Who is asked.
        statuses: How every provider and balancer fares.
        statistics: The counts so far.
        budgets: How the budgets stand.
        cached: Calls that were answered by the cache, and so by none of them.
    """

    at: float
    root: str
    statuses: tuple[ProviderStatus, ...]
    statistics: Statistics
    budgets: tuple[BudgetStatus, ...] = ()
    cached: int = 0

    @classmethod
    def of(cls, runtime: Runtime, root: str) -> "Sample":
        """Look at a runtime of which this provider or balancer is asked."""
        return cls(
            trio.current_time(),
            root,
            runtime.status(),
            runtime.statistics(),
            runtime.budgets(),
            runtime.cache.statistics().hits,
        )

    @property
    def tree(self) -> list[tuple[int, ProviderStatus]]:
        """All of them from the root down, each once, with how deep it stands.

        Those that it never asks come after it.
        """
        by_name = {status.name: status for status in self.statuses}
        below = {name for status in self.statuses for name in status.members}
        roots = [name for name in reversed(by_name) if name not in below and name != self.root]
        seen: set[str] = set()

        def grown(name: str, depth: int) -> Iterator[tuple[int, ProviderStatus]]:
            if name in by_name and name not in seen:
                seen.add(name)
                yield depth, by_name[name]
                for member in by_name[name].members:
                    yield from grown(member, depth + 1)

        return [each for root in (self.root, *roots) for each in grown(root, 0)]

    @property
    def tokens(self) -> tuple[int, int]:
        """The tokens that all providers have read and written."""
        leaves = [status.name for status in self.statuses if not status.members]
        counts = [self.statistics.nodes[name] for name in leaves]
        return sum(each.input_tokens for each in counts), sum(each.output_tokens for each in counts)


@attrs.define
class Trail:
    """The samples of the last seconds, from which rates come."""

    _samples: deque[Sample] = attrs.field(factory=deque[Sample], init=False)
    _began: float | None = attrs.field(default=None, init=False)

    def add(self, sample: Sample) -> None:
        """Take a sample; those are let go of that no rate needs any more."""
        if self._began is None:
            self._began = sample.at
        self._samples.append(sample)
        while len(self._samples) > 2 and self._samples[1].at <= sample.at - _WINDOW:
            self._samples.popleft()

    @property
    def last(self) -> Sample:
        """The newest sample."""
        return self._samples[-1]

    @property
    def elapsed(self) -> float:
        """Seconds from the first sample to the last."""
        return self.last.at - (self._began or 0.0)

    def per_second(self, name: str) -> float:
        """Give how many calls a provider or balancer has decided in a second, of late."""
        first, last = self._samples[0], self.last
        span = last.at - first.at
        before = first.statistics.nodes.get(name)
        counted = last.statistics.nodes[name].requests - (before.requests if before else 0)
        return counted / span if span > 0 else 0.0


def counts_data(counts: NodeStatistics, per_second: float) -> dict[str, Any]:
    """Give counts as plain values: times in seconds, the amount as a decimal string."""
    return {
        "requests": counts.requests,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "cancelled": counts.cancelled,
        "attempts": counts.attempts,
        "per_second": per_second,
        "success_rate": counts.success_rate,
        "win_rate": counts.win_rate,
        "p50": counts.p50,
        "p95": counts.p95,
        "input_tokens": counts.input_tokens,
        "output_tokens": counts.output_tokens,
        **_cost_data(counts.cost),
    }


def _cost_data(cost: Cost) -> dict[str, str]:
    return {"cost": exactly(cost.amount), "certainty": cost.certainty.word}


def trail_data(trail: Trail, time: float, budgets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Give the newest sample as plain values.

    Args:
        trail: The samples.
        time: When the last was taken, in seconds since the epoch.
        budgets: The budgets as plain values.
    """
    sample = trail.last
    nodes, (read, written) = sample.statistics.nodes, sample.tokens
    return {
        "time": time,
        "elapsed": trail.elapsed,
        "totals": counts_data(nodes[sample.root], trail.per_second(sample.root))
        | {"input_tokens": read, "output_tokens": written, "cached": sample.cached}
        | _cost_data(sample.statistics.cost),
        "actors": [
            {
                "name": status.name,
                "kind": status.kind,
                "depth": depth,
                "state": status.state,
                "in_flight": status.in_flight,
                "held": status.held,
                "max_concurrency": status.max_concurrency,
                "queued": status.queued,
                "cooldown_remaining": status.cooldown_remaining,
                "breaker": status.breaker,
                **counts_data(nodes[status.name], trail.per_second(status.name)),
            }
            for depth, status in sample.tree
        ],
        "budgets": list(budgets),
    }
