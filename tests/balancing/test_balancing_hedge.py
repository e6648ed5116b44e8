"""A hedge asks the next member when the answer is late, within its budget."""

import math
from typing import Any

import pytest
import trio

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
    PriceSettings,
    ProviderTimeoutError,
    ProviderUnavailableError,
    Race,
    RateLimitError,
    Reply,
    ReplyStream,
    Runtime,
    ServerError,
    StreamInterruptedError,
    Switched,
    TextDelta,
)
from trio_llm.assembly import strategies
from trio_llm.balancing import HedgeStrategy
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Cuts, Entry, Fails, RateLimits, Stalls, Step, World, run


def _started(log: tuple[Entry, ...] | list[Entry]) -> list[tuple[float, str]]:
    """Give when which member was asked beside others."""
    return [(entry.time, field(entry, "member")) for entry in kinds(log, "HedgeStarted")]


def _suppressed(log: tuple[Entry, ...] | list[Entry]) -> list[str]:
    return [field(entry, "reason") for entry in kinds(log, "HedgeSuppressed")]


def _now() -> float:
    """Give the time without the steps of the clock that a barrier takes."""
    return round(trio.current_time(), 9)


async def _many(llm: Runtime, calls: int) -> list[Reply]:
    return [await llm.generate("hi") for _ in range(calls)]


async def _consume(stream: ReplyStream) -> None:
    async for _ in stream:
        pass


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
            assert _now() == 0.9
        assert cast.scripts["b"].started == 0
        assert not _started(world.log)
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
                    assert cast.running == cast.scripts["b"].running
                    assert "".join([text async for text in stream.text()]) == "from b"
                reply = stream.reply
            else:
                reply = await llm.generate("hi")
            assert _now() == 1.5
            assert_idle(cast, llm)
        assert reply.text == "from b"
        assert reply.metadata == {"hedge_provider": "b", "hedged": True, "hedge_delay_ms": 1000}
        assert [(a.provider, a.outcome) for a in reply.attempts] == [
            ("a", AttemptOutcome.CANCELLED),
            ("b", AttemptOutcome.SUCCEEDED),
        ]
        assert reply.attempts[0].reason == "'b' answered first"
        assert _started(world.log) == [(1.0, "b")]
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
            assert (reply.provider, _now()) == ("a", 1.25)
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
            replies = await _many(llm, 3)  # each of them earns a hedge
            assert [reply.provider for reply in replies] == ["a", "a", "d"]
            assert _now() == 1.75
            assert_idle(cast, llm)
        assert _started(world.log) == [(0.5, "b"), (1.0, "c"), (1.5, "d")]

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
                assert (reply.provider, _now()) == ("c", start + 1.5)
                assert reply.metadata["hedged"] is False
        assert not _started(world.log)
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
            assert (reply.provider, _now()) == ("c", 1.75)
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
            assert _now() == 5.5
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
            assert _now() == 1.5
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


def test_a_call_with_side_effects_is_never_hedged() -> None:
    """However late the first member is, it stays alone."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Answers(after=30.0)), cast.provider("b", Answers())]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            reply = await llm.generate("order it", side_effects=True)
            assert (reply.provider, _now()) == ("a", 30.0)
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
            with trio.move_on_after(0.5), pytest.raises(AllProvidersFailed):
                await llm.generate("order it", side_effects=True)  # a share is no reason either
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
                await _consume(stream)
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
                assert (reply.provider, _now()) == ("b", 6.0)

    run(scenario)


def test_by_percentile_nothing_is_hedged_until_enough_is_known() -> None:
    """With too few samples the next member is asked only when one fails."""

    async def scenario(world: World) -> None:
        cast = Cast()
        steps = [*[Answers(after=0.1)] * 9, Answers(after=5.0), Answers(after=5.0)]
        members = [cast.provider("a", steps), cast.provider("b", Answers(after=0.1))]
        tree = Hedge(members, percentile=0.9, minimum_samples=10)
        async with world.open(Config(default=tree)) as llm:
            replies = await _many(llm, 11)
        assert [reply.provider for reply in replies] == ["a"] * 10 + ["b"]
        assert [reply.metadata["hedge_delay_ms"] for reply in replies[:10]] == [None] * 10
        # The upper end of the bucket: not before 90 % really have answered, 10 % late at most.
        assert 100 < replies[10].metadata["hedge_delay_ms"] <= 110
        assert replies[10].latency == pytest.approx(0.2, abs=0.02)

    run(scenario)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    """After a long silence too little is known again."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", [*[Answers(after=0.1)] * 20, Answers(after=3.0)]),
            cast.provider("b", Answers()),
        ]
        tree = Hedge(members, minimum_samples=10, window=60.0)
        async with world.open(Config(default=tree)) as llm:
            await _many(llm, 20)
            await trio.sleep(90.0)
            (reply,) = await _many(llm, 1)
            assert reply.metadata == {
                "hedge_provider": "a",
                "hedged": False,
                "hedge_delay_ms": None,
            }

    run(scenario)


