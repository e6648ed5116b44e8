"""Whatever a server sends, the caller gets one plain, typed error, and the next call works."""

from functools import partial

import pytest
import trio
from trio.testing import MockClock

from tests.sockets.socket_scenes import KINDS, ask, jump_when_blocked, member, open_llm
from trio_llm import (
    ConnectionFailedError,
    MalformedResponseError,
    ProviderError,
    Race,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.providers import http
from trio_llm.testing.upstream import Behaviour, Fault, open_upstream
from trio_llm.transport import Connections

BAD: dict[str, tuple[Behaviour, type[ProviderError]]] = {
    "no HTTP": (Behaviour(fault=Fault.NOT_HTTP), MalformedResponseError),
    "huge headers": (Behaviour(fault=Fault.HUGE_HEADERS), MalformedResponseError),
    "no UTF-8": (Behaviour(fault=Fault.INVALID_UTF8, fault_after=0), MalformedResponseError),
    "cut JSON": (Behaviour(fault=Fault.MALFORMED, fault_after=0), MalformedResponseError),
    "empty": (Behaviour(fault=Fault.EMPTY), MalformedResponseError),
    "no content": (Behaviour(status=204, body=b""), MalformedResponseError),
    "an error": (Behaviour(fault=Fault.ERROR_FRAME, fault_after=0), ServerError),
    "elsewhere": (
        Behaviour(status=302, headers={"location": "http://127.0.0.1:9/"}),
        MalformedResponseError,
    ),
    "HTML": (Behaviour(fault=Fault.HTML), MalformedResponseError),
    "nothing": (Behaviour(fault=Fault.CLOSE), ConnectionFailedError),
    "a list": (Behaviour(body=b"[1, 2]"), MalformedResponseError),
    "a number": (Behaviour(body=b"7"), MalformedResponseError),
    "an empty object": (Behaviour(body=b"{}"), MalformedResponseError),
    "zeros": (Behaviour(body=b"\0" * 100), MalformedResponseError),
    "a deep list": (Behaviour(body=b"[" * 100_000), MalformedResponseError),
    "an unknown encoding": (
        Behaviour(headers={"content-encoding": "br"}),
        MalformedResponseError,
    ),
    "a false encoding": (
        Behaviour(headers={"content-encoding": "gzip"}),
        MalformedResponseError,
    ),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("dialect", list(KINDS))
@pytest.mark.parametrize("bad", list(BAD))
async def test_a_bad_answer_is_one_typed_error(bad: str, dialect: str, stream: bool) -> None:
    """The class is the same in every dialect, plain or streamed; nothing is left behind."""
    behaviour, expected = BAD[bad]
    async with (
        open_upstream(behaviour) as upstream,
        open_llm(member(upstream, dialect=dialect)) as llm,
    ):
        with pytest.raises(ProviderError) as caught:
            await ask(llm, stream=stream)
        assert type(caught.value) is expected
        assert caught.value.provider == "a"
        assert caught.value.message
        assert [attempt.error for attempt in caught.value.attempts] == [expected.__name__]
        upstream.script = Behaviour()
        assert (await ask(llm, stream=stream)).text == "Hello, world"


@pytest.mark.parametrize("stream", [False, True])
async def test_no_bad_answer_wins_a_race(clock: MockClock, stream: bool) -> None:
    """However early it comes, it is an error: the first useful answer wins."""
    names = ("no UTF-8", "cut JSON", "empty", "an error", "HTML", "nothing")
    script = {name: BAD[name][0] for name in names} | {"good": Behaviour(latency=1.0)}
    async with open_upstream(script) as upstream, trio.open_nursery() as nursery:
        members = tuple(member(upstream, f"m{i}", model=name) for i, name in enumerate(script))
        async with open_llm(Race(members)) as llm:
            nursery.start_soon(jump_when_blocked, clock, upstream, len(script), 1.0)
            reply = await ask(llm, stream=stream)
            assert (reply.model, reply.text) == ("good", "Hello, world")
            errors = [attempt.error for attempt in reply.attempts]
            assert errors == [*(BAD[name][1].__name__ for name in names), None]


@pytest.mark.parametrize("dialect", list(KINDS))
@pytest.mark.parametrize("stream", [False, True])
async def test_an_endless_body_is_given_up(
    dialect: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body, or a line of a stream, that never ends is read up to a limit and no further."""
    monkeypatch.setattr(http, "Connections", partial(Connections, max_body=1024 * 1024))
    async with (
        open_upstream(Behaviour(fault=Fault.ENDLESS)) as upstream,
        open_llm(member(upstream, dialect=dialect)) as llm,
    ):
        with pytest.raises(MalformedResponseError, match="larger than 1048576 bytes"):
            await ask(llm, stream=stream)
        upstream.script = Behaviour()
        assert (await ask(llm, stream=stream)).text == "Hello, world"


async def test_an_endless_error_keeps_its_status() -> None:
    """The status has said enough: the body behind it is not read to an end it lacks."""
    pieces = tuple(b"no " * 20_000 for _ in range(50))
    async with (
        open_upstream(Behaviour(status=500, pieces=pieces)) as upstream,
        open_llm(member(upstream)) as llm,
    ):
        with pytest.raises(ServerError) as caught:
            await llm.generate("hello")
        assert caught.value.status == 500
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("dialect", list(KINDS))
async def test_a_stream_cut_before_its_finish_is_no_success(dialect: str) -> None:
    """A body that ends well in HTTP, but without a finish reason, is a broken stream."""
    async with (
        open_upstream(Behaviour(fault=Fault.CUT, fault_after=3)) as upstream,
        open_llm(member(upstream, dialect=dialect)) as llm,
    ):
        with pytest.raises(StreamInterruptedError) as caught:
            await ask(llm, stream=True)
        assert caught.value.partial_text == "Hello, world"


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_that_come_byte_by_byte_are_whole(stream: bool) -> None:
    """How the bytes are cut into packets changes nothing."""
    async with (
        open_upstream(Behaviour(chunks=("Grüße", " 🙂"), trickle=True)) as upstream,
        open_llm(member(upstream)) as llm,
    ):
        assert (await ask(llm, stream=stream)).text == "Grüße 🙂"
