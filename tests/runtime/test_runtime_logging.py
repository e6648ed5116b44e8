"""What happens is logged, on the logger of its room: no more than is wanted, and no content."""

import json
import logging
from decimal import Decimal
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.log_scenes import SECRET, log_one_call, logged, member
from trio_llm import (
    Config,
    Cost,
    Usage,
    events,
    open_runtime,
)
from trio_llm.chat import Completion, Message, Request
from trio_llm.chat.cost import Certainty
from trio_llm.config import LoggingSettings, TelemetrySettings
from trio_llm.config.accounting import ROOMS
from trio_llm.errors import ServerError
from trio_llm.events import EventStream
from trio_llm.logs import EventLog, event_log
from trio_llm.logs.sentences import LINES, LONGEST, QUOTING, printable, sentence
from trio_llm.testing import Crashes, Fails, World, run

HEAD = (5.0, 7, ("safe", "house"))
COST = Cost(Decimal("0.25"), Certainty.ESTIMATED)
REQUEST = Request(messages=SECRET)

SAMPLES: tuple[events.Event, ...] = (
    events.RequestStarted(*HEAD, True, content=REQUEST),
    events.RequestFinished(
        *HEAD,
        "succeeded",
        1.5,
        "house",
        usage=Usage(3, 4),
        cost=COST,
        content=Completion(Message("assistant", SECRET)),
    ),
    events.RequestFinished(*HEAD, "failed", 1.5, error="ServerError"),
    events.RequestFinished(*HEAD, "cancelled", 1.5),
    events.AttemptStarted(*HEAD, 1, "large", "openai"),
    events.FirstToken(*HEAD, 1, 0.5),
    events.AttemptSucceeded(*HEAD, 1, 1.5, "large", usage=Usage(3, 4), cost=COST),
    events.AttemptFailed(*HEAD, 1, 1.5, "ServerError", SECRET, status=503),
    events.AttemptCancelled(*HEAD, 1, 150.0, "lost the race to 'b'"),
    events.WinnerChosen(*HEAD, "house", 6.0),
    events.LoserCancelled(*HEAD, "b", "lost the race to 'house'"),
    events.LoserDiscarded(*HEAD, "b", "lost the race to 'house'"),
    events.RaceScored(*HEAD, (("house", 0.5), ("b", None))),
    events.AdviceMissing(*HEAD, "judge", "house", SECRET),
    events.VoteCast(*HEAD, "house", "b"),
    events.ConsensusReached(*HEAD, "house", ((("house", "b"), 2.0), (("c",), 1.0))),
    events.HedgeStarted(*HEAD, "b", 0.5),
    events.HedgeSuppressed(*HEAD, "calls"),
    events.FellBack(*HEAD, "house", SECRET),
    events.StreamSwitched(*HEAD, "house", "b", "resume"),
    events.CooldownStarted(*HEAD, 10.0, SECRET, "RateLimitError"),
    events.BreakerChanged(*HEAD, "closed", "open", SECRET),
    events.BreakerChanged(*HEAD, "open", "half_open", SECRET),
    events.ProviderRecovered(*HEAD, 12.0),
    events.ProbeStarted(*HEAD, 3),
    events.ProbeFinished(*HEAD, 3, True, 0.5),
    events.ProbeFinished(*HEAD, 3, False, 0.5, SECRET),
    events.ActorCrashed(5.0, None, ("house",), f"ValueError: {SECRET}"),
    events.ActorRestarted(5.0, None, ("house",), 0.1),
    events.ActorDown(5.0, None, ("house",)),
    events.ActorDrained(5.0, None, ("house",), 0),
    events.ActorDrained(5.0, None, ("house",), 2),
    events.CleanupOverran(*HEAD, "the caller was cancelled"),
    events.ConfigReloaded(5.0, None, (), 2, ("new",), (), ("house", "b")),
    events.Degraded(*HEAD, "stale", "ServerError"),
    events.BudgetAlert(*HEAD, "team", "ann", 0.8, Decimal("8.00"), Decimal(10)),
    events.BudgetExceeded(*HEAD, "team", "", "refuse", Decimal(1), Decimal(10), Decimal(10)),
    events.BudgetExceeded(*HEAD, "team", "ann", "warn", None, Decimal(10), Decimal(10)),
    events.CacheHit(*HEAD, 60.0, stale=True),
    events.CacheMissed(*HEAD),
    events.CacheStored(*HEAD, 300, 1),
    events.FlightJoined(*HEAD, 2),
    events.StoreFailed(5.0, None, (), "the disk is full", 3),
    events.StoreRecovered(5.0, None, (), 4, COST),
    events.HistorySetAside(5.0, None, (), "performance.toml", "it has no version"),
)
"""One record of each class at least, and of each level that a class may have."""

