"""What is said of each record: on whose logger, at which level, in which words.

A sentence holds nothing of what was asked or answered. The reasons that providers give may
quote it, so they are told only where content may be recorded at all.
"""

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import attrs

from trio_llm import events
from trio_llm.policy import BreakerState

_DEBUG, _INFO = logging.DEBUG, logging.INFO
_WARNING, _ERROR = logging.WARNING, logging.ERROR

LONGEST: Final = 500
"""Characters of a sentence; what is longer is cut."""

QUOTING: Final[Mapping[type[events.Event], str]] = MappingProxyType(
    {
        events.AttemptFailed: "reason",
        events.AdviceMissing: "reason",
        events.FellBack: "reason",
        events.CooldownStarted: "reason",
        events.BreakerChanged: "reason",
        events.ProbeFinished: "error",
        events.ActorCrashed: "error",
    }
)
"""The field of a record that may quote what was asked or answered."""

_Sentence: TypeAlias = Callable[[Any], str]
_RESTING: Final = frozenset(
    {
        BreakerState.OPEN.value,
        BreakerState.THROTTLED.value,
        BreakerState.QUOTA_EXHAUSTED.value,
        BreakerState.AUTHENTICATION_DEAD.value,
    }
)


@attrs.frozen
class Line:
    """How records of one class are logged.

    Attributes:
        room: Whose logger it is: ``trio_llm.<room>``.
        level: The level, or what tells it from the record.
        sentence: What tells the words from the record.
    """

    room: str
    level: int | Callable[[Any], int]
    sentence: _Sentence


def _request_finished(event: events.RequestFinished) -> str:
    after = f"after {_seconds(event.latency)}"
    if event.outcome == "succeeded":
        return f"answered by {event.provider} {after}, {event.cost}"
    if event.outcome == "failed":
        return f"failed {after}: {event.error}"
    return f"given up {after}"


def _attempt_failed(event: events.AttemptFailed) -> str:
    status = "" if event.status is None else f" ({event.status})"
    return f"attempt {event.number} failed after {_seconds(event.latency)}: {event.error}{status}"


def _attempt_cancelled(event: events.AttemptCancelled) -> str:
    after = f"after {_seconds(event.latency)}"
    return f"attempt {event.number} was given up {after}: {event.reason}"


def _consensus(event: events.ConsensusReached) -> str:
    votes = ", ".join(f"{' and '.join(names)} {weight:g}" for names, weight in event.votes)
    return f"the vote goes to {event.winner} ({votes})"


def _scores(event: events.RaceScored) -> str:
    scored = [
        f"{name} {'none' if score is None else f'{score:.3g}'}" for name, score in event.scores
    ]
    return f"scores: {', '.join(scored)}"


def _reloaded(event: events.ConfigReloaded) -> str:
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (
            ("added", event.added),
            ("removed", event.removed),
            ("changed", event.changed),
        )
        if names
    ]
    return f"configuration {event.generation} runs: {'; '.join(parts) or 'nobody has changed'}"


def _probed(event: events.ProbeFinished) -> str:
    found = "is healthy" if event.healthy else "is not healthy"
    return f"{found}, says probe {event.number} after {_seconds(event.latency)}"


def _rests(event: events.CooldownStarted) -> str:
    why = f" after {event.error}" if event.error else ""
    return f"rests for {_seconds(event.until - event.time)}{why}"


def _budget_alert(event: events.BudgetAlert) -> str:
    used = f"${event.spent:.2f} of ${event.limit:.2f}"
    return f"budget {_budget(event)} has reached {event.threshold:.0%}: {used} are spent"


def _budget_exceeded(event: events.BudgetExceeded) -> str:
    how = {"refuse": "refused", "fall_on": "passed on"}.get(event.how, "made all the same")
    used = f"${event.spent:.2f} of ${event.limit:.2f}"
    return f"budget {_budget(event)} has no room, {used} are used: the attempt is {how}"


def _budget(event: events.BudgetAlert | events.BudgetExceeded) -> str:
    return f"{event.budget} of {event.account}" if event.account else event.budget


def _cached(event: events.CacheHit) -> str:
    return f"answered from the cache, {_seconds(event.age)} old{', stale' if event.stale else ''}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 100.0 else f"{seconds:.0f} s"


