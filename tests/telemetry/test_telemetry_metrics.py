"""What each event adds to the counters and histograms."""

import inspect
from decimal import Decimal
from typing import Any

import attrs
import pytest

from trio_llm import events
from trio_llm.chat import Certainty, Cost, Usage
from trio_llm.telemetry import Metrics, MetricsSnapshot
from trio_llm.telemetry import metrics as room
from trio_llm.telemetry.records import Gauge, Histogram

FAST = ("fast",)
HOUSE = ("fast", "house")

NOT_COUNTED = {
    events.Event,
    events.FirstToken,  # the end of the attempt carries it, too
    events.RaceScored,
    events.VoteCast,
    events.AdviceMissing,
    events.ProviderRecovered,  # a change of its breaker
    events.ProbeStarted,
    events.ActorDown,  # its crashes are counted
    events.ActorDrained,
    events.ConfigReloaded,
    events.StoreRecovered,  # the attempts of an earlier run
    events.HistorySetAside,
}


def _counted(*given: events.Event) -> MetricsSnapshot:
    metrics = Metrics()
    for event in given:
        metrics(event)
    return metrics.snapshot()


def _touched(snapshot: MetricsSnapshot) -> set[str]:
    """Give the metrics that have a value."""
    return {
        field.name
        for field in attrs.fields(MetricsSnapshot)
        if (metric := getattr(snapshot, field.name))
        and (metric.series if isinstance(metric, Histogram) else metric.values)
    }


def test_every_event_is_counted_or_known_not_to_be() -> None:
    """An event that is new must be thought of here."""
    records = {
        thing
        for thing in vars(events).values()
        if inspect.isclass(thing) and issubclass(thing, events.Event)
    }
    counted = Metrics()._handlers  # pyright: ignore[reportPrivateUsage]
    assert records - set(counted) == NOT_COUNTED


def test_a_call_is_in_flight_until_it_ends() -> None:
    """The gauge follows the calls; the counters and the latency know how each ended."""
    metrics = Metrics()
    metrics(events.RequestStarted(1.0, 1, FAST, False))
    metrics(events.RequestStarted(1.0, 2, FAST, True))
    metrics(events.RequestStarted(1.0, 3, ("spare",), False, "embed"))
    assert metrics.snapshot().requests_in_flight.total(endpoint="fast") == 2
    metrics(events.RequestFinished(1.5, 1, FAST, "succeeded", 0.5, "house"))
    metrics(events.RequestFinished(2.0, 2, FAST, "cancelled", 1.0, first_token=0.25))
    metrics(events.RequestFinished(4.0, 3, ("spare",), "failed", 3.0, error="ServerError"))
    snapshot = metrics.snapshot()
    assert snapshot.requests_in_flight.total() == 0
    assert snapshot.requests.by("outcome") == {"succeeded": 1, "cancelled": 1, "failed": 1}
    assert snapshot.requests.total(error="ServerError") == 1
    assert snapshot.request_duration.total(outcome="succeeded").total == 0.5
    assert snapshot.request_duration.total().count == 3
    assert snapshot.request_first_token.total().total == 0.25
    assert snapshot.success_rate == 0.5


def test_calls_that_began_before_it_looked_do_not_disturb_the_gauge() -> None:
    """An end without a beginning is counted as an end alone."""
    snapshot = _counted(
        events.RequestStarted(1.0, 8, FAST, False),
        events.RequestFinished(1.5, 7, FAST, "succeeded", 0.5),
    )
    assert snapshot.requests_in_flight.total() == 1
    assert snapshot.requests.total() == 1


