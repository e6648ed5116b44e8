"""A reload on real sockets: kept providers keep their connections, removed ones close theirs."""

import attrs
import pytest
import trio

from tests.sockets.socket_scenes import ask, client_sockets, member, open_connections, open_llm
from trio_llm import Config, Fallback, Race, Runtime
from trio_llm.config import Member
from trio_llm.testing.upstream import Behaviour, open_upstream


def _with(llm: Runtime, default: Member) -> Config:
    """Give the present configuration with another default."""
    return attrs.evolve(llm.config, default=default)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_kept_connection_is_used_on_after_a_reload(stream: bool) -> None:
    """Ten reloads around an unchanged provider cost not one further connection."""
    async with open_upstream() as upstream, open_llm(member(upstream)) as llm:
        await ask(llm, stream=stream)
        for number in range(10):
            shape = (Fallback, Race)[number % 2]
            await llm.reload(_with(llm, shape((member(upstream),), name="f")))
            await ask(llm, stream=stream)
        assert upstream.statistics().requests == 11
        assert upstream.statistics().connections_accepted == 1
        assert upstream.statistics().connections_open == 1


@pytest.mark.parametrize("change", ["removed", "changed"])
async def test_what_has_left_the_plan_closes_its_connections(change: str) -> None:
    """The idle connections of a provider that is removed, or made anew, are closed at once."""
    async with open_upstream() as upstream, open_upstream() as other:
        gone, kept = member(upstream), member(other, "b")
        async with open_llm(Fallback((gone, kept), name="f")) as llm:
            for name in ("a", "b"):
                await ask(llm.provider(name), stream=False)
            assert (open_connections(upstream), open_connections(other)) == (1, 1)
            members = (kept,) if change == "removed" else (attrs.evolve(gone, mailbox=9), kept)
            await llm.reload(_with(llm, Fallback(members, name="f")))
            await upstream.wait_no_connections()
            assert (open_connections(upstream), open_connections(other)) == (0, 1)
            await ask(llm, stream=False)
            again = int(change == "changed")
            assert upstream.statistics().connections_accepted == 1 + again
            assert other.statistics().connections_accepted == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_in_flight_keeps_its_connection_to_its_end(stream: bool) -> None:
    """A reload in the middle of an answer harms it not, and closes its connection after it."""
    slow = Behaviour(chunks=("a", "b", "c", "d"), latency=0.5, gap=0.05)
    async with (
        open_upstream(slow) as upstream,
        open_upstream() as other,
        open_llm(Fallback((member(upstream),), name="f")) as llm,
    ):
        texts: list[str] = []

        async def call() -> None:
            texts.append((await ask(llm, stream=stream)).text)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await upstream.wait_requests(1)
            await llm.reload(_with(llm, member(other, "b")))
            assert (texts, open_connections(upstream)) == ([], 1)
            assert (await ask(llm, stream=stream)).provider == "b"
        assert texts == ["abcd"]
        await upstream.wait_no_connections()
        assert client_sockets() == open_connections(other) == 1


async def test_fifty_reloads_leave_no_socket_behind() -> None:
    """Provider after provider comes, is asked, and goes; only the last one is connected."""
    async with open_upstream() as upstream, open_llm(member(upstream, "p0")) as llm:
        for number in range(1, 51):
            await ask(llm, stream=False)
            await llm.reload(_with(llm, member(upstream, f"p{number}")))
        await upstream.wait_no_connections()
        assert client_sockets() == 0
        await ask(llm, stream=False)
        assert upstream.statistics().connections_accepted == 51
        assert upstream.statistics().connections_open == 1