LOUD = {
    "ActorCrashed": logging.ERROR,
    "ActorDown": logging.ERROR,
    "ActorRestarted": logging.WARNING,
    "BreakerChanged": logging.WARNING,
    "BudgetAlert": logging.WARNING,
    "BudgetExceeded": logging.WARNING,
    "CleanupOverran": logging.WARNING,
    "CooldownStarted": logging.WARNING,
    "HistorySetAside": logging.WARNING,
}


# What is said.


def test_every_record_has_its_line() -> None:
    """No record is forgotten: each class has a room that logs, and a sample here."""
    kinds = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, events.Event) and kind is not events.Event
    }
    assert set(LINES) == kinds
    assert {type(sample) for sample in SAMPLES} == kinds
    assert {line.room for line in LINES.values()} <= set(ROOMS)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.kind)
@pytest.mark.parametrize("content", [False, True])
def test_a_record_is_one_line_and_plain_extras(
    sample: events.Event, content: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The message is one line, the extras are JSON, and content needs the leave for it."""
    caplog.set_level(logging.DEBUG, "trio_llm")
    EventLog(EventStream(content))(sample)
    (record,) = caplog.records
    line = LINES[type(sample)]
    assert record.name == f"trio_llm.{line.room}"
    message, told = record.getMessage(), vars(record)["trio_llm"]
    assert message.isprintable()
    assert told == json.loads(json.dumps(told, allow_nan=False))
    assert (told["kind"], told["time"], told["path"]) == (sample.kind, 5.0, list(sample.path))
    assert told.get("call") == sample.call
    names = {field.name for field in attrs.fields(type(sample))}
    assert set(told) <= names - {"content"} | {"kind"}
    quotes = content and type(sample) in QUOTING and SECRET in repr(sample)
    assert (SECRET in message) is quotes
    assert (SECRET in repr(told)) is quotes


def test_levels_are_those_of_the_table(caplog: pytest.LogCaptureFixture) -> None:
    """Crashes are errors; rests, restarts and spent budgets warn; good news is for the curious."""
    caplog.set_level(logging.DEBUG, "trio_llm")
    log = EventLog(EventStream())
    for sample in SAMPLES:
        log(sample)
    loud = {
        sample.kind: record.levelno
        for sample, record in zip(SAMPLES, caplog.records, strict=True)
        if record.levelno >= logging.WARNING
    }
    assert loud == LOUD
    info = {
        sample.kind
        for sample, record in zip(SAMPLES, caplog.records, strict=True)
        if record.levelno == logging.INFO
    }
    assert {"RequestFinished", "AttemptFailed", "FellBack", "HedgeStarted"} <= info
    assert {"ConfigReloaded", "ProviderRecovered", "StreamSwitched", "BreakerChanged"} <= info


def test_the_words_of_some_sentences() -> None:
    """Sentences name the call, the way to who it is about, and what has happened."""
    texts = [sentence(sample, LINES[type(sample)], content=False) for sample in SAMPLES]
    for text in (
        "call 7: safe/house: attempt 1 failed after 1.5 s: ServerError (503)",
        "call 7: safe/house: attempt 1 was given up after 150 s: lost the race to 'b'",
        "call 7: safe/house: answered by house after 1.5 s, ~$0.25",
        "call 7: safe/house: rests for 5 s after RateLimitError",
        "call 7: safe/house: scores: house 0.5, b none",
        "call 7: safe/house: the vote goes to house (house and b 2, c 1)",
        "call 7: safe/house: budget team of ann has reached 80%: $8.00 of $10.00 are spent",
        "house: its actor crashed",
        "configuration 2 runs: added new; changed house, b",
        "performance.toml: it has no version",
    ):
        assert text in texts


@given(st.text(st.characters(codec="utf-8")))
def test_no_text_can_forge_a_line(text: str) -> None:
    """Whatever a provider says: it stays on its line, steers no terminal and has an end."""
    assert printable(text).isprintable()
    assert len(printable(text)) == min(len(text), LONGEST)
    log = sentence(events.FellBack(*HEAD, "house", text), LINES[events.FellBack], content=True)
    assert len(log.splitlines()) == 1


def test_a_record_of_no_class_that_is_known_is_logged_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A new class of records goes to the logger of the events, by its name."""

    @attrs.frozen
    class Novelty(events.Event):
        what: str

    caplog.set_level(logging.DEBUG, "trio_llm")
    EventLog(EventStream())(Novelty(1.0, None, (), "new"))
    assert logged(caplog) == [("events", "DEBUG", "Novelty")]


def test_nothing_is_made_for_a_logger_that_does_not_take_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the level neither the sentence nor the extras of a record are made."""
    made: list[str] = []

    def make(event: events.Event, *_given: object, **_more: object) -> None:
        made.append(event.kind)

    monkeypatch.setattr(event_log, "sentence", make)
    monkeypatch.setattr(event_log, "extras", make)
    log = EventLog(EventStream())
    for sample in SAMPLES:
        level = LINES[type(sample)].level
        if (level if isinstance(level, int) else level(sample)) < logging.WARNING:
            log(sample)
    assert made == []


# When it is said.


def test_an_application_that_says_nothing_hears_of_warnings_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By default what rests is told, nothing else; and no record is made for the rest."""
    log_one_call(Config(default=member(Fails())))
    assert [(name, level) for name, level, _ in logged(caplog)] == [("providers", "WARNING")] * 2


def test_no_record_is_made_for_warnings_alone() -> None:
    """The log does not make a stream watched while nobody wants more than warnings."""
    stream = EventStream()
    log = EventLog(stream)
    log.apply(Config(default=member()))
    assert (stream.watched, stream.heard) == (False, True)
    log.apply(Config(default=member(), logging=LoggingSettings(rooms={"cache": "INFO"})))
    assert (stream.watched, stream.heard) == (True, True)
    log.apply(Config(default=member()))
    assert (stream.watched, stream.heard) == (False, True)
    log.close()
    log.close()
    assert (stream.watched, stream.heard) == (False, False)


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        (Crashes(actor=True), {("actors", "ERROR"), ("actors", "WARNING")}),
        (Fails(), {("providers", "WARNING")}),
    ],
)
def test_warnings_need_no_observer(
    step: Any, wanted: set[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """With nobody else to look on, crashes, restarts and rests reach the application's log."""

    async def scenario(world: World) -> None:
        # Not by the world, which would look on.
        async with open_runtime(Config(default=member(step)), rng=world.rng) as llm:
            stream = llm._switchboard.events  # pyright: ignore[reportPrivateUsage]
            assert not stream.watched
            await llm.generate(SECRET)
            await trio.sleep(5.0)

    run(scenario)
    assert wanted <= {(name, level) for name, level, _ in logged(caplog)}
    assert {level for _, level, _ in logged(caplog)} <= {"WARNING", "ERROR"}


def test_an_application_that_wants_all_hears_all(caplog: pytest.LogCaptureFixture) -> None:
    """Levels that the application has set count without any configuration."""
    caplog.set_level(logging.DEBUG, "trio_llm")
    log_one_call(Config(default=member(Fails())))
    told = [(name, level) for name, level, _ in logged(caplog) if name != "actors"]
    assert told == [
        ("runtime", "DEBUG"),
        ("providers", "DEBUG"),
        ("providers", "WARNING"),
        ("providers", "WARNING"),
        ("providers", "INFO"),
        ("balancing", "INFO"),
        ("providers", "DEBUG"),
        ("providers", "DEBUG"),
        ("runtime", "DEBUG"),
    ]
    assert SECRET not in caplog.text


def test_reasons_are_told_where_content_may_be(caplog: pytest.LogCaptureFixture) -> None:
    """A provider that quotes the prompt is quoted only with the leave for content."""
    for content in (False, True):
        caplog.clear()
        log_one_call(
            Config(
                default=member(Fails(ServerError(f"invalid: {SECRET}"))),
                logging=LoggingSettings(level="DEBUG"),
                telemetry=TelemetrySettings(content=content),
            )
        )
        everything = repr([vars(record) for record in caplog.records])
        assert (SECRET in everything) is content
        assert (SECRET in caplog.text) is content