def test_calls_that_never_end_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should ends be missing, no more than so many calls are remembered."""
    monkeypatch.setattr(room, "MOST_CALLS", 5)
    metrics = Metrics()
    for number in range(10):
        metrics(events.RequestStarted(1.0, number, FAST, False))
    assert metrics.snapshot().requests_in_flight.total() == 5
    for number in range(10):
        metrics(events.RequestFinished(1.0, number, FAST, "succeeded", 0.0))
    assert metrics.snapshot().requests_in_flight.total() == 0
    assert metrics.snapshot().requests.total() == 10


def test_an_attempt_that_succeeded_brings_all_its_figures() -> None:
    """Latency, first token, pace, tokens of every kind, and cost."""
    snapshot = _counted(
        events.AttemptStarted(0.0, 1, HOUSE, 1, "large"),
        events.AttemptSucceeded(
            2.0,
            1,
            HOUSE,
            1,
            2.0,
            "large",
            usage=Usage(100, 11, 60, 20, 5),
            cost=Cost(Decimal("0.0012"), Certainty.ESTIMATED),
            first_token=0.5,
        ),
    )
    which = {"provider": "house", "model": "large"}
    assert snapshot.attempts.total(**which, operation="chat", outcome="succeeded", error="") == 1
    assert snapshot.attempt_duration.total(**which, outcome="succeeded").total == 2.0
    assert snapshot.attempt_first_token.total(**which).total == 0.5
    assert snapshot.attempt_per_token.total(**which).total == pytest.approx(0.15)
    assert snapshot.input_tokens.total(**which) == 100
    assert snapshot.output_tokens.total(**which) == 11
    assert snapshot.cached_tokens.total(**which) == 60
    assert snapshot.cache_write_tokens.total(**which) == 20
    assert snapshot.reasoning_tokens.total(**which) == 5
    assert snapshot.attempt_input.total(**which).total == 100
    assert snapshot.attempt_output.total(**which).total == 11
    assert snapshot.cost.total(**which, certainty="estimated") == Decimal("0.0012")
    assert snapshot.retries.total() == snapshot.unpriced.total() == 0


def test_a_stream_of_one_token_has_no_pace() -> None:
    """Nothing follows the first token, so there is no time for each that does."""
    snapshot = _counted(
        events.AttemptSucceeded(2.0, 1, HOUSE, 1, 2.0, usage=Usage(1, 1), first_token=0.5),
        events.AttemptSucceeded(2.0, 1, HOUSE, 1, 2.0, usage=None, first_token=0.5),
    )
    assert snapshot.attempt_per_token.total().count == 0
    assert snapshot.attempt_first_token.total().count == 2


def test_attempts_that_failed_or_were_given_up_cost_money_too() -> None:
    """Each is booked with what is known; an unknown price is counted by itself."""
    cost = Cost(Decimal("0.5"), Certainty.AT_LEAST)
    snapshot = _counted(
        events.AttemptFailed(1.0, 1, HOUSE, 1, 0.2, "ServerError", "no", "large", cost=cost),
        events.AttemptStarted(1.0, 1, HOUSE, 2, "large"),
        events.AttemptCancelled(1.0, 1, HOUSE, 2, 0.4, "lost", "large", cost=cost),
        events.AttemptCancelled(1.0, 1, HOUSE, 1, 0.4, "lost", None),
    )
    assert snapshot.attempts.by("outcome") == {"failed": 1, "cancelled": 2}
    assert snapshot.attempts.total(error="ServerError") == 1
    assert snapshot.attempts.total(model="") == 1
    assert snapshot.cost.by("certainty") == {"at_least": Decimal("1.0")}
    assert snapshot.unpriced.total(provider="house", model="") == 1
    assert snapshot.retries.by("provider") == {"house": 1}


def test_a_hedge_is_started_won_or_suppressed() -> None:
    """A winner that was not asked because others were late is no hedge that won."""
    snapshot = _counted(
        events.HedgeStarted(1.0, 1, FAST, "b", 1.0),
        events.HedgeStarted(1.0, 2, FAST, "b", 1.0),
        events.WinnerChosen(2.0, 1, FAST, "b", 2.0, hedged=True),
        events.WinnerChosen(2.0, 2, FAST, "a", 2.0),
        events.HedgeSuppressed(3.0, 3, FAST, "calls"),
    )
    assert snapshot.hedges.by("result") == {"started": 2, "won": 1, "suppressed": 1}
    assert snapshot.contests.by("member") == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("event", "name", "labels"),
    [
        (events.WinnerChosen(1.0, 1, FAST, "a", 1.0), "contests", ("fast", "a", "won")),
        (events.LoserCancelled(1.0, 1, FAST, "b", "slow"), "contests", ("fast", "b", "lost")),
        (events.LoserDiscarded(1.0, 1, FAST, "b", "tie"), "contests", ("fast", "b", "discarded")),
        (events.FellBack(1.0, 1, FAST, "house", "no"), "fallbacks", ("fast", "house")),
        (events.StreamSwitched(1.0, 1, FAST, "a", "b", "resume"), "switches", ("a",)),
        (events.ConsensusReached(1.0, 1, FAST, "a", ()), "consensus", ("fast", "a")),
        (events.CooldownStarted(1.0, 1, ("house",), 9.0, "no"), "cooldowns", ("house",)),
        (
            events.BreakerChanged(1.0, 1, ("house",), "closed", "open", "no"),
            "breaker_changes",
            ("house", "open"),
        ),
        (events.ProbeFinished(1.0, None, ("house",), 1, True, 0.1), "probes", ("house", "healthy")),
        (
            events.ProbeFinished(1.0, None, ("house",), 1, False, 0.1, "no"),
            "probes",
            ("house", "unhealthy"),
        ),
        (events.ActorCrashed(1.0, None, ("house",), "no"), "crashes", ("house",)),
        (events.ActorRestarted(1.0, None, ("house",), 0.5), "restarts", ("house",)),
        (events.CleanupOverran(1.0, 1, HOUSE, "no"), "overruns", ("house",)),
        (
            events.BudgetAlert(1.0, 1, (), "team", "ann", 0.8, Decimal(8), Decimal(10)),
            "budget_alerts",
            ("team", "0.8"),
        ),
        (
            events.BudgetExceeded(1.0, 1, (), "team", "ann", "warn", Decimal(1), *[Decimal(1)] * 2),
            "budget_limits",
            ("team", "warn"),
        ),
        (events.CacheHit(1.0, 1, FAST, 3.0), "cache_lookups", ("hit",)),
        (events.CacheHit(1.0, 1, FAST, 3.0, stale=True), "cache_lookups", ("stale",)),
        (events.CacheMissed(1.0, 1, FAST), "cache_lookups", ("miss",)),
        (events.FlightJoined(1.0, 1, FAST, 2), "shared_flights", ()),
        (events.Degraded(1.0, 1, FAST, "stale", "ServerError"), "degraded", ("stale",)),
        (events.StoreFailed(1.0, None, (), "full", 3), "store_failures", ()),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, events.Event) else "",
)
def test_one_event_adds_one(event: events.Event, name: str, labels: Any) -> None:
    """It counts once, under its labels, and nowhere else."""
    snapshot = _counted(event)
    assert getattr(snapshot, name).values == {labels: 1}
    assert _touched(snapshot) == {name}


def test_what_is_kept_in_the_cache_is_measured() -> None:
    """The number of answers, their bytes, and those that had to go."""
    snapshot = _counted(
        events.CacheStored(1.0, 1, FAST, 300, 0), events.CacheStored(1.0, 2, FAST, 200, 3)
    )
    assert snapshot.cache_stores.total() == 2
    assert snapshot.cache_bytes.total() == 500
    assert snapshot.cache_evictions.total() == 3


def test_users_are_no_label() -> None:
    """No metric is split by something that has no bound."""
    labels = {label for metric in _counted() for label in metric.what.labels}
    assert not {"user", "account", "tag", "call", "path", "reason"} & labels


def test_every_metric_is_described_once() -> None:
    """Names are unique, and each says what it is in a sentence."""
    metrics = list(_counted())
    assert len({metric.what.name for metric in metrics}) == len(metrics)
    for metric in metrics:
        assert metric.what.says[0].isupper()
        assert metric.what.says.endswith(".")
        assert isinstance(metric, Gauge) == (metric.what.name == "requests_in_flight")


def test_shares_and_models_come_from_the_attempts() -> None:
    """The distribution adds up to one; the most used model comes first."""
    snapshot = _counted(
        *[events.AttemptSucceeded(1.0, 1, ("a",), 1, 0.1, "m1", usage=Usage(1, 2))] * 3,
        events.AttemptSucceeded(
            1.0, 1, ("b",), 1, 0.1, "m2", usage=Usage(10, 20), cost=Cost(Decimal("0.25"))
        ),
        events.AttemptFailed(1.0, 1, ("b",), 1, 0.1, "ServerError", "no", "m0"),
    )
    assert snapshot.distribution == {"a": 0.6, "b": 0.4}
    models = snapshot.top_models()
    assert [(use.model, use.attempts) for use in models] == [("m1", 3), ("m0", 1), ("m2", 1)]
    assert (models[0].input_tokens, models[0].output_tokens) == (3, 6)
    assert models[0].cost == Decimal(0)
    assert (models[2].input_tokens, models[2].cost) == (10, Decimal("0.25"))
    assert snapshot.top_models(1) == models[:1]
    assert _counted().distribution == {}
    assert _counted().success_rate is None
