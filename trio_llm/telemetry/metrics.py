"""Counters and histograms, fed from the event stream alone."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from trio_llm import events
from trio_llm.chat import NOTHING, Certainty, Cost, Usage
from trio_llm.telemetry.attributes import AttemptEnd
from trio_llm.telemetry.meters import Meters
from trio_llm.telemetry.records import Key
from trio_llm.telemetry.snapshot import MetricsSnapshot

MOST_CALLS: Final = 65_536
"""How many calls under way are known at once; further ones do not show in flight."""

CERTAINTIES: Final[Mapping[Certainty, str]] = {
    certainty: certainty.name.lower() for certainty in Certainty
}
"""How sure an amount is, as the value of a label."""


class Metrics:
    """An observer that counts; ``llm.subscribe(Metrics())`` works with any runtime.

    With ``telemetry.metrics`` in the configuration a runtime has one of its own, which
    `Runtime.metrics` reads. Each metric keeps a bounded number of combinations of labels
    apart; what comes beyond that is counted under ``other``, so that sums stay right. The
    users and the tags of requests are no labels: nothing bounds their number.
    """

    def __init__(self) -> None:
        self._meters = Meters()
        self._places: dict[int, Key] = {}
        self._handlers: dict[type[events.Event], Callable[[Any], None]] = {
            events.RequestStarted: self._request_started,
            events.RequestFinished: self._request_finished,
            events.AttemptStarted: self._attempt_started,
            events.AttemptSucceeded: self._attempt_succeeded,
            events.AttemptFailed: self._attempt_failed,
            events.AttemptCancelled: self._attempt_cancelled,
            events.WinnerChosen: self._winner_chosen,
            events.ProbeFinished: self._probe_finished,
            events.CacheStored: self._cache_stored,
            **{record: self._counting(record) for record in _COUNTED},
        }

    def __call__(self, event: events.Event) -> None:
        """Count an event."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def snapshot(self) -> MetricsSnapshot:
        """Give everything as it is now."""
        return self._meters.snapshot()

    def _counting(self, record: type[events.Event]) -> Callable[[events.Event], None]:
        """Make the handler of a record that adds one to one counter."""
        name, key_of = _COUNTED[record]
        counter = getattr(self._meters, name)
        return lambda event: counter.add(key_of(event), 1)

    def _request_started(self, event: events.RequestStarted) -> None:
        if event.call is not None and len(self._places) < MOST_CALLS:
            self._places[event.call] = self._meters.requests_in_flight.enter(event.path[:1])

    def _request_finished(self, event: events.RequestFinished) -> None:
        meters = self._meters
        place = None if event.call is None else self._places.pop(event.call, None)
        if place is not None:  # otherwise it began before anybody counted
            meters.requests_in_flight.leave(place)
        endpoint, operation, outcome = event.path[0], event.operation, event.outcome
        meters.requests.add((endpoint, operation, outcome, event.error or ""), 1)
        meters.request_duration.observe((endpoint, operation, outcome), event.latency)
        if event.first_token is not None:
            meters.request_first_token.observe((endpoint,), event.first_token)

    def _attempt_started(self, event: events.AttemptStarted) -> None:
        if event.number > 1:
            self._meters.retries.add(event.path[-1:], 1)

    def _attempt_succeeded(self, event: events.AttemptSucceeded) -> None:
        which = self._ended(event, "succeeded", "")
        usage, first = event.usage, event.first_token
        if usage is not None:
            self._use(which, usage)
        if first is not None:
            self._meters.attempt_first_token.observe(which, first)
            if usage is not None and usage.output_tokens > 1:
                rest = (event.latency - first) / (usage.output_tokens - 1)
                self._meters.attempt_per_token.observe(which, rest)

    def _attempt_failed(self, event: events.AttemptFailed) -> None:
        self._ended(event, "failed", event.error)

    def _attempt_cancelled(self, event: events.AttemptCancelled) -> None:
        self._ended(event, "cancelled", "")

    def _ended(
        self,
        event: AttemptEnd,
        outcome: str,
        error: str,
    ) -> Key:
        """Count an attempt, and what it cost; give its provider and model."""
        meters, provider, model = self._meters, event.path[-1], event.model or ""
        meters.attempts.add((provider, model, event.operation, outcome, error), 1)
        meters.attempt_duration.observe((provider, model, outcome), event.latency)
        self._pay(provider, model, event.cost)
        return provider, model

    def _pay(self, provider: str, model: str, cost: Cost | None) -> None:
        if cost is None:
            self._meters.unpriced.add((provider, model), 1)
        else:
            which = (provider, model, CERTAINTIES[cost.certainty])
            self._meters.cost.add(which, cost.amount)

    def _probe_finished(self, event: events.ProbeFinished) -> None:
        """Count a probe, and what it cost: no attempt of a call, but paid for like one."""
        name = event.path[-1]
        self._meters.probes.add((name, "healthy" if event.healthy else "unhealthy"), 1)
        if event.cost is not NOTHING:
            self._pay(name, event.model or "", event.cost)

    def _use(self, which: Key, usage: Usage) -> None:
        meters = self._meters
        meters.input_tokens.add(which, usage.input_tokens)
        meters.output_tokens.add(which, usage.output_tokens)
        meters.attempt_input.observe(which, usage.input_tokens)
        meters.attempt_output.observe(which, usage.output_tokens)
        if usage.cached_tokens:
            meters.cached_tokens.add(which, usage.cached_tokens)
        if usage.cache_write_tokens:
            meters.cache_write_tokens.add(which, usage.cache_write_tokens)
        if usage.reasoning_tokens:
            meters.reasoning_tokens.add(which, usage.reasoning_tokens)

    def _winner_chosen(self, event: events.WinnerChosen) -> None:
        self._meters.contests.add((event.path[-1], event.winner, "won"), 1)
        if event.hedged:
            self._meters.hedges.add((event.path[-1], "won"), 1)

    def _cache_stored(self, event: events.CacheStored) -> None:
        meters = self._meters
        meters.cache_stores.add((), 1)
        meters.cache_bytes.add((), event.size)
        meters.cache_evictions.add((), event.evicted)


