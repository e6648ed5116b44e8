"""A hedge asks the next member when the answer is late, and lets the first one win."""

import math

import pytest
from trio.testing import wait_all_tasks_blocked

from tests.balancing.hedge_watch import many, now, started, suppressed
from tests.guarantees.scenes import Cast, assert_idle, field, kinds
from trio_llm import (
    AllProvidersFailed,
    AttemptOutcome,
    AuthenticationError,
    Config,
    ContentFilterError,
    Fallback,
    Hedge,
    InvalidRequestError,
    LoadBalance,
    Race,
    RateLimitError,
    ServerError,
    Switched,
    TextDelta,
)
from trio_llm.testing import Answers, Cuts, Fails, Stalls, World, run


def test_an_answer_in_time_asks_nobody_else() -> None:
    """Before the delay the first member has the call to itself."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Answers(after=0.9)), cast.provider("b", Answers())]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            reply = await llm.generate("hi")
            assert reply.metadata == {
                "hedge_provider": "a",
                "hedged": False,
                "hedge_delay_ms": 1000,
            }
            assert now() == 0.9
        assert cast.scripts["b"].started == 0
        assert not started(world.log)
        assert not kinds(world.log, "WinnerChosen")

    run(scenario)


@pytest.mark.parametrize("streaming", [False, True])
def test_a_late_answer_is_hedged_and_the_loser_is_gone(streaming: bool) -> None:
    """After the delay the next member is asked too; who answers first cancels the other."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Answers(after=5.0)),
            cast.provider("b", Answers("from b", after=0.5)),
            cast.provider("c", Answers()),
        ]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            if streaming:
                async with llm.stream("hi") as stream:
                    await wait_all_tasks_blocked()  # the loser leaves in this very instant
                    assert (now(), cast.running) == (1.5, cast.scripts["b"].running)
                    assert "".join([text async for text in stream.text()]) == "from b"
                reply = stream.reply
            else:
                reply = await llm.generate("hi")
            assert now() == 1.5
            assert_idle(cast, llm)
        assert reply.text == "from b"
        assert reply.metadata == {"hedge_provider": "b", "hedged": True, "hedge_delay_ms": 1000}
        assert [(a.provider, a.outcome) for a in reply.attempts] == [
            ("a", AttemptOutcome.CANCELLED),
            ("b", AttemptOutcome.SUCCEEDED),
        ]
        assert reply.attempts[0].reason == "'b' answered first"
        assert started(world.log) == [(1.0, "b")]
        assert [field(e, "after") for e in kinds(world.log, "HedgeStarted")] == [1.0]
        assert [field(e, "winner") for e in kinds(world.log, "WinnerChosen")] == ["b"]
        assert [field(e, "loser") for e in kinds(world.log, "LoserCancelled")] == ["a"]

    run(scenario)


def test_the_first_member_may_still_win() -> None:
    """Its hedge is then the loser, and cancelled."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Answers(after=1.25)),
            cast.provider("b", Answers(after=1.0)),
        ]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            reply = await llm.generate("hi")
            assert (reply.provider, now()) == ("a", 1.25)
            assert reply.metadata["hedged"] is True
            assert_idle(cast, llm)

    run(scenario)


def test_every_further_delay_asks_one_more() -> None:
    """Members start one delay apart for as long as nobody answers and the budget allows it."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", [Answers(), Answers(), Stalls()]),
            cast.provider("b", Stalls()),
            cast.provider("c", Stalls()),
            cast.provider("d", Answers(after=0.25)),
        ]
        tree = Hedge(members, delay=0.5, max_extra_calls=1.0)
        async with world.open(Config(default=tree)) as llm:
            replies = await many(llm, 3)  # each of them earns a hedge
            assert [reply.provider for reply in replies] == ["a", "a", "d"]
            assert now() == 1.75
            assert_idle(cast, llm)
        assert started(world.log) == [(0.5, "b"), (1.0, "c"), (1.5, "d")]

    run(scenario)


def test_a_failure_is_followed_at_once_and_costs_no_budget() -> None:
    """The next member takes over in the same instant, even where no hedge is allowed."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Fails(after=0.5)),
            cast.provider("b", Fails(after=0.5)),
            cast.provider("c", Answers(after=0.5)),
        ]
        tree = Hedge(members, delay=2.0, max_extra_calls=0.0)
        async with world.open(Config(default=tree)) as llm:
            for start in (0.0, 1.5, 3.0):
                reply = await llm.generate("hi")
                assert (reply.provider, now()) == ("c", start + 1.5)
                assert reply.metadata["hedged"] is False
        assert not started(world.log)
        assert [field(e, "failed") for e in kinds(world.log, "FellBack")] == ["a", "b"] * 3

    run(scenario)


def test_a_failure_beside_a_hedge_is_followed_too() -> None:
    """When one of two under way fails, the third joins the other."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Answers(after=10.0)),
            cast.provider("b", Fails(after=0.25)),
            cast.provider("c", Answers(after=0.5)),
        ]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            reply = await llm.generate("hi")
            assert (reply.provider, now()) == ("c", 1.75)
            assert_idle(cast, llm)

    run(scenario)


