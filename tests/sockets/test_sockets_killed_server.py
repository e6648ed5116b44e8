"""A server that is killed under its requests: the kernel says the end, and nobody else."""

from typing import TypeAlias

import trio
from trio.testing import wait_all_tasks_blocked

from tests.sockets.socket_scenes import ask, client_sockets, member, open_llm
from tests.sockets.socket_victim import open_victim
from trio_llm import (
    ConnectionFailedError,
    Endpoint,
    Fallback,
    LLMError,
    Provider,
    Reply,
    StreamInterruptedError,
)
from trio_llm.testing.upstream import Upstream, open_upstream

Outcomes: TypeAlias = dict[tuple[str, bool], Reply | LLMError]

CALLS = (("single", False), ("single", True), ("fallback", False), ("fallback", True))


async def _note(outcomes: Outcomes, llm: Endpoint, stream: bool) -> None:
    try:
        outcomes[llm.name, stream] = await ask(llm, stream=stream)
    except LLMError as error:
        outcomes[llm.name, stream] = error


def _tree(victim: Provider, spare: Upstream) -> Fallback:
    return Fallback((victim, member(spare, "spare")), name="fallback")


async def test_a_server_killed_before_it_answers() -> None:
    """A single provider gives a typed error; a fallback's healthy member answers, plain or not."""
    outcomes: Outcomes = {}
    async with open_upstream() as spare, open_victim() as victim:
        provider = victim.provider("single", "silent")
        async with open_llm(_tree(provider, spare)) as llm:
            async with trio.open_nursery() as nursery:
                for name, stream in CALLS:
                    nursery.start_soon(_note, outcomes, llm.provider(name), stream)
                await victim.wait_requests(4)
                await wait_all_tasks_blocked()
                await victim.kill()
            for stream in (False, True):
                error = outcomes["single", stream]
                assert isinstance(error, ConnectionFailedError)
                assert (error.phase, error.provider) == ("response", "single")
                assert [attempt.error for attempt in error.attempts] == ["ConnectionFailedError"]
                reply = outcomes["fallback", stream]
                assert isinstance(reply, Reply)
                assert (reply.provider, reply.text) == ("spare", "Hello, world")
            assert spare.statistics().requests == 2
            assert client_sockets() == spare.statistics().connections_open


async def test_a_server_killed_in_the_middle_of_its_answers() -> None:
    """A stream that had begun fails with its partial text, and a plain answer falls back."""
    outcomes: Outcomes = {}
    async with open_upstream() as spare, open_victim() as victim:
        provider = victim.provider("single", "stalled")
        async with open_llm(_tree(provider, spare)) as llm:
            async with trio.open_nursery() as nursery:
                for name, stream in CALLS:
                    nursery.start_soon(_note, outcomes, llm.provider(name), stream)
                await victim.wait_requests(4)
                await _two_pieces(llm.provider("single"))
                await wait_all_tasks_blocked()
                await victim.kill()
            for name in ("single", "fallback"):
                broken = outcomes[name, True]
                assert isinstance(broken, StreamInterruptedError)
                assert (broken.partial_text, broken.phase) == ("Hello, ", "stream")
                assert broken.provider == "single"
            error = outcomes["single", False]
            assert isinstance(error, ConnectionFailedError)
            assert error.phase == "stream"
            reply = outcomes["fallback", False]
            assert isinstance(reply, Reply)
            assert (reply.provider, reply.text) == ("spare", "Hello, world")
            assert spare.statistics().requests == 1


async def _two_pieces(llm: Endpoint) -> None:
    """Take as much of a further stream as there is: by then the earlier ones have theirs."""
    text = ""
    async with llm.stream("hello") as events:
        async for piece in events.text():
            text += piece
            if text == "Hello, ":
                break
