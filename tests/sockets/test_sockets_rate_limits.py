"""A provider that asks for a pause gets it, and is asked again afterwards."""

from email.utils import formatdate

import pytest
from trio.testing import MockClock

from tests.sockets.socket_scenes import ask, member, open_llm
from trio_llm import (
    AllProvidersFailed,
    Config,
    Fallback,
    LoadBalance,
    ProviderUnavailableError,
    RateLimitError,
    open_runtime,
)
from trio_llm.testing.upstream import Behaviour, open_upstream

LIMITED = Behaviour(status=429, headers={"retry-after": "30"}, message="too many requests")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_fallback_skips_a_limited_provider_until_it_may_be_asked(
    clock: MockClock, stream: bool
) -> None:
    """During the rest no request reaches it; after the rest it is the first one again."""
    async with (
        open_upstream({"a": LIMITED, "b": Behaviour()}) as upstream,
        open_llm(Fallback((member(upstream, "a"), member(upstream, "b")))) as llm,
    ):
        for _ in range(3):
            assert (await ask(llm, stream=stream)).provider == "b"
        assert [served.model for served in upstream.served] == ["a", "b", "b", "b"]
        assert llm.status()[0].state == "cooling"
        upstream.script = Behaviour()
        clock.jump(29.0)
        assert (await ask(llm, stream=stream)).provider == "b"
        clock.jump(1.0)
        assert (await ask(llm, stream=stream)).provider == "a"
        assert llm.status()[0].state == "ready"


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


async def test_the_pause_may_be_a_date(clock: MockClock) -> None:
    """A date is read against the wall clock that the runtime was given."""
    del clock
    now = 1_800_000_000.0
    dated = Behaviour(status=429, headers={"retry-after": formatdate(now + 45, usegmt=True)})
    async with open_upstream(dated) as upstream:
        config = Config(default=member(upstream))
        async with open_runtime(config, wall_clock=lambda: now) as llm:
            with pytest.raises(RateLimitError) as caught:
                await llm.generate("hello")
            assert caught.value.retry_after == pytest.approx(45.0)
            assert llm.status()[0].cooldown_until == pytest.approx(now + 45.0, abs=1.0)


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
