"""A provider that asks for a pause gets it, and is asked again afterwards.

In a fallback, and in every form of asking: see the wall (`test_sockets_wall.py`).
"""

import pytest
from trio.testing import MockClock

from tests.sockets.socket_scenes import ask, member, open_llm
from trio_llm import (
    AllProvidersFailed,
    LoadBalance,
    ProviderUnavailableError,
    RateLimitError,
)
from trio_llm.testing.upstream import Behaviour, open_upstream

LIMITED = Behaviour(status=429, headers={"retry-after": "30"}, message="too many requests")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_load_balance_leaves_a_limited_provider_out(clock: MockClock, stream: bool) -> None:
    """The call that met the limit fails; the next ones go elsewhere until the rest is over."""
    async with (
        open_upstream({"a": LIMITED, "b": Behaviour()}) as upstream,
        open_llm(LoadBalance((member(upstream, "a"), member(upstream, "b")))) as llm,
    ):
        with pytest.raises(AllProvidersFailed) as caught:
            await ask(llm, stream=stream)
        assert caught.value.retry_after == 30.0
        for _ in range(3):
            assert (await ask(llm, stream=stream)).provider == "b"
        upstream.script = Behaviour()
        clock.jump(30.0)
        assert {(await ask(llm, stream=stream)).provider for _ in range(2)} == {"a", "b"}


async def test_a_single_provider_refuses_at_once_while_it_rests(clock: MockClock) -> None:
    """The error says how long; nothing is sent before that."""
    async with open_upstream(LIMITED) as upstream, open_llm(member(upstream)) as llm:
        with pytest.raises(RateLimitError) as limited:
            await llm.generate("hello")
        assert (limited.value.retry_after, limited.value.status) == (30.0, 429)
        with pytest.raises(ProviderUnavailableError) as refused:
            await llm.generate("hello")
        assert refused.value.code == "cooling"
        assert refused.value.retry_after == pytest.approx(30.0, abs=1.0)
        assert upstream.statistics().requests == 1
        clock.jump(30.0)
        upstream.script = Behaviour()
        await llm.generate("hello")
        assert upstream.statistics().requests == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_success_that_names_a_pause_is_a_success(stream: bool) -> None:
    """Some proxies put ``retry-after`` on every answer: it rests nobody."""
    async with (
        open_upstream(Behaviour(headers={"retry-after": "30"})) as upstream,
        open_llm(member(upstream)) as llm,
    ):
        for _ in range(2):
            assert (await ask(llm, stream=stream)).text == "Hello, world"
        (status,) = llm.status()
        assert (status.state, status.cooldown_remaining) == ("ready", 0.0)