LINES: Final[Mapping[type[events.Event], Line]] = MappingProxyType(
    {
        events.RequestStarted: Line(
            "runtime",
            _DEBUG,
            lambda e: f"asked for {e.operation}{', as a stream' if e.streaming else ''}",
        ),
        events.RequestFinished: Line(
            "runtime", lambda e: _INFO if e.outcome == "failed" else _DEBUG, _request_finished
        ),
        events.AttemptStarted: Line(
            "providers", _DEBUG, lambda e: f"attempt {e.number} begins, model {e.model}"
        ),
        events.FirstToken: Line(
            "providers", _DEBUG, lambda e: f"the answer begins after {_seconds(e.latency)}"
        ),
        events.AttemptSucceeded: Line(
            "providers",
            _DEBUG,
            lambda e: f"attempt {e.number} succeeded after {_seconds(e.latency)}",
        ),
        events.AttemptFailed: Line("providers", _INFO, _attempt_failed),
        events.AttemptCancelled: Line("providers", _DEBUG, _attempt_cancelled),
        events.WinnerChosen: Line("balancing", _DEBUG, lambda e: f"{e.winner} wins"),
        events.LoserCancelled: Line(
            "balancing", _DEBUG, lambda e: f"{e.loser} is cancelled: {e.reason}"
        ),
        events.LoserDiscarded: Line(
            "balancing", _DEBUG, lambda e: f"{e.loser} is discarded: {e.reason}"
        ),
        events.RaceScored: Line("balancing", _DEBUG, _scores),
        events.AdviceMissing: Line(
            "balancing", _INFO, lambda e: f"{e.adviser} has said nothing of {e.member}'s answer"
        ),
        events.VoteCast: Line(
            "balancing", _DEBUG, lambda e: f"{e.member} votes together with {e.group}"
        ),
        events.ConsensusReached: Line("balancing", _DEBUG, _consensus),
        events.HedgeStarted: Line(
            "balancing", _INFO, lambda e: f"{e.member} is asked, too, after {_seconds(e.after)}"
        ),
        events.HedgeSuppressed: Line(
            "balancing",
            _DEBUG,
            lambda e: f"the answer is late, and nobody else is asked: {e.reason}",
        ),
        events.FellBack: Line("balancing", _INFO, lambda e: f"goes on after {e.failed} failed"),
        events.StreamSwitched: Line(
            "balancing",
            _INFO,
            lambda e: f"the stream of {e.failed} broke, {e.provider} goes on ({e.policy})",
        ),
        events.CooldownStarted: Line("providers", _WARNING, _rests),
        events.BreakerChanged: Line(
            "providers",
            lambda e: _WARNING if e.new in _RESTING else _INFO,
            lambda e: f"its breaker is {e.new} now, and was {e.old}",
        ),
        events.ProviderRecovered: Line(
            "providers", _INFO, lambda e: f"has recovered after {_seconds(e.after_seconds)}"
        ),
        events.ProbeStarted: Line("providers", _DEBUG, lambda e: f"probe {e.number} begins"),
        events.ProbeFinished: Line("providers", lambda e: _DEBUG if e.healthy else _INFO, _probed),
        events.ActorCrashed: Line("actors", _ERROR, lambda _: "its actor crashed"),
        events.ActorRestarted: Line(
            "actors", _WARNING, lambda e: f"its actor lives again after {_seconds(e.delay)}"
        ),
        events.ActorDown: Line(
            "actors", _ERROR, lambda _: "its actor crashed too often, and stays down"
        ),
        events.ActorDrained: Line(
            "actors",
            lambda e: _INFO if e.unfinished else _DEBUG,
            lambda e: f"its actor has ended; requests that were cut: {e.unfinished}",
        ),
        events.CleanupOverran: Line(
            "actors", _WARNING, lambda e: f"a cancelled job goes on: {e.reason}"
        ),
        events.ConfigReloaded: Line("config", _INFO, _reloaded),
        events.Degraded: Line(
            "runtime", _INFO, lambda e: f"a {e.how} reply is given in place of {e.error}"
        ),
        events.BudgetAlert: Line("ledger", _WARNING, _budget_alert),
        events.BudgetExceeded: Line("ledger", _WARNING, _budget_exceeded),
        events.CacheHit: Line("cache", _DEBUG, _cached),
        events.CacheMissed: Line("cache", _DEBUG, lambda _: "the cache has no answer"),
        events.CacheStored: Line(
            "cache", _DEBUG, lambda e: f"the answer is kept, {e.size} bytes, for {e.evicted} others"
        ),
        events.FlightJoined: Line(
            "cache", _DEBUG, lambda e: f"shares a call; callers who share it: {e.waiters}"
        ),
        # The journal itself warns of the first failure in a row.
        events.StoreFailed: Line(
            "store", _INFO, lambda e: f"a write failed, {e.pending} changes wait: {e.error}"
        ),
        events.StoreRecovered: Line(
            "store",
            _INFO,
            lambda e: f"booked {e.charges} attempts that an earlier process left, {e.cost}",
        ),
        events.HistorySetAside: Line("runtime", _WARNING, lambda e: f"{e.file}: {e.reason}"),
    }
)
"""Every record that there is."""


def sentence(event: events.Event, line: Line, *, content: bool) -> str:
    """Say in one line what happened.

    Args:
        event: The record.
        line: How its like are logged.
        content: Whether what was asked or answered may be quoted.
    """
    head = "" if event.call is None else f"call {event.call}: "
    if event.path:
        head += f"{'/'.join(event.path)}: "
    told = head + line.sentence(event)
    field = QUOTING.get(type(event))
    if field is not None:
        quote = getattr(event, field)
        if quote and content:
            told = f"{told}: {quote}"
    return printable(told)


def printable(text: str) -> str:
    """Put a text on one line of bounded length, without what could steer a terminal."""
    if not text.isprintable():
        text = "".join([each if each.isprintable() else " " for each in text])
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
