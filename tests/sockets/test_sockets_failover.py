"""A provider that breaks in mid-answer: what its caller gets, and what both servers saw."""

import socket

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.sockets.socket_scenes import KINDS, ask, jump_when_blocked, member, open_llm
from trio_llm import (
    AllProvidersFailed,
    ConnectionFailedError,
    Fallback,
    LLMError,
    MalformedResponseError,
    Provider,
    ProviderError,
    ProviderTimeoutError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.testing.upstream import Behaviour, Fault, ServedOutcome, open_upstream


@attrs.frozen
class Case:
    """A fault, and what it means for a plain call and for a stream before its commit.

    Attributes:
        plain: The error of a single provider, plain.
        plain_phase: Its phase.
        stream: The error of a single provider, for a stream without an event.
        stream_phase: Its phase.
        seen: How the upstream saw it end.
    """

    plain: type[ProviderError]
    plain_phase: str
    stream: type[ProviderError]
    stream_phase: str
    seen: ServedOutcome


LOST = ConnectionFailedError
LATE = ProviderTimeoutError

CASES = {
    Fault.CLOSE: Case(LOST, "response", LOST, "response", ServedOutcome.FAULT),
    Fault.RESET: Case(LOST, "response", LOST, "response", ServedOutcome.FAULT),
    Fault.SILENCE: Case(LATE, "first_token", LATE, "first_token", ServedOutcome.CLIENT_CLOSED),
    Fault.STALL: Case(LATE, "idle", LATE, "first_token", ServedOutcome.CLIENT_CLOSED),
    Fault.CLOSE_MIDWAY: Case(LOST, "stream", LOST, "stream", ServedOutcome.FAULT),
    Fault.RESET_MIDWAY: Case(LOST, "stream", LOST, "stream", ServedOutcome.FAULT),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", list(CASES))
async def test_a_single_provider_gives_a_typed_error(
    clock: MockClock, fault: Fault, stream: bool
) -> None:
    """Class and phase say what happened, and the server saw no second request."""
    case = CASES[fault]
    async with (
        open_upstream(Behaviour(fault=fault, fault_after=0)) as upstream,
        open_llm(member(upstream)) as llm,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(jump_when_blocked, clock, upstream, 1, 601.0)
        with pytest.raises(ProviderError) as caught:
            await ask(llm, stream=stream)
        error = caught.value
        assert type(error) is (case.stream if stream else case.plain)
        assert error.phase == (case.stream_phase if stream else case.plain_phase)
        assert error.provider == "a"
        assert len(error.attempts) == 1
        (served,) = upstream.served
        assert await served.wait_finished() is case.seen


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", list(CASES))
async def test_a_fallback_has_its_healthy_member_answer(
    clock: MockClock, fault: Fault, stream: bool
) -> None:
    """The caller gets a whole reply, and each server saw one request."""
    script = {"bad": Behaviour(fault=fault, fault_after=0), "good": Behaviour()}
    async with open_upstream(script) as upstream, trio.open_nursery() as nursery:
        tree = Fallback((member(upstream, "bad"), member(upstream, "good")))
        async with open_llm(tree) as llm:
            nursery.start_soon(jump_when_blocked, clock, upstream, 1, 601.0)
            reply = await ask(llm, stream=stream)
            assert (reply.provider, reply.text) == ("good", "Hello, world")
            assert [attempt.provider for attempt in reply.attempts] == ["bad", "good"]
            assert [served.model for served in upstream.served] == ["bad", "good"]
            bad, good = upstream.served
            assert await bad.wait_finished() is CASES[fault].seen
            assert await good.wait_finished() is ServedOutcome.COMPLETED


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (Fault.STALL, ProviderTimeoutError),
        (Fault.CLOSE_MIDWAY, ConnectionFailedError),
        (Fault.RESET_MIDWAY, ConnectionFailedError),
        (Fault.MALFORMED, MalformedResponseError),
        (Fault.ERROR_FRAME, ServerError),
        (Fault.CUT, StreamInterruptedError),
    ],
)
@pytest.mark.parametrize("dialect", list(KINDS))
async def test_a_stream_that_has_begun_fails_with_its_partial_text(
    clock: MockClock, dialect: str, fault: Fault, cause: type[LLMError]
) -> None:
    """After the commit no other member is asked: the caller has seen text already."""
    script = {"bad": Behaviour(fault=fault, fault_after=2, gap=1.0), "good": Behaviour()}
    async with open_upstream(script) as upstream, trio.open_nursery() as nursery:
        tree = Fallback(tuple(member(upstream, name, dialect=dialect) for name in script))
        async with open_llm(tree) as llm:
            pieces: list[str] = []

            async def consume() -> None:
                async with llm.stream("hello") as events:
                    async for piece in events.text():
                        pieces.append(piece)
                        late = fault is Fault.STALL and len(pieces) == 2
                        seconds = 601.0 if late else 1.0
                        nursery.start_soon(jump_when_blocked, clock, upstream, 1, seconds)

            with pytest.raises(StreamInterruptedError) as caught:
                await consume()
            error = caught.value
            assert (error.partial_text, error.provider) == ("Hello, ", "bad")
            assert "".join(pieces) == "Hello, "
            assert isinstance(error if cause is StreamInterruptedError else error.__cause__, cause)
            assert [served.model for served in upstream.served] == ["bad"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_refused_connection(stream: bool) -> None:
    """Nobody listens: the error says so, and a fallback goes on at once."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with open_upstream() as upstream:
            refused = Provider("openai_compatible", "nobody", base_url=url, model="m")
            tree = Fallback((refused, member(upstream, "good")), name="tree")
            async with open_llm(tree) as llm:
                with pytest.raises(ConnectionFailedError, match="refused") as caught:
                    await ask(llm.provider("nobody"), stream=stream)
                assert caught.value.phase == "connect"
                assert (await ask(llm, stream=stream)).provider == "good"
            assert upstream.statistics().requests == 1


async def test_when_every_member_fails_each_error_is_there() -> None:
    """One group holds one typed error for each member, in declared order."""
    script = {"a": Behaviour(fault=Fault.RESET), "b": Behaviour(status=500)}
    async with open_upstream(script) as upstream:
        tree = Fallback(tuple(member(upstream, name) for name in script))
        async with open_llm(tree) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hello")
            assert [type(error) for error in caught.value.errors] == [LOST, ServerError]
            assert len(caught.value.attempts) == 2
