"""What keeps a hedge back: side effects, its budget, members that cannot, and deadlines."""

import pytest
import trio

from tests.balancing.hedge_watch import consume, now, started, suppressed
from tests.guarantees.scenes import Cast, assert_idle
from trio_llm import (
    AllProvidersFailed,
    AttemptOutcome,
    Config,
    Hedge,
    InvalidRequestError,
    PriceSettings,
    ProviderTimeoutError,
    ProviderUnavailableError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.testing import Answers, Cuts, Fails, RateLimits, Stalls, Step, World, run


def test_a_call_with_side_effects_is_never_hedged() -> None:
    """However late the first member is, it stays alone."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Answers(after=30.0)), cast.provider("b", Answers())]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            reply = await llm.generate("order it", side_effects=True)
            assert (reply.provider, now()) == ("a", 30.0)
            assert reply.metadata == {
                "hedge_provider": "a",
                "hedged": False,
                "hedge_delay_ms": None,
            }
        assert cast.scripts["b"].started == 0

    run(scenario)


def test_a_call_with_side_effects_that_failed_is_not_sent_again() -> None:
    """The first member may have done what was asked, whatever it said."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Fails(after=1.0)), cast.provider("b", Answers())]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("order it", side_effects=True)
            assert [type(error) for error in caught.value.errors] == [ServerError]
            with trio.move_on_after(0.5):  # to leave others a share of the time is no reason
                await llm.generate("order it", side_effects=True)
        assert cast.scripts["b"].started == 0

    run(scenario)


def test_a_broken_stream_with_side_effects_is_not_gone_on_with() -> None:
    """What broke may have been done, so nobody repeats it."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Cuts(after=0.5)), cast.provider("b", Answers())]
        tree = Hedge(members, delay=1.0, on_interrupt="restart")
        async with (
            world.open(Config(default=tree)) as llm,
            llm.stream("order it", side_effects=True) as stream,
        ):
            with pytest.raises(StreamInterruptedError):
                await consume(stream)
        assert cast.scripts["b"].started == 0

    run(scenario)


def test_a_member_that_refuses_passes_a_call_with_side_effects_on() -> None:
    """It was not asked, so nothing was done; one that is only busy is waited for at last."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", [RateLimits(60.0), Answers()]),
            cast.provider("b", Answers(after=2.0), max_concurrency=1),
        ]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            with pytest.raises(RateLimitError):
                await llm.provider("a").generate("hi")
            reply = await llm.generate("order it", side_effects=True)
            assert reply.provider == "b"
            async with trio.open_nursery() as nursery:
                nursery.start_soon(llm.provider("b").generate, "hi")
                await trio.sleep(0.5)
                reply = await llm.generate("order it", side_effects=True)
                assert (reply.provider, now()) == ("b", 6.0)

    run(scenario)


@pytest.mark.parametrize(
    ("of_calls", "of_spend", "reason"), [(0.0, 0.1, "calls"), (0.1, 0.0, "spend")]
)
def test_a_share_that_is_used_up_is_said(of_calls: float, of_spend: float, reason: str) -> None:
    """No hedge starts beyond the budget, and the event says which share it was."""

    async def scenario(world: World) -> None:
        cast = Cast()
        price = PriceSettings(1.0, 2.0)
        members = [cast.provider(name, Answers(after=3.0), price=price) for name in "ab"]
        tree = Hedge(members, delay=1.0, max_extra_calls=of_calls, max_extra_cost=of_spend)
        async with world.open(Config(default=tree)) as llm:
            reply = await llm.generate("hi")
            assert (reply.provider, now()) == ("a", 3.0)
        assert suppressed(world.log) == [reason]
        assert cast.scripts["b"].started == 0

    run(scenario)


def test_a_free_member_may_hedge_where_no_money_may_be_spent() -> None:
    """A share of nothing of the spend leaves those that cost nothing."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Answers(after=3.0), price=PriceSettings(1.0, 2.0)),
            cast.provider("b", Answers(), price=PriceSettings(0.0, 0.0)),
        ]
        tree = Hedge(members, delay=1.0, max_extra_cost=0.0)
        async with world.open(Config(default=tree)) as llm:
            assert (await llm.generate("hi")).provider == "b"

    run(scenario)


def test_the_attempts_of_a_call_cap_its_hedges() -> None:
    """A call that may make one attempt is not hedged, and not followed."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Answers(after=2.0)), cast.provider("b", Answers())]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            assert (await llm.generate("hi", max_attempts=1)).provider == "a"
        assert suppressed(world.log) == ["attempts_spent"]
        assert cast.scripts["b"].started == 0

    run(scenario)


