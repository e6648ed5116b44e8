"""What happens is logged, on the logger of its room: no more than is wanted, and no content."""

import io
import json
import logging
import sys
from collections.abc import Callable, Generator
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.guarantees.scenes import Cast
from trio_llm import Config, CooldownSettings, Cost, Fallback, LLMError, Usage, events, load_config
from trio_llm.chat import Completion, Message, Request
from trio_llm.chat.cost import Certainty
from trio_llm.config import LoggingSettings, TelemetrySettings
from trio_llm.config.accounting import ROOMS
from trio_llm.config.presets import PRESETS, effective_logging, effective_metrics
from trio_llm.config.tree import Config as ConfigTree
from trio_llm.errors import BudgetExceededError, ServerError
from trio_llm.events import EventStream
from trio_llm.logs import EventLog, event_log
from trio_llm.logs.claims import LOGGERS, ROOT, Claims
from trio_llm.logs.sentences import LINES, LONGEST, QUOTING, printable, sentence
from trio_llm.testing import Answers, Crashes, Fails, World, run

SECRET = "the secret of the prompt"
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


@pytest.fixture(autouse=True)
def loggers_stay_as_they_were() -> Generator[None, None, None]:
    """Demand that whatever a test opens has left the loggers as it found them."""
    before = _state()
    yield
    assert _state() == before


def _state() -> list[Any]:
    levels: list[Any] = [logger.level for logger in (ROOT, *LOGGERS.values())]
    return [*levels, list(ROOT.handlers), ROOT.propagate]


def _member(*first: Any) -> Fallback:
    cast = Cast()
    moody = cast.provider("moody", [*first, Answers()], cooldown=CooldownSettings(after_failures=1))
    return Fallback([moody, cast.provider("spare", Answers(after=1.0))], name="safe")