def test_streams_and_plain_calls_are_known_apart() -> None:
    """The first token of a stream says nothing of how long a whole answer takes."""

    async def scenario(world: World) -> None:
        cast = Cast()

        def script(work: Work) -> Step:
            return Answers(pieces=2, gap=4.0, after=0.1 if work.sink else 4.1)

        members = [cast.provider("a", script), cast.provider("b", Answers())]
        tree = Hedge(members, minimum_samples=10)
        async with world.open(Config(default=tree)) as llm:
            for _ in range(10):
                async with llm.stream("hi") as stream:
                    await _consume(stream)
            replies = await _many(llm, 11)
        assert {reply.provider for reply in replies} == {"a"}
        assert replies[0].metadata["hedge_delay_ms"] is None
        assert replies[10].metadata["hedge_delay_ms"] > 4000

    run(scenario)


def test_losers_do_not_pull_the_percentile_down() -> None:
    """Half of the calls are slow and lose to their hedges, and the delay stays where it was."""

    async def scenario(world: World) -> None:
        cast = Cast()
        steps = [Answers(after=0.1 * (1 + turn % 10)) for turn in range(600)]
        members = [cast.provider("a", steps), cast.provider("b", Answers(after=0.01))]
        tree = Hedge(members, percentile=0.5, max_extra_calls=1.0, minimum_samples=20, window=1e6)
        async with world.open(Config(default=tree)) as llm:
            replies = await _many(llm, 600)
        delays = [reply.metadata["hedge_delay_ms"] for reply in replies[100:]]
        assert 450 < min(delays) <= max(delays) < 610
        hedged = sum(reply.metadata["hedged"] for reply in replies) / len(replies)
        assert 0.4 < hedged < 0.6

    run(scenario)


def test_what_a_hedge_takes_says_nothing_of_the_member_alone() -> None:
    """Only its wins would be known, and those are the fast ones."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", [*[Answers(after=2.0)] * 60, Answers(after=4.0)]),
            cast.provider("b", [Answers(after=0.1), Answers(after=9.0)] * 100),
        ]
        tree = Hedge(members, percentile=0.5, minimum_samples=5, max_extra_calls=1.0)
        async with world.open(Config(default=tree)) as llm:
            replies = await _many(llm, 60)
            assert not any(reply.metadata["hedged"] for reply in replies)
            replies = await _many(llm, 60)
            assert sum(reply.provider == "b" for reply in replies) > 20
            assert (await llm.generate("hi", prefer="b")).metadata["hedge_delay_ms"] is None

    run(scenario)


def test_callers_that_give_up_early_do_not_pull_the_percentile_down() -> None:
    """What was cancelled before the percentile may have taken anything, and is left out."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Answers(after=1.0)), cast.provider("b", Answers())]
        tree = Hedge(members, minimum_samples=20, window=1e6)
        async with world.open(Config(default=tree)) as llm:
            await _many(llm, 20)
            for _ in range(100):
                with trio.move_on_after(0.01):
                    await llm.generate("hi")
            (reply,) = await _many(llm, 1)
            assert reply.provider == "a"
            assert reply.metadata["hedge_delay_ms"] > 1000

    run(scenario)


