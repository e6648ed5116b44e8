"""How a hedge learns how late is too late."""

import pytest
import trio

from tests.balancing.hedge_watch import consume, many, started
from tests.guarantees.scenes import Cast
from trio_llm import (
    Config,
    Hedge,
)
from trio_llm.providers.backend import Work
from trio_llm.testing import Answers, Stalls, Step, World, run


def test_by_percentile_nothing_is_hedged_until_enough_is_known() -> None:
    """With too few samples the next member is asked only when one fails."""

    async def scenario(world: World) -> None:
        cast = Cast()
        steps = [*[Answers(after=0.1)] * 9, Answers(after=5.0), Answers(after=5.0)]
        members = [cast.provider("a", steps), cast.provider("b", Answers(after=0.1))]
        tree = Hedge(members, percentile=0.9, minimum_samples=10)
        async with world.open(Config(default=tree)) as llm:
            replies = await many(llm, 11)
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
            await many(llm, 20)
            await trio.sleep(90.0)
            (reply,) = await many(llm, 1)
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
                    await consume(stream)
            replies = await many(llm, 11)
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
            replies = await many(llm, 600)
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
            replies = await many(llm, 60)
            assert not any(reply.metadata["hedged"] for reply in replies)
            replies = await many(llm, 60)
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
            await many(llm, 20)
            for _ in range(300):
                with trio.move_on_after(0.01):
                    await llm.generate("hi")
            (reply,) = await many(llm, 1)
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
            await many(llm, 20)
            start = trio.current_time()
            (reply,) = await many(llm, 1)
        first, second = (time - start for time, _ in started(world.log))
        assert reply.provider == "c"
        assert 1.0 < first < 1.11
        assert second == pytest.approx(2 * first)

    run(scenario)


def test_statistics_count_the_hedges() -> None:
    """Those that started, those of them that won, and calls that could not be hedged."""

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
            counts = llm.statistics().calls
        assert (counts.requests, counts.hedges, counts.hedges_won) == (4, 1, 1)
        assert counts.hedges_suppressed == 1

    run(scenario)
