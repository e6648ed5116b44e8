"""A wall of faults: what the caller of a fallback gets, and what both servers saw.

Each case of `tests.sockets.wall` is played by the server of the first member, in every
dialect in which it makes sense, plain and streaming; the second member is healthy.
"""

from pathlib import Path

import pytest
from trio.testing import MockClock

from tests.sockets.wall import CASES, wall_table
from tests.sockets.wall_case import ANY_STATUS, HEALTHY, Case, Gets, Met, Server
from tests.sockets.wall_scene import Scene, open_wall
from trio_llm import (
    AllProvidersFailed,
    AttemptOutcome,
    LLMError,
    ProviderError,
    ProviderUnavailableError,
    Reply,
    events,
)
from trio_llm.testing import seeds
from trio_llm.testing.upstream import Behaviour, ServedOutcome

README = Path(__file__).parents[2] / "README.md"
ALONE = [case for case in CASES if case.gets is not Gets.ANSWER]
SHARED = [case for case in CASES if case.gets is Gets.OTHERS and case.server is Server.UP]
WAYS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
WHOLE = len(seeds(2, share=2, least=1)) == 2
"""Whether all is played; in everyday runs, most dialects have each case in one way only."""


@pytest.mark.parametrize(
    ("case", "dialect", "stream"),
    [
        pytest.param(case, dialect, bool(stream), id=f"{case.name}-{dialect}-{way}")
        for row, case in enumerate(CASES)
        for column, dialect in enumerate(case.dialects)
        for stream, way in enumerate(("plain", "stream"))
        if WHOLE or column == 0 or (row + column + stream) % 2
    ],
)
async def test_a_fault_beside_a_healthy_member(
    clock: MockClock, case: Case, dialect: str, stream: bool
) -> None:
    """Reply, records, events, health and both servers are as the wall says, twice."""
    async with open_wall(clock, case, dialect) as scene:
        met = case.met(stream=stream)
        got = await scene.ask(stream=stream)
        _assert_got(case, met, got)
        _assert_told(scene, case, stream=stream)
        await _assert_served(scene, case, met, dialect, stream=stream)
        _assert_health(scene, case, failures=1)
        if case.rest:
            await _assert_left_alone(scene, case, stream=stream)
        else:
            _assert_got(case, met, await scene.ask(stream=stream))
            assert len(scene.bad.served) == 2 * scene.reachable
            _assert_health(scene, case, failures=2)


def _assert_got(case: Case, met: Met, got: Reply | LLMError) -> None:
    """Demand the caller's reply or error, with a record of every attempt."""
    records = [(attempt.provider, attempt.outcome, attempt.error) for attempt in got.attempts]
    answered = AttemptOutcome.SUCCEEDED
    if met.error is None:
        assert records == [("bad", answered, None)]
    else:
        first, *others = records
        assert first == ("bad", AttemptOutcome.FAILED, met.error.__name__)
        assert others == ([("good", answered, None)] if case.gets is Gets.OTHERS else [])
        assert met.status in (got.attempts[0].status, ANY_STATUS)
    if case.gets is Gets.ERROR:
        assert isinstance(got, ProviderError)
        assert type(got) is met.error
        assert got.provider == "bad"
        return
    assert isinstance(got, Reply)
    name, text = ("good", HEALTHY) if case.gets is Gets.OTHERS else ("bad", "Hello, world")
    assert (got.provider, got.text) == (name, text)
    assert got.metadata["fallback_provider"] == name


def _assert_told(scene: Scene, case: Case, *, stream: bool) -> None:
    """Demand the events of the first call, in order."""
    end = [("FirstToken", "")] * stream + [("AttemptSucceeded", "")]
    story = [("RequestStarted", "tree"), ("AttemptStarted", "bad")]
    if case.gets is Gets.ANSWER:
        story += [(kind, "bad") for kind, _ in end]
    else:
        story += [("AttemptFailed", "bad")]
    if case.gets is Gets.OTHERS:
        story += [("FellBack", "tree"), ("AttemptStarted", "good")]
        story += [(kind, "good") for kind, _ in end]
    assert scene.story() == [*story, ("RequestFinished", "tree")]
    rests = [event.actor for event in scene.log if isinstance(event, events.CooldownStarted)]
    assert rests == ["bad"] * (case.rest > 0)
    changes = [event for event in scene.log if isinstance(event, events.BreakerChanged)]
    expected = [("bad", case.breaker)] * (case.rest > 0)
    assert [(event.actor, event.new) for event in changes] == expected


