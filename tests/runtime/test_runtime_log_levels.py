"""Levels and handlers are those of the last one who speaks, and in the end those of before."""

import io
import json
import logging
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.runtime.log_scenes import log_one_call, logged, loggers, member
from trio_llm import Config, ConfigError, LoggingSettings, load_config
from trio_llm.logs.claims import LOGGERS, ROOT, Claims
from trio_llm.testing import Fails, World, run


@pytest.fixture(autouse=True)
def loggers_stay_as_they_were() -> Generator[None, None, None]:
    """Demand that whatever a test opens has left the loggers as it found them."""
    before = loggers()
    yield
    assert loggers() == before


def test_a_configuration_sets_levels_while_it_runs(caplog: pytest.LogCaptureFixture) -> None:
    """The level holds for all rooms but those that have one of their own."""
    logging.getLogger("trio_llm.cache").setLevel(logging.ERROR)
    settings = LoggingSettings(level="INFO", rooms={"balancing": "warning", "runtime": 10})

    async def scenario(world: World) -> None:
        async with world.open(Config(default=member(Fails()), logging=settings)) as llm:
            assert ROOT.level == logging.INFO
            assert LOGGERS["balancing"].level == logging.WARNING
            assert LOGGERS["runtime"].level == logging.DEBUG
            assert LOGGERS["cache"].level == logging.ERROR
            await llm.generate("hello")
            await llm.reload(Config(default=member()))
            assert ROOT.level == LOGGERS["runtime"].level == logging.NOTSET
            assert LOGGERS["cache"].level == logging.ERROR

    try:
        run(scenario)
    finally:
        logging.getLogger("trio_llm.cache").setLevel(logging.NOTSET)
    told = {(name, level) for name, level, _ in logged(caplog)}
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
    st.lists(st.integers(0, 9), min_size=5, max_size=5),
)
def test_of_several_runtimes_the_last_one_counts(
    said: list[tuple[bool, str | None, dict[str, str], str | None]], order: list[int]
) -> None:
    """In whatever order they close: the last that is open counts, and the end is the beginning."""
    claims, before = Claims(), loggers()
    open_ones: list[tuple[LoggingSettings, bool, Callable[[], None]]] = []
    try:
        for foremost, level, rooms, form in said:
            settings = LoggingSettings(level, rooms, form)
            open_ones.append((settings, foremost, claims.claim(settings, foremost=foremost)))
        while open_ones:
            by_rank = [settings for settings, foremost, _ in open_ones if not foremost]
            by_rank += [settings for settings, foremost, _ in open_ones if foremost]
            levels = [settings.level for settings in by_rank if settings.level is not None]
            assert ROOT.level == (getattr(logging, levels[-1]) if levels else logging.NOTSET)
            assert len(ROOT.handlers) <= 1
            assert ROOT.propagate is not bool(ROOT.handlers)
            _, _, release = open_ones.pop(order.pop() % len(open_ones))
            release()
            release()
    finally:
        for _, _, release in open_ones:
            release()
    assert loggers() == before


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
        log_one_call(
            Config(default=member(Fails()), logging=LoggingSettings(level="INFO", format="json"))
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
        load_config("/nowhere/at/all.toml")
    except ConfigError:
        logging.getLogger("trio_llm.store").exception("it failed at %s", Path("here"))
    finally:
        release()
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told["message"] == "it failed at here"
    assert "event" not in told
    assert "ConfigError: " in told["exception"]


def test_lines_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A line has the time, the level, the logger and the sentence."""
    log_one_call(
        Config(default=member(Fails()), logging=LoggingSettings(format="text", level="INFO"))
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
    log_one_call(Config(default=member(Fails()), preset="production"))
