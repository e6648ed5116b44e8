"""Real servers are killed or stopped while they are asked; others take over."""

import signal

import pytest
import trio

from tests.real.real_server import (
    ENDLESS,
    Server,
    busy,
    idle,
    in_turn,
    needs_socket_table,
    provider,
)
from trio_llm import (
    AllProvidersFailed,
    AttemptOutcome,
    Config,
    ConnectionFailedError,
    Race,
    Reply,
    Runtime,
    StreamInterruptedError,
    Timeouts,
    open_runtime,
)

pytestmark = pytest.mark.real

PROMPT = "bade kilo"


def _failures(reply: Reply) -> list[tuple[str, str | None]]:
    """Give who failed and how, each once."""
    failed = [one for one in reply.attempts if one.outcome is AttemptOutcome.FAILED]
    return list(dict.fromkeys([(one.provider, one.error) for one in failed]))


def _assert_second(reply: Reply, error: str) -> None:
    assert reply.provider == "second"
    assert reply.metadata["fallback_provider"] == "second"
    assert reply.metadata["fallback_index"] == 1
    assert reply.usage.output_tokens == 8
    assert _failures(reply) == [("first", error)]


async def _endless(llm: Runtime, replies: list[Reply]) -> None:
    replies.append(await llm.generate(PROMPT, max_tokens=ENDLESS))


async def test_killed_between_two_calls(mortals: list[Server]) -> None:
    """The kept connection to a server that died is no obstacle: the other one answers."""
    async with open_runtime(in_turn(mortals)) as llm:
        before = await llm.generate(PROMPT, max_tokens=8)
        mortals[0].kill()
        after = await llm.generate(PROMPT, max_tokens=8)
        async with llm.stream(PROMPT, max_tokens=8) as stream:
            streamed = "".join([piece async for piece in stream.text()])
    assert before.provider == "first"
    _assert_second(after, "ConnectionFailedError")
    _assert_second(stream.reply, "ConnectionFailedError")
    assert streamed == stream.reply.text


@needs_socket_table
async def test_killed_while_it_answers(mortals: list[Server]) -> None:
    """A plain call in flight at a server that dies is answered by the other one."""
    replies: list[Reply] = []
    async with open_runtime(in_turn(mortals)) as llm:
        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_endless, llm, replies)
                await mortals[0].reached(busy)
                mortals[0].kill()
        assert await mortals[0].connections() == 0
    _assert_second(replies[0], "ConnectionFailedError")


async def _read_until_the_end(llm: Runtime, server: Server, pieces: list[str]) -> None:
    async with llm.stream(PROMPT, max_tokens=ENDLESS) as stream:
        assert stream.provider == "first"
        async for piece in stream.text():
            pieces.append(piece)
            if len(pieces) == 5:
                server.kill()


async def test_killed_amid_a_stream(mortals: list[Server]) -> None:
    """A stream that breaks is never continued by another: its text so far is in the error."""
    pieces: list[str] = []
    async with open_runtime(in_turn(mortals)) as llm:
        with trio.fail_after(20), pytest.raises(StreamInterruptedError) as caught:
            await _read_until_the_end(llm, mortals[0], pieces)
        error = caught.value
        assert error.provider == "first"
        assert len(pieces) >= 5
        assert error.partial_text == "".join(pieces)
        assert isinstance(error.__cause__, ConnectionFailedError)
        assert [attempt.error for attempt in error.attempts] == ["ConnectionFailedError"]
        after = await llm.generate(PROMPT, max_tokens=8)
    _assert_second(after, "ConnectionFailedError")


async def test_a_server_that_hangs(mortals: list[Server]) -> None:
    """A server that takes the connection and then says nothing costs its limit of time."""
    limits = Timeouts(connect=5, first_token=0.3, idle=5, total=20)
    async with open_runtime(in_turn(mortals, timeouts=limits)) as llm:
        mortals[0].process.send_signal(signal.SIGSTOP)
        plain = await llm.generate(PROMPT, max_tokens=8)
        async with llm.stream(PROMPT, max_tokens=8) as stream:
            pieces = [piece async for piece in stream.text()]
    for reply in (plain, stream.reply):
        _assert_second(reply, "ProviderTimeoutError")
        assert 0.3 <= reply.attempts[0].latency < 5
    assert len(pieces) == 8


async def test_a_racer_is_killed(mortals: list[Server]) -> None:
    """A race goes on without the member that died, and names it."""
    members = [provider(server, name) for server, name in zip(mortals, ("a", "b"), strict=True)]
    async with open_runtime(Config(default=Race(members))) as llm, trio.open_nursery() as nursery:
        replies: list[Reply] = []

        async def ask() -> None:
            replies.append(await llm.generate(PROMPT, max_tokens=2000))

        nursery.start_soon(ask)
        await mortals[0].reached(busy)
        await mortals[1].reached(busy)
        mortals[0].kill()
    assert replies[0].provider == replies[0].metadata["racing_winner"] == "b"
    assert replies[0].usage.output_tokens == 2000
    assert _failures(replies[0]) == [("a", "ConnectionFailedError")]


@needs_socket_table
async def test_the_loser_of_a_race_stops_writing(servers: list[Server]) -> None:
    """The first answer wins; when it is given the other connection is closed, its server idle."""
    loser, winner = servers
    members = (provider(loser, "endless"), provider(winner, "brief", max_tokens_per_request=400))
    before = await loser.reached(idle)
    async with open_runtime(Config(default=Race(members))) as llm:
        reply = await llm.generate(PROMPT, max_tokens=ENDLESS)
        assert await loser.connections() == 0
        after = await loser.reached(idle)
    assert reply.provider == reply.metadata["racing_winner"] == "brief"
    assert {one.provider: one.outcome for one in reply.attempts} == {
        "endless": AttemptOutcome.CANCELLED,
        "brief": AttemptOutcome.SUCCEEDED,
    }
    assert after.written - before.written < ENDLESS


async def test_a_race_of_streams(servers: list[Server]) -> None:
    """Whoever writes the first token of a stream writes all of it; the other one stops."""
    members = [provider(server, name) for server, name in zip(servers, ("a", "b"), strict=True)]
    async with open_runtime(Config(default=Race(members))) as llm:
        async with llm.stream(PROMPT, max_tokens=40) as stream:
            pieces = [piece async for piece in stream.text()]
        for server in servers:
            await server.reached(idle)
    reply = stream.reply
    assert reply.provider == stream.provider == reply.metadata["racing_winner"]
    assert "".join(pieces) == reply.text
    assert len(pieces) == reply.usage.output_tokens == 40
    loser = next(one for one in reply.attempts if one.provider != reply.provider)
    assert loser.outcome in {AttemptOutcome.CANCELLED, AttemptOutcome.DISCARDED}


async def test_all_are_killed(mortals: list[Server]) -> None:
    """When nobody is left, every failure is in the error, in declared order."""
    async with open_runtime(in_turn(mortals)) as llm:
        for server in mortals:
            server.kill()
        with pytest.raises(AllProvidersFailed) as caught:
            await llm.generate(PROMPT)
    assert [error.provider for error in caught.value.errors] == ["first", "second"]
    assert all(isinstance(error, ConnectionFailedError) for error in caught.value.errors)