async def _assert_served(scene: Scene, case: Case, met: Met, dialect: str, *, stream: bool) -> None:
    """Demand that each server saw the one request that it should, and its end."""
    good = [ServedOutcome.COMPLETED] * (case.gets is Gets.OTHERS)
    bad = [] if met.seen is None else [met.seen]
    for server, name, ends in ((scene.bad, "bad", bad), (scene.good, "good", good)):
        assert [await served.wait_finished() for served in server.served] == ends
        for served in server.served:
            assert (served.model, served.dialect, served.stream) == (name, dialect, stream)


def _assert_health(scene: Scene, case: Case, *, failures: int) -> None:
    """Demand that the bad member was charged or not, and rests or not; the other is well."""
    bad, good = scene.status("bad"), scene.status("good")
    assert bad.failures == failures * case.charged
    assert (bad.state, bad.breaker) == ("cooling" if case.rest else "ready", case.breaker)
    longest = case.rest if case.asked else 1.1 * case.rest
    assert case.rest == 0.0 or case.rest - 0.1 <= bad.cooldown_remaining <= longest
    assert (good.state, good.failures, good.breaker) == ("ready", 0, "closed")


async def _assert_left_alone(scene: Scene, case: Case, *, stream: bool) -> None:
    """Demand that no request reaches it while it rests, and that the first one after does."""
    for seconds in (0.0, case.rest - 1.0):
        scene.clock.jump(seconds)
        reply = await scene.ask(stream=stream)
        assert isinstance(reply, Reply)
        assert [attempt.provider for attempt in reply.attempts] == ["good"]
        assert len(scene.bad.served) == 1
    scene.bad.script = Behaviour()
    scene.clock.jump(1.0 if case.asked else 1.0 + 0.1 * case.rest)
    reply = await scene.ask(stream=stream)
    assert isinstance(reply, Reply)
    assert (reply.provider, len(scene.bad.served)) == ("bad", 2)
    bad = scene.status("bad")
    assert (bad.state, bad.failures, bad.breaker) == ("ready", 0, "closed")


@WAYS
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in ALONE])
async def test_a_fault_without_another_member(clock: MockClock, case: Case, stream: bool) -> None:
    """The member alone gives the typed error, with its phase; while it rests, a refusal."""
    async with open_wall(clock, case, case.dialects[0]) as scene:
        met = case.met(stream=stream)
        alone = scene.llm.provider("bad")
        got = await scene.ask(stream=stream, whom=alone)
        assert isinstance(got, ProviderError)
        assert type(got) is met.error
        assert (got.provider, got.model, got.phase) == ("bad", "bad", met.phase)
        assert met.status in (got.status, ANY_STATUS)
        assert (got.retry_after == case.rest) is bool(case.asked and case.rest)
        assert len(got.attempts) == 1
        if case.rest:
            refused = await scene.ask(stream=stream, whom=alone)
            assert isinstance(refused, ProviderUnavailableError)
            assert refused.attempts == ()
            assert refused.retry_after == pytest.approx(
                scene.status("bad").cooldown_remaining, abs=0.1
            )
        assert len(scene.bad.served) == (case.server is Server.UP)
        assert scene.good.served == []


@WAYS
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in SHARED])
async def test_a_fault_of_every_member(clock: MockClock, case: Case, stream: bool) -> None:
    """The caller gets both errors in one group, in declared order, and the shortest wait."""
    async with open_wall(clock, case, case.dialects[0]) as scene:
        met = case.met(stream=stream)
        scene.good.script = case.script
        if case.passes:
            scene.let_pass(case.passes, server=scene.good)
        got = await scene.ask(stream=stream)
        assert isinstance(got, AllProvidersFailed)
        assert [(type(error), error.provider) for error in got.errors] == [
            (met.error, "bad"),
            (met.error, "good"),
        ]
        assert got.retry_after == (case.rest if case.asked and case.rest else None)
        assert [attempt.outcome for attempt in got.attempts] == [AttemptOutcome.FAILED] * 2
        for server in (scene.bad, scene.good):
            (served,) = server.served
            assert await served.wait_finished() is met.seen


def test_the_readme_shows_the_wall() -> None:
    """The table in the README is the one that these cases make."""
    _, _, rest = README.read_text(encoding="utf-8").partition("<!-- wall of faults -->\n")
    shown, end, _ = rest.partition("\n<!-- end of the wall -->")
    assert end
    assert shown == wall_table()
