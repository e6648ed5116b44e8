"""What a runtime counts and traces by itself: from open to close, and over reloads."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest
import trio

from tests.guarantees.scenes import Cast
from tests.telemetry.telemetry_scenes import PROMPT, Figures, Recorder, everything_said, facts
from trio_llm import Config, ConfigError, Runtime, TelemetrySettings, load_config, telemetry
from trio_llm.events import EventStream
from trio_llm.telemetry import switch
from trio_llm.testing import Answers, Stalls, World, run

OFF = TelemetrySettings()
TRACED = TelemetrySettings(opentelemetry=True)


def _config(settings: TelemetrySettings, **others: Any) -> Config:
    return Config(
        default=Cast().provider("house", Answers(after=0.5)), telemetry=settings, **others
    )


@contextmanager
def _as_global(
    monkeypatch: pytest.MonkeyPatch,
) -> Generator[tuple[Recorder, Figures], None, None]:
    """Have the SDK of this test be the global one, which can be set only once otherwise."""
    recorder, figures = Recorder(), Figures()
    with monkeypatch.context() as patch:
        patch.setattr("opentelemetry.trace.get_tracer_provider", lambda: recorder.provider)
        patch.setattr(
            "opentelemetry.metrics._internal.get_meter_provider", lambda: figures.provider
        )
        yield recorder, figures


@pytest.mark.parametrize(
    ("settings", "preset", "counted"),
    [
        (OFF, None, False),
        (TelemetrySettings(metrics=True), None, True),
        (OFF, "development", True),
        (OFF, "production", True),
        (TelemetrySettings(metrics=False), "production", False),
    ],
)
def test_metrics_are_counted_as_configured(
    settings: TelemetrySettings, preset: str | None, counted: bool
) -> None:
    """Off unless asked for; both presets ask for them, and the setting goes before it."""

    async def scene(world: World) -> None:
        async with world.open(_config(settings, preset=preset)) as llm:
            await llm.generate("hi")
            if counted:
                assert llm.metrics().requests.total(outcome="succeeded") == 1
            else:
                with pytest.raises(ConfigError, match=r"telemetry\.metrics: off"):
                    llm.metrics()

    run(scene)


def test_a_file_may_say_so() -> None:
    """The settings are those of a table `telemetry`."""
    table = {"metrics": True, "opentelemetry": True, "content": False}
    config = load_config({"telemetry": table, "providers": {"toy": {"kind": "simulated"}}})
    assert config.telemetry == TelemetrySettings(metrics=True, opentelemetry=True)


def test_a_reload_turns_metrics_on_and_off() -> None:
    """What goes on counting keeps its counts; what is turned on begins at zero."""
    counting = TelemetrySettings(metrics=True)

    async def scene(world: World) -> None:
        async with world.open(_config(OFF)) as llm:
            await llm.generate("hi")
            await llm.reload(_config(counting))
            await llm.generate("hi")
            assert llm.metrics().requests.total() == 1
            await llm.reload(_config(attrs.evolve(counting, content=True)))
            await llm.generate("hi")
            assert llm.metrics().requests.total() == 2
            await llm.reload(_config(OFF))
            with pytest.raises(ConfigError):
                llm.metrics()
            await llm.reload(_config(counting))
            assert llm.metrics().requests.total() == 0

    run(scene)


def test_a_reload_that_fails_changes_nothing() -> None:
    """A configuration with a fault leaves counting as it was."""

    async def scene(world: World) -> None:
        async with world.open(_config(TelemetrySettings(metrics=True))) as llm:
            with pytest.raises(ConfigError):
                await llm.reload(_config(OFF, max_attempts=0))
            await llm.generate("hi")
            assert llm.metrics().requests.total() == 1

    run(scene)


def test_opentelemetry_gets_spans_and_metrics_from_open_to_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The application's global providers are used, and left alone at the end."""
    with _as_global(monkeypatch) as (recorder, figures):

        async def scene(world: World) -> Runtime:
            async with world.open(_config(TRACED)) as llm:
                await llm.generate(PROMPT)
                return llm

        run(scene)
        assert [facts(span)["trio_llm.outcome"] for span in recorder.spans] == ["succeeded"] * 2
        assert len(figures.points("gen_ai.client.inference.duration")) == 1
        for span in recorder.spans:
            assert PROMPT not in everything_said(span)
            # The times are those of the world's clock.
            assert span.start_time is not None
            assert span.end_time is not None
            assert span.end_time - span.start_time == pytest.approx(5e8, abs=1e3)