def test_a_member_of_which_nothing_is_known_is_taken_to_be_like_those_beside_it() -> None:
    """The third member follows the second after the delay of the first."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", [*[Answers(after=1.0)] * 20, Stalls()]),
            cast.provider("b", Stalls()),
            cast.provider("c", Answers()),
        ]
        tree = Hedge(members, minimum_samples=20, max_extra_calls=1.0)
        async with world.open(Config(default=tree)) as llm:
            await _many(llm, 20)
            start = trio.current_time()
            (reply,) = await _many(llm, 1)
        first, second = (time - start for time, _ in _started(world.log))
        assert reply.provider == "c"
        assert 1.0 < first < 1.11
        assert second == pytest.approx(2 * first)

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
            assert (reply.provider, _now()) == ("a", 3.0)
        assert _suppressed(world.log) == [reason]
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
            assert (reply.provider, _now()) == ("d", 1.5)
        assert _started(world.log) == [(1.0, "d")]

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
        assert _suppressed(world.log) == ["no_member"]

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
            assert _now() == 4.0
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
            assert (reply.provider, _now()) == ("a", 4.0)

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


def test_a_hedge_starts_near_the_callers_deadline_and_nothing_waits_beyond_it() -> None:
    """While time is left the next member is asked; at the deadline all are gone."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider(name, Stalls()) for name in "ab"]
        async with world.open(Config(default=Hedge(members, delay=0.9))) as llm:
            with trio.move_on_after(2.0) as scope:
                await llm.generate("hi")
            assert scope.cancelled_caught
            assert _now() == 2.0
            assert_idle(cast, llm)
        assert _started(world.log) == [(0.9, "b")]

    run(scenario)


def test_without_a_hedge_the_deadline_is_divided_as_in_a_fallback() -> None:
    """While too little is known, one that stalls leaves the next one its share of the time."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Stalls()), cast.provider("b", Answers(after=0.5))]
        async with world.open(Config(default=Hedge(members))) as llm:
            with trio.fail_after(4.0):
                reply = await llm.generate("hi")
            assert (reply.provider, _now()) == ("b", 2.5)
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
                assert (stream.provider, _now()) == ("b", 1.25)
                assert cast.scripts["a"].running == 0
                assert "".join([text async for text in stream.text()]) == "bbbb"
            assert _now() == 7.25
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
        assert _started(world.log) == [(1.0, "a")]

    run(scenario)


def test_the_attempts_of_a_call_cap_its_hedges() -> None:
    """A call that may make one attempt is not hedged, and not followed."""

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [cast.provider("a", Answers(after=2.0)), cast.provider("b", Answers())]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            assert (await llm.generate("hi", max_attempts=1)).provider == "a"
        assert _suppressed(world.log) == ["attempts_spent"]
        assert cast.scripts["b"].started == 0

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
        assert _suppressed(world.log) == ["calls"]
        assert cast.scripts["c"].started == 0

    for schedule in range(20):
        run(scenario, schedule=schedule)


def test_the_balancer_counts_its_hedges(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls, hedges, those of them that won, and calls that could not be hedged."""
    made: list[HedgeStrategy] = []

    def make(*settings: Any) -> HedgeStrategy:
        made.append(HedgeStrategy(*settings))
        return made[-1]

    monkeypatch.setattr(strategies, "HedgeStrategy", make)

    async def scenario(world: World) -> None:
        cast = Cast()
        members = [
            cast.provider("a", [Answers(), Answers(after=9.0), Answers(after=1.5)]),
            cast.provider("b", Answers(after=1.0)),
        ]
        async with world.open(Config(default=Hedge(members, delay=1.0))) as llm:
            for _ in range(3):
                await llm.generate("hi")
            await llm.generate("hi", side_effects=True)
        (strategy,) = made
        assert (strategy.calls, strategy.hedges, strategy.won) == (3, 1, 1)
        assert strategy.suppressed == 1

    run(scenario)


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
            assert _now() == 1.5
            assert_idle(cast, llm)

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
