"""A kept connection may have ended: then the request goes once more, on a fresh one."""

import pytest

from tests.sockets.socket_scenes import ask, member, open_llm
from trio_llm import AttemptOutcome, ConnectionFailedError, CooldownSettings, Retry
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, open_upstream

# One charged failure would show at once.
TOUCHY = CooldownSettings(after_failures=1)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.RESET])
async def test_a_stale_connection_costs_one_further_attempt(fault: Fault, stream: bool) -> None:
    """It is counted in the attempts, leaves the health alone, and the caller gets the reply."""
    script = [Behaviour(), Behaviour(fault=fault), Behaviour()]
    async with (
        open_upstream(script) as upstream,
        open_llm(member(upstream, cooldown=TOUCHY)) as llm,
    ):
        await ask(llm, stream=stream)
        reply = await ask(llm, stream=stream)
        assert reply.text == "Hello, world"
        assert [(attempt.number, attempt.outcome) for attempt in reply.attempts] == [
            (1, AttemptOutcome.FAILED),
            (2, AttemptOutcome.SUCCEEDED),
        ]
        assert [served.connection for served in upstream.served] == [1, 1, 2]
        (status,) = llm.status()
        assert (status.state, status.failures, status.cooldown_remaining) == ("ready", 0, 0.0)


@pytest.mark.parametrize("stream", [False, True])
async def test_there_is_one_such_attempt_and_no_more(stream: bool) -> None:
    """When the fresh connection breaks too, that is a failure of the provider."""
    script = [Behaviour(), Behaviour(fault=Fault.CLOSE)]
    async with open_upstream(script) as upstream, open_llm(member(upstream)) as llm:
        await ask(llm, stream=stream)
        with pytest.raises(ConnectionFailedError) as caught:
            await ask(llm, stream=stream)
        assert len(caught.value.attempts) == 2
        assert [served.connection for served in upstream.served] == [1, 1, 2]
        assert llm.status()[0].failures == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fresh_connection_that_breaks_is_no_stale_one(stream: bool) -> None:
    """What breaks on a connection's first request is not sent again."""
    async with (
        open_upstream(Behaviour(fault=Fault.CLOSE)) as upstream,
        open_llm(member(upstream)) as llm,
    ):
        with pytest.raises(ConnectionFailedError) as caught:
            await ask(llm, stream=stream)
        assert len(caught.value.attempts) == 1
        assert upstream.statistics().requests == 1
        assert llm.status()[0].failures == 1


async def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    """Once the head has come on a kept connection, its end is a failure like any other."""
    script = [Behaviour(), Behaviour(fault=Fault.CLOSE_MIDWAY)]
    async with open_upstream(script) as upstream, open_llm(member(upstream)) as llm:
        await llm.generate("hello")
        with pytest.raises(ConnectionFailedError) as caught:
            await llm.generate("hello")
        assert caught.value.phase == "stream"
        assert len(caught.value.attempts) == 1
        assert [served.connection for served in upstream.served] == [1, 1]


async def test_the_further_attempt_counts_against_the_cap_of_the_call() -> None:
    """A call that may make one attempt makes one, stale or not."""
    script = [Behaviour(), Behaviour(fault=Fault.CLOSE), Behaviour()]
    async with (
        open_upstream(script) as upstream,
        open_llm(member(upstream, cooldown=TOUCHY)) as llm,
    ):
        await llm.generate("hello")
        with pytest.raises(ConnectionFailedError) as caught:
            await llm.generate("hello", max_attempts=1)
        assert len(caught.value.attempts) == 1
        assert llm.status()[0].state == "ready"


async def test_configured_retries_come_on_top() -> None:
    """The attempt for a stale connection uses up none of the provider's retries."""
    broken = Behaviour(fault=Fault.CLOSE)
    async with open_upstream([Behaviour(), broken, broken, Behaviour()]) as upstream:
        provider = member(upstream, retry=Retry(attempts=1, base_delay=0.0))
        async with open_llm(provider) as llm:
            await llm.generate("hello")
            reply = await llm.generate("hello")
            assert [attempt.number for attempt in reply.attempts] == [1, 2, 3]
            assert [served.connection for served in upstream.served] == [1, 1, 2, 3]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_end_that_has_arrived_is_seen_before_sending(stream: bool) -> None:
    """A server that closes behind each answer costs a connection for each call, no attempt."""
    async with open_upstream(close_after=1) as upstream, open_llm(member(upstream)) as llm:
        for call in (1, 2, 3):
            reply = await ask(llm, stream=stream)
            assert len(reply.attempts) == 1
            assert await upstream.served[-1].wait_finished() is ServedOutcome.COMPLETED
            await upstream.wait_no_connections()
            assert upstream.statistics().connections_accepted == call