def test_all_errors_arrive_when_everybody_fails() -> None:
    """They come in the order in which the members were asked."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Fails(RateLimitError, after=3.0)),
            cast.provider("b", Fails(AuthenticationError, after=0.5)),
            cast.provider("c", Fails(ServerError, after=4.0)),
        ]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.generate("hi")
            assert now() == 5.5
            assert_idle(cast, llm)
        assert [type(error) for error in caught.value.errors] == [
            RateLimitError,
            AuthenticationError,
            ServerError,
        ]

    run(scenario)


def test_an_error_that_nobody_could_mend_ends_the_call() -> None:
    """Those under way are cancelled, and nobody else is asked."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Answers(after=10.0)),
            cast.provider("b", Fails(ContentFilterError, after=0.5)),
            cast.provider("c", Answers()),
        ]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            with pytest.raises(ContentFilterError) as caught:
                await llm.generate("hi")
            assert now() == 1.5
            assert_idle(cast, llm)
        assert cast.scripts["c"].started == 0
        assert [attempt.provider for attempt in caught.value.attempts] == ["a", "b"]

    run(scenario)


def test_earlier_errors_are_the_cause_of_the_one_that_ends_the_call() -> None:
    """A member failed, and the one after it refused the request itself."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Fails()), cast.provider("b", Fails(InvalidRequestError))]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            with pytest.raises(InvalidRequestError) as caught:
                await llm.generate("hi")
        cause = caught.value.__cause__
        assert isinstance(cause, AllProvidersFailed)
        assert [type(error) for error in cause.errors] == [ServerError]

    run(scenario)


def test_a_stream_is_decided_by_its_first_useful_event() -> None:
    """A hedge whose first token comes first wins, however long the rest takes."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", Answers("aaaa", after=1.5)),
            cast.provider("b", Answers("bbbb", after=0.25, pieces=4, gap=2.0)),
        ]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            async with llm.stream("hi") as stream:
                await wait_all_tasks_blocked()  # the loser leaves in this very instant
                assert (stream.provider, now()) == ("b", 1.25)
                assert cast.scripts["a"].running == 0
                assert "".join([text async for text in stream.text()]) == "bbbb"
            assert now() == 7.25
            assert_idle(cast, llm)

    run(scenario)


def test_another_member_goes_on_with_a_stream_that_breaks() -> None:
    """`on_interrupt` holds at a hedge; the one that lost may be asked again."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", [Stalls(), Answers("whole")]),
            cast.provider("b", Cuts(pieces=1, text="bb", after=0.5)),
        ]
        tree = Hedge(members, delay=1.0, on_interrupt="restart")
        async with world.open(Config(default=tree)) as llm:
            async with llm.stream("hi") as stream:
                seen = [event async for event in stream]
            assert [type(event) for event in seen[:3]] == [TextDelta, Switched, TextDelta]
            assert stream.reply.text == "whole"
            assert_idle(cast, llm)

    run(scenario)


def test_the_preferred_member_is_first() -> None:
    """`prefer` moves a member, and the others follow in declared order."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Answers(name, after=1.5)) for name in "abc"]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            assert (await llm.generate("hi", prefer="c")).provider == "c"
        assert started(world.log) == [(1.0, "a")]

    run(scenario)


def test_a_failure_behind_an_answer_is_not_followed() -> None:
    """While the rest of the answer's instant is awaited, nobody more is asked."""

    async def scenario(world: World) -> None:
        cast = Cast()
        timeout = math.nextafter(1.0, math.inf)
        race = Race([cast.provider("a", Stalls())], name="race", timeout=timeout)
        b, c = cast.provider("b", Answers(after=1.0)), cast.provider("c", Answers())
        tree = Hedge([race, b, c], delay=0.0, max_extra_calls=1.0)
        async with world.open(Config(default=tree)) as llm:
            assert (await llm.generate("hi")).provider == "b"
            assert_idle(cast, llm)
        assert suppressed(world.log) == ["calls"]
        assert cast.scripts["c"].started == 0

    for schedule in range(20):
        run(scenario, schedule=schedule)


@pytest.mark.parametrize("nest", [Race, Fallback, LoadBalance])
def test_a_hedge_is_a_member_like_any_other(
    nest: type[Race] | type[Fallback] | type[LoadBalance],
) -> None:
    """Above and below other balancers it does what it does alone."""

    async def scenario(world: World) -> None:
        cast = Cast()
        slow = LoadBalance([cast.provider("a", Answers(after=9.0))], name="slow")
        quick = Race([cast.provider(name, Answers(after=0.5)) for name in "bc"], name="quick")
        tree = nest([Hedge([slow, quick], delay=1.0, name="hedge")], name="outer")
        async with world.open(Config(default=tree)) as llm:
            reply = await llm.generate("hi")
            assert (reply.provider, reply.metadata["hedge_provider"]) == ("b", "quick")
            assert now() == 1.5
            assert_idle(cast, llm)

    run(scenario)