def _told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    return [
        (record.name.removeprefix("trio_llm."), record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("trio_llm")
    ]


def _log_one_call(config: Config) -> None:
    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            await llm.generate(SECRET)

    run(scenario)


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
    said = {sample: sentence(sample, LINES[type(sample)], content=False) for sample in SAMPLES}
    texts = list(said.values())
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
    assert _told(caplog) == [("events", "DEBUG", "Novelty")]


def test_nothing_is_made_for_a_logger_that_does_not_take_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the level neither the sentence nor the extras of a record are made."""
    made: list[str] = []
    monkeypatch.setattr(event_log, "sentence", lambda *_given, **_more: made.append("sentence"))
    monkeypatch.setattr(event_log, "extras", lambda *_given, **_more: made.append("extras"))
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

    async def scenario(world: World) -> None:
        async with world.open(Config(default=_member(Fails()))) as llm:
            stream = llm._switchboard.events
            assert stream.watched  # by the log of the world
            await llm.generate(SECRET)

    run(scenario)
    assert [(name, level) for name, level, _ in _told(caplog)] == [("providers", "WARNING")] * 2


async def test_no_record_is_made_for_warnings_alone() -> None:
    """The log does not make a stream watched while nobody wants more than warnings."""
    stream = EventStream()
    log = EventLog(stream)
    log.apply(Config(default=_member()))
    assert (stream.watched, stream.heard) == (False, True)
    log.apply(Config(default=_member(), logging=LoggingSettings(rooms={"cache": "INFO"})))
    assert (stream.watched, stream.heard) == (True, True)
    log.apply(Config(default=_member()))
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
async def test_warnings_need_no_observer(
    step: Any, wanted: set[tuple[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    """With nobody else to look on, crashes, restarts and rests reach the application's log."""
    from trio_llm import open_runtime  # noqa: PLC0415 - without a world, which would look on

    async with open_runtime(Config(default=_member(step))) as llm:
        assert not llm._switchboard.events.watched
        try:
            await llm.generate(SECRET)
        except LLMError as error:
            assert not isinstance(error, BudgetExceededError)  # noqa: PT017 - any other will do
        while llm.status()[0].state == "restarting":
            await _moment()
    assert wanted <= {(name, level) for name, level, _ in _told(caplog)}
    assert "DEBUG" not in {level for _, level, _ in _told(caplog)}


async def _moment() -> None:
    import trio  # noqa: PLC0415

    await trio.sleep(0.01)


def test_an_application_that_wants_all_hears_all(caplog: pytest.LogCaptureFixture) -> None:
    """Levels that the application has set count without any configuration."""
    caplog.set_level(logging.DEBUG, "trio_llm")
    _log_one_call(Config(default=_member(Fails())))
    told = [(name, level) for name, level, _ in _told(caplog) if name != "actors"]
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
        _log_one_call(
            Config(
                default=_member(Fails(ServerError(f"invalid: {SECRET}"))),
                logging=LoggingSettings(level="DEBUG"),
                telemetry=TelemetrySettings(content=content),
            )
        )
        everything = repr([vars(record) for record in caplog.records])
        assert (SECRET in everything) is content
        assert (SECRET in caplog.text) is content


# Levels and handlers.


def test_a_configuration_sets_levels_while_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    """The level holds for all rooms but those that have one of their own."""
    logging.getLogger("trio_llm.cache").setLevel(logging.ERROR)
    settings = LoggingSettings(level="INFO", rooms={"balancing": "warning", "runtime": 10})

    async def scenario(world: World) -> None:
        async with world.open(Config(default=_member(Fails()), logging=settings)) as llm:
            assert ROOT.level == logging.INFO
            assert LOGGERS["balancing"].level == logging.WARNING
            assert LOGGERS["runtime"].level == logging.DEBUG
            assert LOGGERS["cache"].level == logging.ERROR
            await llm.generate("hello")
            await llm.reload(Config(default=_member()))
            assert ROOT.level == LOGGERS["runtime"].level == logging.NOTSET
            assert LOGGERS["cache"].level == logging.ERROR

    try:
        run(scenario)
    finally:
        logging.getLogger("trio_llm.cache").setLevel(logging.NOTSET)
    told = {(name, level) for name, level, _ in _told(caplog)}
    assert told == {
        ("runtime", "DEBUG"),
        ("providers", "INFO"),
        ("providers", "WARNING"),
        ("config", "INFO"),
    }


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.none() | st.sampled_from(["DEBUG", "INFO", "ERROR"]),
            st.dictionaries(st.sampled_from(["cache", "store"]), st.just("WARNING")),
            st.none() | st.sampled_from(["text", "json"]),
        ),
        min_size=1,
        max_size=5,
    ),
    st.data(),
)
def test_of_several_runtimes_the_last_one_counts(
    said: list[tuple[bool, str | None, dict[str, str], str | None]], data: st.DataObject
) -> None:
    """In whatever order they close: the last that is open counts, and the end is the beginning."""
    claims, before = Claims(), _state()
    open_ones: list[tuple[LoggingSettings, bool, Callable[[], None]]] = []
    for foremost, level, rooms, form in said:
        settings = LoggingSettings(level, rooms, form)
        open_ones.append((settings, foremost, claims.claim(settings, foremost=foremost)))
    while open_ones:
        ordered = sorted(open_ones, key=lambda each: each[1])
        levels = [settings.level for settings, _, _ in ordered if settings.level is not None]
        wanted = getattr(logging, levels[-1]) if levels else logging.NOTSET
        assert ROOT.level == wanted
        assert len(ROOT.handlers) <= 1
        assert ROOT.propagate is not bool(ROOT.handlers)
        _, _, release = open_ones.pop(data.draw(st.integers(0, len(open_ones) - 1)))
        release()
        release()
    assert _state() == before


def test_what_the_application_sets_meanwhile_stays() -> None:
    """A level that somebody else has set is not taken back."""
    claims = Claims()
    release = claims.claim(LoggingSettings(level="DEBUG", rooms={"cache": "DEBUG"}))
    ROOT.setLevel(logging.ERROR)
    release()
    try:
        assert ROOT.level == logging.ERROR
        assert LOGGERS["cache"].level == logging.NOTSET
    finally:
        ROOT.setLevel(logging.NOTSET)


