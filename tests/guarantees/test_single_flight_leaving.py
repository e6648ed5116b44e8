"""Each caller of a shared call may leave at any step; the last one to leave ends the call.

The call goes on for those who stay, also when the first caller has left. Once the last one
has its outcome, nothing of the call runs any more.
"""

import math
import random
from functools import partial

import attrs
import pytest
import trio

from tests.guarantees.flight_scenes import Callers, CancelBefore, assert_nothing_left, sharing
from tests.guarantees.scenes import Cast, field, kinds, steps_later
from trio_llm import (
    Fallback,
    LLMError,
    LoadBalance,
    PriceSettings,
    Race,
    Runtime,
)
from trio_llm.chat import NOTHING
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Clings, Fails, Stalls, World, explore, run, seeds

CALLERS = 3


def _tree(cast: Cast, shape: int) -> Member:
    """Give one of some trees that answer after one second."""
    answers = cast.provider("a", Answers("fine", after=1.0, pieces=3, passes=1))
    if shape == 0:
        return answers
    if shape == 1:
        return Race((answers, cast.provider("b", Stalls())), name="r")
    return Fallback((cast.provider("b", Fails(after=0.5)), answers), name="f")


async def _call(llm: Runtime, *, streaming: bool) -> str:
    if not streaming:
        return (await llm.generate("hello")).text
    async with llm.stream("hello") as stream:
        return "".join([piece async for piece in stream.text()])


@attrs.define
class _Leaver:
    """A caller that is cancelled before a step of all that happens."""

    outcome: str | None = None
    cancelled: bool = False

    async def ask(self, llm: Runtime, scope: trio.CancelScope, *, streaming: bool) -> None:
        with scope:
            try:
                self.outcome = await _call(llm, streaming=streaming)
            except LLMError as error:
                self.outcome = type(error).__name__
        self.cancelled = scope.cancelled_caught


def _one_leaves_at(step: int, seed: int, shape: int, *, streaming: bool) -> int:
    """Let one of the callers be cancelled before a step; give how many steps there were."""
    cast = Cast()
    leaving = seed % CALLERS

    async def scenario(world: World) -> int:
        async with world.open(sharing(_tree(cast, shape))) as llm:
            scopes = [trio.CancelScope() for _ in range(CALLERS)]
            callers = [_Leaver() for _ in range(CALLERS)]
            instrument = CancelBefore(scopes[leaving], step)
            trio.lowlevel.add_instrument(instrument)
            async with trio.open_nursery() as nursery:
                for caller, scope in zip(callers, scopes, strict=True):
                    nursery.start_soon(partial(caller.ask, llm, scope, streaming=streaming))
            trio.lowlevel.remove_instrument(instrument)
            for number, caller in enumerate(callers):
                assert caller.cancelled == (caller.outcome is None)
                assert number == leaving or caller.outcome == "fine"
            assert cast.scripts["a"].started == 1
            assert_nothing_left(cast, llm)
            assert llm.statistics().overruns == 0
            assert await _call(llm, streaming=streaming) == "fine"
        started = [field(entry, "call") for entry in kinds(world.log, "RequestStarted")]
        finished = [field(entry, "call") for entry in kinds(world.log, "RequestFinished")]
        assert sorted(started) == sorted(finished)
        return instrument.steps

    return run(scenario, schedule=seed).value


def test_the_call_goes_on_for_the_others_whoever_leaves_at_whatever_step() -> None:
    """One of three callers is cancelled before each step; the others get the one answer."""
    steps = 0
    for seed in seeds(200, share=20):
        rng = random.Random(seed)
        shape, streaming = rng.randrange(3), rng.random() < 0.5
        whole = _one_leaves_at(-1, seed, shape, streaming=streaming)
        for step in range(rng.randrange(3), whole, 3):
            _one_leaves_at(step, seed, shape, streaming=streaming)
            steps += 1
    assert steps > 50


