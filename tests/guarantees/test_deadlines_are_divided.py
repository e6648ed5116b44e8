"""The caller's deadline is divided over the members that may have to be asked."""

import math

import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import (
    AllProvidersFailed,
    Config,
    Fallback,
    ProviderTimeoutError,
    RateLimitError,
    Reply,
    Retry,
    ServerError,
)
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Fails, Stalls, World, explore, run, seeds


def _ask(cast: Cast, tree: Member, seconds: float = math.inf, stream: bool = False) -> Reply:
    async def scenario(world: World) -> Reply:
        async with world.open(Config(default=tree)) as llm:
            with trio.fail_after(seconds):
                if not stream:
                    reply = await llm.generate("hi")
                else:
                    async with llm.stream("hi") as answer:
                        async for _ in answer:
                            pass
                        reply = answer.reply
            assert_idle(cast, llm)
            return reply

    return run(scenario).value


@pytest.mark.parametrize("stream", [False, True])
def test_a_stalled_member_leaves_time_for_the_next(stream: bool) -> None:
    """With 9 s for three members, of which two hang, the third still has 3 s."""
    cast = Cast()
    tree = Fallback(
        [
            cast.provider("a", Stalls()),
            cast.provider("b", Stalls()),
            cast.provider("c", Answers("in time", after=2.0)),
        ]
    )
    reply = _ask(cast, tree, 9.0, stream)
    assert (reply.text, reply.provider) == ("in time", "c")
    assert [(each.provider, each.started) for each in reply.attempts] == [
        ("a", 0.0),
        ("b", 3.0),
        ("c", 6.0),
    ]


def test_a_member_that_is_known_to_be_fast_reserves_little() -> None:
    """What the second usually needs is kept for it; the first may use all the rest."""
    cast = Cast()
    tree = Fallback([cast.provider("a", Stalls()), cast.provider("b", Answers(after=0.2))])

    async def scenario(world: World) -> float:
        async with world.open(Config(default=tree)) as llm:
            for _ in range(10):
                await llm.provider("b").generate("hi")
            with trio.fail_after(10.0):
                reply = await llm.generate("hi")
            return reply.attempts[-1].started

    assert 9.5 < run(scenario).value < 9.8


def test_without_a_deadline_nobody_is_hurried() -> None:
    """A slow member is waited for as long as its own limits allow."""
    cast = Cast()
    tree = Fallback(
        [cast.provider("a", Answers("slow", after=50.0)), cast.provider("b", Answers())]
    )
    assert _ask(cast, tree).text == "slow"


def test_the_last_member_has_all_that_is_left() -> None:
    """After a quick failure the other one is not cut before the caller is."""
    cast = Cast()
    tree = Fallback(
        [cast.provider("a", Fails(ServerError, after=1.0)), cast.provider("b", Answers(after=8.5))]
    )
    assert _ask(cast, tree, 10.0).provider == "b"


def test_members_that_may_not_be_tried_reserve_nothing() -> None:
    """With `max_retries=0` the only member has the whole deadline."""
    cast = Cast()
    tree = Fallback(
        [cast.provider("a", Answers("late", after=9.0)), cast.provider("b", Answers())],
        max_retries=0,
    )
    assert _ask(cast, tree, 10.0).text == "late"


def test_a_share_that_passed_is_a_timeout_of_its_own_phase_and_no_fault() -> None:
    """The error names the phase, the attempt counts as cancelled, and health is not charged."""
    cast = Cast()
    tree = Fallback(
        [
            cast.provider("a", Stalls()),
            cast.provider("b", Fails(ServerError, after=0.5)),
        ]
    )

    async def scenario(world: World) -> None:
        async with world.open(Config(default=tree)) as llm:
            with trio.fail_after(10.0), pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hi")
            late, _ = caught.value.errors
            assert isinstance(late, ProviderTimeoutError)
            assert (late.provider, late.phase, late.elapsed) == ("a", "deadline", 5.0)
            assert [each.outcome.value for each in caught.value.attempts] == ["cancelled", "failed"]
            assert {s.name: s.failures for s in llm.status()}["a"] == 0

    run(scenario)


def test_a_wait_that_does_not_fit_into_a_share_goes_on_at_once() -> None:
    """A Retry-After of 6 s is waited for with 20 s left, and not with 10 s for two members."""
    cast = Cast()
    limited = (Fails(RateLimitError("slow down", retry_after=6.0)), Answers("waited"))
    tree = Fallback(
        [cast.provider("a", limited, retry=Retry(attempts=1)), cast.provider("b", Answers("b"))]
    )
    assert _ask(cast, tree, 20.0).text == "waited"
    cast = Cast()
    tree = Fallback(
        [cast.provider("a", limited, retry=Retry(attempts=1)), cast.provider("b", Answers("b"))]
    )
    assert _ask(cast, tree, 10.0).text == "b"


def test_shares_of_shares() -> None:
    """A nested fallback divides what the outer one gives it."""
    cast = Cast()
    inner = Fallback([cast.provider("a", Stalls()), cast.provider("b", Stalls())], name="inner")
    tree = Fallback([inner, cast.provider("c", Answers("c", after=4.0))])
    reply = _ask(cast, tree, 12.0)
    assert [(each.provider, each.started) for each in reply.attempts] == [
        ("a", 0.0),
        ("b", 3.0),
        ("c", 6.0),
    ]


def test_an_answer_at_the_very_end_of_a_share_comes_too_late_on_every_schedule() -> None:
    """A deadline beats a completion at the same instant, a member's share included."""
    for stream in (False, True):

        async def scenario(world: World, stream: bool = stream) -> str:
            cast = Cast()
            passes = world.rng.randrange(5)
            tree = Fallback(
                [
                    cast.provider("a", Answers("a", after=5.0, passes=passes)),
                    cast.provider("b", Answers("b", after=1.0)),
                ]
            )
            async with world.open(Config(default=tree)) as llm:
                with trio.fail_after(10.0):
                    if not stream:
                        return (await llm.generate("hi")).provider
                    async with llm.stream("hi") as answer:
                        return answer.provider

        outcomes = explore(scenario, seeds=seeds(1000, share=50))
        assert {outcome.value for outcome in outcomes} == {"b"}