def test_content_is_recorded_when_the_configuration_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reload turns it on and off for the calls that follow."""
    with _as_global(monkeypatch) as (recorder, _):

        async def scene(world: World) -> None:
            async with world.open(_config(TRACED)) as llm:
                for content in (True, False):
                    await llm.reload(_config(attrs.evolve(TRACED, content=content)))
                    await llm.generate(PROMPT)

        run(scene)
        first, second = recorder.calls
        assert PROMPT in everything_said(first)
        assert PROMPT not in everything_said(second)


def test_tracing_that_is_turned_off_ends_what_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans of calls under way end then; their calls go on, and leave no trace."""
    with _as_global(monkeypatch) as (recorder, _):

        async def scene(world: World) -> None:
            async with world.open(_config(TRACED)) as llm, trio.open_nursery() as nursery:
                nursery.start_soon(llm.generate, PROMPT)
                await trio.sleep(0.25)
                under_way = recorder.open
                await llm.reload(_config(OFF))
                assert (under_way, recorder.open) == (2, 0)
            assert len(recorder.spans) == 2

        run(scene)


def test_nothing_stays_open_when_a_runtime_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that are cut by the end of the runtime have spans that end, too."""
    with _as_global(monkeypatch) as (recorder, _):

        async def scene(world: World) -> None:
            stalling = Config(
                default=Cast().provider("house", Stalls()), telemetry=TRACED, drain_deadline=0.5
            )
            with trio.move_on_after(1.0):
                async with world.open(stalling) as llm:
                    await llm.generate(PROMPT)

        run(scene)
        assert recorder.open == 0
        assert {facts(span)["trio_llm.outcome"] for span in recorder.spans} == {"cancelled"}


def test_nobody_looks_when_nothing_is_configured() -> None:
    """Records are not even made for telemetry that is off, nor after its end."""
    stream = EventStream()
    counting = TelemetrySettings(metrics=True, opentelemetry=True)
    watched: list[bool] = []
    for settings in (OFF, counting):
        with switch.watching(stream, lambda: 0.0, _config(settings)):
            watched.append(stream.watched)
        watched.append(stream.watched)
    assert watched == [False, False, True, False]


def test_the_last_figures_can_be_read_after_the_end() -> None:
    """A runtime that is closed still knows what it counted."""

    async def scene(world: World) -> Runtime:
        async with world.open(_config(TelemetrySettings(metrics=True))) as llm:
            await llm.generate("hi")
        return llm

    assert run(scene).value.metrics().requests.total() == 1


_WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("opentelemetry", "prometheus_client"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
import trio_llm
from trio_llm import telemetry
telemetry.Metrics().snapshot()
toy = {"toy": {"kind": "simulated"}}
for name in ("Tracing", "OtelMetrics", "prometheus_text", "prometheus_collector"):
    try:
        getattr(telemetry, name)
    except ImportError as error:
        print(error)
try:
    trio_llm.load_config({"telemetry": {"opentelemetry": True}, "providers": toy})
except trio_llm.ConfigError as error:
    print(error)
trio_llm.load_config({"telemetry": {"metrics": True}, "providers": toy})
"""


def test_a_missing_extra_is_named() -> None:
    """Without the packages all else works; what needs one says which extra brings it."""
    said = subprocess.run(  # noqa: S603 - this interpreter, this program
        [sys.executable, "-c", _WITHOUT], check=True, capture_output=True, text=True
    ).stdout
    assert said.count("needs the extra 'otel': pip install 'trio-llm[otel]'") == 2
    assert said.count("needs the extra 'prometheus': pip install 'trio-llm[prometheus]'") == 2
    assert "telemetry.opentelemetry: OpenTelemetry is not installed" in said


def test_importing_the_face_imports_no_extra() -> None:
    """Only those who use them pay for Prometheus and OpenTelemetry."""
    program = (
        "import sys, trio_llm, trio_llm.telemetry; "
        "print([n for n in ('prometheus_client', 'opentelemetry') if n in sys.modules])"
    )
    said = subprocess.run(  # noqa: S603 - this interpreter, this program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert said.stdout.strip() == "[]"


def test_what_there_is_not_is_no_attribute() -> None:
    """A misspelt name gives the usual error."""
    with pytest.raises(AttributeError, match="no attribute 'Tracking'"):
        getattr(telemetry, "Tracking")  # noqa: B009 - checkers know that it is not there