def _all_leave_at(step: int, seed: int, shape: int, *, streaming: bool) -> int:
    """Let all callers be cancelled before a step; give how many steps there were."""
    cast = Cast()

    async def scenario(world: World) -> int:
        async with world.open(sharing(_tree(cast, shape), mode="on")) as llm:
            scope = trio.CancelScope()
            instrument = CancelBefore(scope, step)
            trio.lowlevel.add_instrument(instrument)
            with scope:
                async with trio.open_nursery() as nursery:
                    for _ in range(CALLERS):
                        nursery.start_soon(partial(_call, llm, streaming=streaming))
            trio.lowlevel.remove_instrument(instrument)
            if scope.cancelled_caught:
                assert trio.current_time() <= steps_later(instrument.cancelled_at)
            assert cast.scripts["a"].started <= 1
            assert_nothing_left(cast, llm)
            assert llm.statistics().overruns == 0
            assert await _call(llm, streaming=streaming) == "fine"
            return instrument.steps

    return run(scenario, schedule=seed).value


def test_the_last_to_leave_ends_the_call_at_whatever_step() -> None:
    """All are cancelled before each step: the call ends at once, and nothing is left."""
    steps = 0
    for seed in seeds(200, share=20):
        rng = random.Random(seed)
        shape, streaming = rng.randrange(3), rng.random() < 0.5
        whole = _all_leave_at(-1, seed, shape, streaming=streaming)
        for step in range(rng.randrange(3), whole, 3):
            _all_leave_at(step, seed, shape, streaming=streaming)
            steps += 1
    assert steps > 50


def test_the_last_to_leave_cancels_the_upstream_in_the_same_instant() -> None:
    """Those who leave before it return at once; the last stays until the call is gone."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        patience = [world.rng.choice((1.0, 2.0, 3.0)) for _ in range(4)]
        inner = Race((cast.provider("a", Stalls()), cast.provider("b", Stalls())), name="r")
        async with world.open(sharing(LoadBalance((inner,), name="l"))) as llm:
            async with trio.open_nursery() as nursery:
                for number, each in enumerate(patience):
                    call = partial(llm.generate, "hello")
                    callers.begin(nursery, number, call, patience=each)
                await trio.sleep(max(patience) - 0.25)
                assert cast.running == 2
            assert [callers.ended[number] for number in range(4)] == patience
            assert_nothing_left(cast, llm)
        gone = [entry.time for entry in kinds(world.log, "AttemptCancelled")]
        assert gone == [max(patience)] * 2

    explore(scenario, seeds=seeds(1000, share=50))


def test_the_call_has_the_latest_of_the_deadlines() -> None:
    """The first caller runs out of time; who joined it is answered, and pays."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        member = cast.provider("a", Answers(after=2.0), price=PriceSettings(1.0, 1.0))
        async with world.open(sharing(member)) as llm:
            call = partial(llm.generate, "hello")
            async with trio.open_nursery() as nursery:
                callers.begin(nursery, 0, call, patience=1.0)
                callers.begin(nursery, 1, call, after=0.5, patience=3.0)
                callers.begin(nursery, 2, call, after=0.75)
            assert callers.outcomes[0] is None
            heir, other = callers.replies
            assert (heir.cached, len(heir.attempts), heir.latency) == (None, 1, 1.5)
            assert heir.cost == llm.statistics().cost != NOTHING
            assert (other.cached, other.cost, other.latency) == ("shared", NOTHING, 1.25)
            assert cast.started == 1
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(200, share=20))