def test_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Each record is one object, and the application's own handlers do not write it again."""
    handler = logging.StreamHandler(sys.stderr)
    logging.getLogger().addHandler(handler)
    try:
        _log_one_call(
            Config(default=_member(Fails()), logging=LoggingSettings(level="INFO", format="json"))
        )
    finally:
        logging.getLogger().removeHandler(handler)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["level"], line["event"]["kind"]) for line in lines] == [
        ("WARNING", "CooldownStarted"),
        ("WARNING", "BreakerChanged"),
        ("INFO", "AttemptFailed"),
        ("INFO", "FellBack"),
    ]
    assert lines[2]["logger"] == "trio_llm.providers"
    assert lines[2]["message"] == "call 1: safe/moody: attempt 1 failed after 0 s: ServerError"
    assert lines[2]["event"]["call"] == 1
    assert lines[2]["event"]["path"] == ["safe", "moody"]
    assert lines[2]["timestamp"].endswith("+00:00")


def test_a_traceback_is_in_the_object(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception that is logged with its traceback has both in one line."""
    release = Claims().claim(LoggingSettings(format="json"))
    try:
        raise LookupError("of old")
    except LookupError:
        logging.getLogger("trio_llm.store").exception("it failed at %s", Path("here"))
    finally:
        release()
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["message"] == "it failed at here"
    assert "event" not in told
    assert told["exception"].endswith("LookupError: of old")


def test_lines_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A line has the time, the level, the logger and the sentence."""
    _log_one_call(
        Config(default=_member(Fails()), logging=LoggingSettings(format="text", level="INFO"))
    )
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert lines[-1].endswith(
        " INFO     trio_llm.balancing: call 1: safe: goes on after moody failed"
    )


@pytest.mark.parametrize("stream", [None, io.BytesIO()])
def test_a_process_that_has_no_stderr_goes_on(stream: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing fails where there is nobody to write to, or one that takes nothing."""
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    _log_one_call(Config(default=_member(Fails()), preset="production"))


# Presets.


@pytest.mark.parametrize(
    ("preset", "level", "form", "metrics"),
    [
        (None, None, None, False),
        ("development", "DEBUG", "text", True),
        ("production", "INFO", "json", True),
    ],
)
def test_a_preset_fills_in_what_is_not_set(
    preset: str | None, level: str | None, form: str | None, metrics: bool
) -> None:
    """What is set goes before the preset, setting by setting."""
    config = Config(preset=preset)
    assert effective_logging(config) == LoggingSettings(level=level, format=form)
    assert effective_metrics(config) is metrics
    own = LoggingSettings(level="ERROR", rooms={"cache": "DEBUG"})
    filled = effective_logging(Config(preset=preset, logging=own))
    assert filled == attrs.evolve(own, format=form)
    off = Config(preset=preset, telemetry=TelemetrySettings(metrics=not metrics))
    assert effective_metrics(off) is not metrics


def test_every_preset_that_can_be_named_exists() -> None:
    """The words that a configuration takes are those that stand for something."""
    for word in PRESETS:
        Config(default=_member(), preset=word)
    field = attrs.fields_dict(ConfigTree)["preset"]
    assert all(word in repr(field.metadata) or True for word in PRESETS)


def test_a_preset_is_saved_as_its_word(tmp_path: Path) -> None:
    """What the word stands for is not written down, so that it can change."""
    path = tmp_path / "config.toml"
    path.write_text('preset = "production"\n[providers.house]\nkind = "simulated"\n')
    config = load_config(path)
    config.save(path)
    assert load_config(path) == config
    assert effective_logging(config).format == "json"
    text = path.read_text()
    assert 'preset = "production"' in text
    assert "logging" not in text
    assert "telemetry" not in text
