"""What a server says in its headers of what is left is heeded, on real sockets.

The upstream's script counts requests; time passes by the virtual clock.
"""

import pytest
from trio.testing import MockClock

from tests.sockets.socket_scenes import ask, member, open_llm
from trio_llm import Fallback, ProviderUnavailableError, RateLimit, RateLimitError
from trio_llm.testing.upstream import Behaviour, open_upstream

USED_UP = {
    "openai_chat": {
        "X-RateLimit-Limit-Requests": "1",
        "X-RateLimit-Remaining-Requests": "0",
        "X-RateLimit-Reset-Requests": "1m30s",
    },
    "anthropic": {
        "anthropic-ratelimit-requests-limit": "1",
        "anthropic-ratelimit-requests-remaining": "0",
        "anthropic-ratelimit-requests-reset": "2030-01-01T00:01:30Z",
    },
}
LEFT = {"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "99"}
NEW_YEAR_2030 = 1_893_456_000.0


@pytest.mark.parametrize("dialect", USED_UP)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 500])
async def test_nothing_is_sent_before_the_reset_that_the_server_names(
    clock: MockClock, dialect: str, stream: bool, status: int
) -> None:
    """A good answer and a bad one say it alike; after the reset all is as before."""
    said = Behaviour(headers=USED_UP[dialect], status=status)
    async with (
        open_upstream(said) as upstream,
        open_llm(member(upstream, dialect=dialect), wall_clock=lambda: NEW_YEAR_2030) as llm,
    ):
        if status == 200:
            assert (await ask(llm, stream=stream)).text == "Hello, world"
        else:
            with pytest.raises(Exception, match="a simulated failure"):
                await ask(llm, stream=stream)
        assert llm.status()[0].retry_after == pytest.approx(90.0, abs=1.0)
        assert llm.status()[0].state == "ready"
        upstream.script = Behaviour(headers=LEFT)
        clock.jump(60.0)
        assert llm.status()[0].retry_after == pytest.approx(30.0, abs=1.0)
        clock.jump(30.0)
        for _ in range(2):
            assert (await ask(llm, stream=stream)).text == "Hello, world"
        assert upstream.statistics().requests == 3


async def test_a_window_that_fills_evenly_gives_one_before_its_reset(clock: MockClock) -> None:
    """Of a hundred requests that are back after 90 s the first is back after 0.9 s."""
    said = Behaviour(headers=USED_UP["openai_chat"] | {"X-RateLimit-Limit-Requests": "100"})
    async with open_upstream(said) as upstream, open_llm(member(upstream)) as llm:
        await ask(llm, stream=False)
        assert 0.0 < llm.status()[0].retry_after <= 0.9
        clock.jump(0.9)
        await ask(llm, stream=False)


async def test_a_fallback_goes_on_at_once_and_comes_back(clock: MockClock) -> None:
    """The member whose window is used up is passed over until its reset, without a failure."""
    first = Behaviour(headers=USED_UP["openai_chat"])
    async with (
        open_upstream({"a": first, "b": Behaviour()}) as upstream,
        open_llm(Fallback((member(upstream, "a"), member(upstream, "b")))) as llm,
    ):
        who = [(await ask(llm, stream=False)).provider for _ in range(3)]
        upstream.script = Behaviour()
        clock.jump(90.0)
        who.append((await ask(llm, stream=False)).provider)
        assert who == ["a", "b", "b", "a"]
        assert llm.statistics().nodes["a"].failed == 0


async def test_a_caller_that_cannot_wait_is_told_how_long_it_would_be(clock: MockClock) -> None:
    """With ``fall_on`` a call does not wait for the reset; the error says when that is."""
    limit = RateLimit(on_limit="fall_on")
    async with (
        open_upstream(Behaviour(headers=USED_UP["openai_chat"])) as upstream,
        open_llm(member(upstream, rate_limit=limit)) as llm,
    ):
        await ask(llm, stream=False)
        with pytest.raises(ProviderUnavailableError) as caught:
            await ask(llm, stream=False)
        assert caught.value.code == "rate_limited"
        assert caught.value.retry_after == pytest.approx(90.0, abs=1.0)
        assert upstream.statistics().requests == 1
        clock.jump(90.0)
        await ask(llm, stream=False)


async def test_what_a_429_asks_for_and_what_its_headers_say_both_hold(clock: MockClock) -> None:
    """The rest by Retry-After ends first; the window that the headers named lasts on."""
    limited = Behaviour(status=429, headers={"retry-after": "30", **USED_UP["openai_chat"]})
    async with open_upstream(limited) as upstream, open_llm(member(upstream)) as llm:
        with pytest.raises(RateLimitError):
            await ask(llm, stream=False)
        assert llm.status()[0].breaker == "throttled"
        clock.jump(30.0)
        assert llm.status()[0].state == "ready"
        assert llm.status()[0].retry_after == pytest.approx(60.0, abs=1.0)


async def test_headers_can_be_left_aside(clock: MockClock) -> None:
    """Without ``learn`` what the server says of its limits changes nothing."""
    del clock
    async with (
        open_upstream(Behaviour(headers=USED_UP["openai_chat"])) as upstream,
        open_llm(member(upstream, rate_limit=RateLimit(learn=False))) as llm,
    ):
        for _ in range(3):
            await ask(llm, stream=False)
        assert llm.status()[0].retry_after == 0.0