@pytest.mark.parametrize("joined", [False, True])
def test_what_is_planned_after_somebody_has_joined_is_planned_for_the_latest(joined: bool) -> None:
    """The members of a fallback share the time of the most patient caller."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        members = (
            cast.provider("a", Fails(after=0.5)),
            cast.provider("b", Stalls()),
            cast.provider("c", Answers()),
        )
        async with world.open(sharing(Fallback(members, name="f"))) as llm:
            async with trio.open_nursery() as nursery:
                call = partial(llm.generate, "hello")
                callers.begin(nursery, 0, call, patience=4.0)
                if joined:
                    callers.begin(nursery, 1, call, after=0.25, patience=12.0)
            assert (callers.outcomes[0] is None) == joined
            assert [reply.provider for reply in callers.replies] == ["c"]
            if joined:
                assert callers.ended[1] > 4.0
            else:
                assert callers.ended[0] < 4.0

    run(scenario)


def test_who_extends_its_own_deadline_while_it_waits_is_served() -> None:
    """The deadline of a call is planned by, and never ends it."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with (
            world.open(sharing(cast.provider("a", Answers("late", after=3.0)))) as llm,
            trio.open_nursery() as nursery,
        ):
            with trio.move_on_after(1.0) as scope:

                async def extend() -> None:
                    await trio.sleep(0.5)
                    scope.deadline = math.inf

                nursery.start_soon(extend)
                assert (await llm.generate("hello")).text == "late"

    run(scenario)


def test_a_deadline_beats_a_completion_in_the_same_instant() -> None:
    """Whose time is up when the answer comes has run out of time; the others have it."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        async with world.open(sharing(cast.provider("a", Answers(after=2.0, passes=2)))) as llm:
            async with trio.open_nursery() as nursery:
                call = partial(llm.generate, "hello")
                callers.begin(nursery, 0, call, patience=2.0)
                callers.begin(nursery, 1, call)
                callers.begin(nursery, 2, call, after=1.0, patience=1.0)
            assert callers.outcomes[0] is callers.outcomes[2] is None
            assert len(callers.replies) == 1
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_reply_that_is_decided_is_not_lost_to_a_deadline_during_the_clean_up() -> None:
    """A loser of the race clings; a caller whose time runs out meanwhile gets the reply."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        members = (cast.provider("a", Answers(after=1.0)), cast.provider("b", Clings(1.5)))
        async with world.open(sharing(Race(members, name="r"))) as llm:
            async with trio.open_nursery() as nursery:
                call = partial(llm.generate, "hello")
                callers.begin(nursery, 0, call, patience=1.25)
                callers.begin(nursery, 1, call)
            assert [reply.provider for reply in callers.replies] == ["a", "a"]
            assert callers.ended == {0: 1.5, 1: 1.5}

    explore(scenario, seeds=seeds(200, share=20))


def test_the_wait_for_code_that_clings_is_bounded_and_counted_once() -> None:
    """The last to leave waits for the close deadline, and an event names who overran."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        config = sharing(Fallback((cast.provider("a", Clings(50.0)),), name="f"))
        async with world.open(attrs.evolve(config, close_deadline=2.0)) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    call = partial(llm.generate, "hello")
                    callers.begin(nursery, number, call, patience=1.0 + number)
            assert callers.ended[0] == 1.0
            assert callers.ended[1] == 2.0
            assert 5.0 <= callers.ended[2] <= steps_later(5.0)
            assert llm.statistics().overruns == 1
            assert [entry.actor for entry in kinds(world.log, "CleanupOverran")] == ["f/a"]
            await trio.sleep(60.0)
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_nobody_joins_a_call_that_everyone_has_left() -> None:
    """While its end is awaited, who asks the same asks anew."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        script = (Clings(4.0), Answers("new"))
        config = attrs.evolve(sharing(cast.provider("a", script)), close_deadline=9.0)
        async with world.open(config) as llm:
            async with trio.open_nursery() as nursery:
                call = partial(llm.generate, "hello")
                callers.begin(nursery, 0, call, patience=1.0)
                callers.begin(nursery, 1, call, after=2.0)
            assert [reply.text for reply in callers.replies] == ["new"]
            assert callers.ended == {0: 4.0, 1: 2.0}
            assert cast.started == 2

    run(scenario)
