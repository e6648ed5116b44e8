"""A race returns after its losers' connections have ended, and keeps the winner's."""

import pytest
import trio
from trio.testing import MockClock

from tests.sockets.socket_scenes import ask, jump_when_blocked, member, open_connections, open_llm
from trio_llm import AttemptOutcome, Fallback, Race
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, open_upstream

SCRIPT = {
    "winner": Behaviour(latency=1.0),
    "late": Behaviour(latency=3600.0),
    "silent": Behaviour(fault=Fault.SILENCE),
    "stalled": Behaviour(fault=Fault.STALL, fault_after=0),
}


@pytest.mark.parametrize("stream", [False, True])
async def test_losers_of_a_flat_race_are_gone_before_it_returns(
    clock: MockClock, stream: bool
) -> None:
    """The server has the end of every loser's connection when the race returns."""
    async with open_upstream(SCRIPT) as upstream, trio.open_nursery() as nursery:
        names = ("late", "winner", "silent", "stalled")
        async with open_llm(Race(tuple(member(upstream, name) for name in names))) as llm:
            nursery.start_soon(jump_when_blocked, clock, upstream, 4, 1.0)
            reply = await ask(llm, stream=stream)
            assert open_connections(upstream) == 1
            assert reply.provider == "winner"
            outcomes = {served.model: await served.wait_finished() for served in upstream.served}
    assert outcomes.pop("winner") is ServedOutcome.COMPLETED
    assert set(outcomes.values()) == {ServedOutcome.CLIENT_CLOSED}
    assert [attempt.outcome for attempt in reply.attempts].count(AttemptOutcome.CANCELLED) == 3


@pytest.mark.parametrize("stream", [False, True])
async def test_losers_of_a_nested_race_are_gone_before_it_returns(
    clock: MockClock, stream: bool
) -> None:
    """Losers below other balancers have left too, whichever level dismissed them."""
    async with open_upstream(SCRIPT) as upstream, trio.open_nursery() as nursery:
        inner = Race((member(upstream, "silent"), member(upstream, "winner")), name="inner")
        other = Fallback((member(upstream, "stalled"), member(upstream, "spare")), name="other")
        async with open_llm(Race((other, inner, member(upstream, "late")))) as llm:
            nursery.start_soon(jump_when_blocked, clock, upstream, 4, 1.0)
            reply = await ask(llm, stream=stream)
            assert open_connections(upstream) == 1
            assert reply.provider == "winner"
            assert reply.metadata["racing_winner"] == "inner"
            for served in upstream.served:
                await served.wait_finished()
        assert "spare" not in {served.model for served in upstream.served}


@pytest.mark.parametrize("stream", [False, True])
async def test_the_winners_connection_is_used_again(clock: MockClock, stream: bool) -> None:
    """The next race finds the winner's connection, and dials for the losers only."""
    async with open_upstream(SCRIPT) as upstream, trio.open_nursery() as nursery:
        race = Race((member(upstream, "winner"), member(upstream, "silent")))
        async with open_llm(race) as llm:
            for calls in (1, 2, 3):
                nursery.start_soon(jump_when_blocked, clock, upstream, 2 * calls, 1.0)
                await ask(llm, stream=stream)
                assert open_connections(upstream) == 1
        used = {served.connection for served in upstream.served if served.model == "winner"}
        assert len(used) == 1
        assert upstream.statistics().connections_accepted == 4


async def test_a_stream_has_no_losers_once_its_block_is_entered(clock: MockClock) -> None:
    """Losers are seen off while the winner's stream runs, and leaving it early ends it too."""
    script = {**SCRIPT, "winner": Behaviour(latency=1.0, gap=1.0)}
    async with open_upstream(script) as upstream, trio.open_nursery() as nursery:
        race = Race(tuple(member(upstream, name) for name in ("silent", "winner")))
        async with open_llm(race) as llm:
            nursery.start_soon(jump_when_blocked, clock, upstream, 2, 1.0)
            async with llm.stream("hello") as events:
                first = await anext(events.text())
                silent = next(one for one in upstream.served if one.model == "silent")
                assert await silent.wait_finished() is ServedOutcome.CLIENT_CLOSED
                assert open_connections(upstream) == 1
            assert open_connections(upstream) == 0
            assert first == "Hello"