_COUNTED: Final[Mapping[type[events.Event], tuple[str, Callable[[Any], Key]]]] = {
    events.LoserCancelled: ("contests", lambda event: (event.path[-1], event.loser, "lost")),
    events.LoserDiscarded: ("contests", lambda event: (event.path[-1], event.loser, "discarded")),
    events.HedgeStarted: ("hedges", lambda event: (event.path[-1], "started")),
    events.HedgeSuppressed: ("hedges", lambda event: (event.path[-1], "suppressed")),
    events.FellBack: ("fallbacks", lambda event: (event.path[-1], event.failed)),
    events.StreamSwitched: ("switches", lambda event: (event.failed,)),
    events.ConsensusReached: ("consensus", lambda event: (event.path[-1], event.winner)),
    events.CooldownStarted: ("cooldowns", lambda event: event.path[-1:]),
    events.BreakerChanged: ("breaker_changes", lambda event: (event.path[-1], event.new)),
    events.ActorCrashed: ("crashes", lambda event: event.path[-1:]),
    events.ActorRestarted: ("restarts", lambda event: event.path[-1:]),
    events.CleanupOverran: ("overruns", lambda event: event.path[-1:]),
    events.BudgetAlert: ("budget_alerts", lambda event: (event.budget, f"{event.threshold:g}")),
    events.BudgetExceeded: ("budget_limits", lambda event: (event.budget, event.how)),
    events.CacheHit: ("cache_lookups", lambda event: ("stale" if event.stale else "hit",)),
    events.CacheMissed: ("cache_lookups", lambda _event: ("miss",)),
    events.FlightJoined: ("shared_flights", lambda _event: ()),
    events.Degraded: ("degraded", lambda event: (event.how,)),
    events.StoreFailed: ("store_failures", lambda _event: ()),
}
"""Records that add one to a counter, and its labels for each."""