def test_members_that_cannot_take_the_call_are_skipped() -> None:
    """One that cools is passed over, as the first and as the hedge."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", RateLimits(100.0)),
            cast.provider("b", Answers(after=5.0)),
            cast.provider("c", RateLimits(100.0)),
            cast.provider("d", Answers(after=0.5)),
        ]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            for name in "ac":
                with pytest.raises(RateLimitError):
                    await llm.provider(name).generate("hi")
            reply = await llm.generate("hi")
            assert (reply.provider, now()) == ("d", 1.5)
        assert started(world.log) == [(1.0, "d")]

    run(scenario)


def test_nobody_to_hedge_with_is_said() -> None:
    """Where all others are taken, the first member goes on alone."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Answers(after=3.0)),
            cast.provider("b", Stalls(), max_concurrency=1),
        ]
        async with (
            world.open(Config(default=Hedge(members, delay=1.0))) as llm,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(llm.provider("b").generate, "hi")
            await trio.sleep(0.5)
            assert (await llm.generate("hi")).provider == "a"
            nursery.cancel_scope.cancel()
        assert suppressed(world.log) == ["no_member"]

    run(scenario)


def test_when_all_are_busy_the_call_waits_in_line() -> None:
    """As in a fallback: in the line of the first, then of the next."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider(name, Answers(name, after=2.0), max_concurrency=1) for name in "ab"
        ]
        async with world.open(Config(default=Hedge(members, delay=5.0))) as llm:
            texts: list[str] = []

            async def ask() -> None:
                texts.append((await llm.generate("hi")).text)

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(ask)
            assert now() == 4.0
            assert sorted(texts) == ["a", "a", "b"]
            assert_idle(cast, llm)

    run(scenario)


def test_a_busy_member_is_asked_when_all_others_have_failed() -> None:
    """It was only passed over; its second chance comes when nobody else answered."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Answers("a", after=2.0), max_concurrency=1),
            cast.provider("b", Fails(after=0.5)),
        ]
        async with (
            world.open(Config(default=Hedge(members, delay=5.0))) as llm,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(llm.provider("a").generate, "hi")
            await trio.sleep(0.25)
            reply = await llm.generate("hi")
            assert (reply.provider, now()) == ("a", 4.0)

    run(scenario)


def test_an_error_in_line_that_nobody_could_mend_ends_the_call() -> None:
    """One that was waited for refuses the request itself, and that is the error."""

    async def scenario(world: World) -> None:
        cast = Cast()
        steps: list[Step] = [Answers(after=1.0), Fails(InvalidRequestError)]
        members = [
            cast.provider("a", steps, max_concurrency=1),
            cast.provider("b", Fails()),
        ]
        async with (
            world.open(Config(default=Hedge(members, delay=5.0))) as llm,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(llm.provider("a").generate, "hi")
            await trio.sleep(0.5)
            with pytest.raises(InvalidRequestError) as caught:
                await llm.generate("hi")
        cause = caught.value.__cause__
        assert isinstance(cause, AllProvidersFailed)
        assert [error.provider for error in cause.errors] == ["b"]

    run(scenario)


def test_one_that_can_take_nothing_refuses() -> None:
    """A hedge whose members all rest is an error without an attempt."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, RateLimits(50.0)) for name in "ab"]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            with pytest.raises(AllProvidersFailed):
                await llm.generate("hi")
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hi")
            assert {type(error) for error in caught.value.errors} == {ProviderUnavailableError}
            assert caught.value.attempts == ()

    run(scenario)


def test_a_hedge_starts_near_the_callers_deadline_and_nothing_waits_beyond_it() -> None:
    """While time is left the next member is asked; at the deadline all are gone."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Stalls()) for name in "ab"]
        async with world.open(Config(default=Hedge(members, delay=0.9))) as llm:
            with trio.move_on_after(2.0) as scope:
                await llm.generate("hi")
            assert scope.cancelled_caught
            assert now() == 2.0
            assert_idle(cast, llm)
        assert started(world.log) == [(0.9, "b")]

    run(scenario)


def test_without_a_hedge_the_deadline_is_divided_as_in_a_fallback() -> None:
    """While too little is known, one that stalls leaves the next one its share of the time."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Stalls()), cast.provider("b", Answers(after=0.5))]
        async with world.open(Config(default=Hedge(members))) as llm:
            with trio.fail_after(4.0):
                reply = await llm.generate("hi")
            assert (reply.provider, now()) == ("b", 2.5)
            assert [(a.provider, a.outcome) for a in reply.attempts] == [
                ("a", AttemptOutcome.CANCELLED),
                ("b", AttemptOutcome.SUCCEEDED),
            ]
            assert_idle(cast, llm)

    run(scenario)


def test_one_that_was_cut_off_is_in_the_errors() -> None:
    """Its share of the deadline is named when the others fail as well."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Stalls()), cast.provider("b", Fails(after=0.5))]
        async with world.open(Config(default=Hedge(members))) as llm:
            with trio.fail_after(4.0), pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hi")
        late, failed = caught.value.errors
        assert isinstance(late, ProviderTimeoutError)
        assert "its share of the caller's deadline" in late.message
        assert isinstance(failed, ServerError)

    run(scenario)
