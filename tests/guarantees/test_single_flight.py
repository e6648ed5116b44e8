"""Callers who ask the same at the same time share one call; each has its own outcome.

One upstream call is made for all of them, in no task of theirs, for as long as anybody
waits. Its cost is in one reply; errors are never one object for two callers.
"""

import contextvars
from functools import partial
from typing import Any

import trio

from tests.guarantees.flight_scenes import SHARED, Callers, assert_nothing_left, sharing
from tests.guarantees.scenes import Cast, field, kinds
from trio_llm import (
    Completion,
    Config,
    Consensus,
    Fallback,
    Message,
    PriceSettings,
    Provider,
    Race,
    Reply,
    Request,
)
from trio_llm.chat import NOTHING
from trio_llm.testing import (
    Answers,
    Stalls,
    World,
    explore,
    run,
    seeds,
)

PRICED = PriceSettings(1.0, 2.0)


def test_equal_callers_share_exactly_one_call() -> None:
    """However many there are and in whatever order they come: one attempt, one answer for all."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        count = world.rng.randint(2, 9)
        member = cast.provider("a", Answers("fine", after=2.0, passes=1), price=PRICED)
        async with world.open(sharing(member)) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(count):
                    after = world.rng.choice((0.0, 0.0, 0.5, 1.5))
                    callers.begin(nursery, number, partial(llm.generate, "hello"), after=after)
            assert_nothing_left(cast, llm)
            assert cast.started == 1
            assert len(callers.replies) == count
            assert {reply.text for reply in callers.replies} == {"fine"}
            paid = [reply for reply in callers.replies if reply.cached is None]
            assert len(paid) == 1
            assert paid[0].cost == llm.statistics().cost != NOTHING
            for reply in callers.replies:
                if reply.cached == "shared":
                    assert (reply.cost, reply.attempts) == (NOTHING, ())
                    assert 0.0 < reply.latency <= 2.0
            assert llm.cache.statistics().shared == count - 1
        started = kinds(world.log, "RequestStarted")
        finished = kinds(world.log, "RequestFinished")
        assert len(started) == len(finished) == count
        assert {field(entry, "outcome") for entry in finished} == {"succeeded"}
        assert len({field(entry, "call") for entry in finished}) == count
        joined = [field(entry, "waiters") for entry in kinds(world.log, "FlightJoined")]
        assert joined == list(range(2, count + 1))

    explore(scenario, seeds=seeds(1000, share=50))


def test_who_asks_something_else_or_in_another_way_shares_nothing() -> None:
    """The question, the user, the way to read it and the rules of the call must be the same."""

    async def scenario(world: World) -> None:
        cast = Cast()
        options: list[dict[str, Any]] = [
            {},
            {"temperature": 0.5},
            {"user": "one"},
            {"user": "two"},
            {"max_attempts": 1},
            {"on_interrupt": "restart"},
            {"prefer": "a"},
            {"cache": "write_only"},
        ]
        async with world.open(sharing(cast.provider("a", Answers(after=1.0)))) as llm:

            async def stream() -> None:
                async with llm.stream("hello") as reply:
                    async for _ in reply:
                        pass

            async with trio.open_nursery() as nursery:
                for each in options:
                    nursery.start_soon(partial(llm.generate, "hello", **each))
                nursery.start_soon(stream)
                nursery.start_soon(partial(llm.generate, "hello", tags={"a": "b"}))
                nursery.start_soon(partial(llm.generate, "hello", metadata={"a": "b"}))
            assert cast.started == len(options) + 1
            assert llm.cache.statistics().shared == 2

    run(scenario)


def test_what_has_side_effects_is_done_for_each() -> None:
    """Two callers who both mean something to happen make it happen twice, cache or not."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(sharing(cast.provider("a", Answers(after=1.0)), mode="on")) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    nursery.start_soon(partial(llm.generate, "send it", side_effects=True))
            await llm.generate("send it", side_effects=True)
            assert cast.started == 3
            assert llm.cache.statistics().stores == 0

    run(scenario)


def test_one_after_the_other_shares_nothing() -> None:
    """Without a cache, a call that has ended is over."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with world.open(sharing(cast.provider("a", Answers(after=1.0)))) as llm:
            first = await llm.generate("hello")
            second = await llm.generate("hello")
            assert (first.cached, second.cached, cast.started) == (None, None, 2)

    run(scenario)


def test_without_the_setting_nobody_shares() -> None:
    """It is off by default."""

    async def scenario(world: World) -> None:
        cast = Cast()
        async with (
            world.open(Config(default=cast.provider("a", Answers(after=1.0)))) as llm,
            trio.open_nursery() as nursery,
        ):
            for _ in range(3):
                nursery.start_soon(partial(llm.generate, "hello"))
        assert cast.started == 3

    run(scenario)


def test_the_votes_of_a_consensus_and_the_runners_of_a_race_are_calls_of_their_own() -> None:
    """Sharing is at the entry alone: below it, every member is asked."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        voters = tuple(cast.provider(name, Answers("yes", after=1.0)) for name in "abc")
        member = Race((Consensus(voters, name="v"), cast.provider("d", Stalls())), name="r")
        async with world.open(sharing(member)) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    callers.begin(nursery, number, partial(llm.generate, "hello"))
            assert [cast.scripts[name].started for name in "abcd"] == [1, 1, 1, 1]
            assert [reply.cached for reply in callers.replies].count("shared") == 2
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_an_endpoint_shares_with_the_runtime_when_it_is_the_same() -> None:
    """By its name or as the default, it is one; another provider is another."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        a, b = (cast.provider(name, Answers(name, after=1.0)) for name in "ab")
        async with world.open(sharing(Fallback((a, b), name="f"))) as llm:
            async with trio.open_nursery() as nursery:
                for number, ask in enumerate(
                    (llm.generate, llm.provider("f").generate, llm.provider("a").generate)
                ):
                    callers.begin(nursery, number, partial(ask, "hello"))
            assert cast.scripts["a"].started == 2
            assert callers.replies[2].cached is None

    run(scenario)


def test_the_call_has_the_context_of_the_first_caller() -> None:
    """Context variables are those of who asked first."""
    who = contextvars.ContextVar("who", default="nobody")
    seen: list[str] = []

    class Looking:
        async def generate(self, _request: Request) -> str:
            seen.append(who.get())
            await trio.sleep(1.0)
            return "fine"

    async def scenario(world: World) -> None:
        async with (
            world.open(sharing(Provider("custom", "a", cls=Looking()))) as llm,
            trio.open_nursery() as nursery,
        ):

            async def ask(name: str, after: float) -> None:
                await trio.sleep(after)
                who.set(name)
                await llm.generate("hello")

            nursery.start_soon(ask, "first", 0.0)
            nursery.start_soon(ask, "second", 0.5)
        assert seen == ["first"]

    run(scenario)


def test_what_was_shared_is_kept_once() -> None:
    """With a cache, the one answer of all callers is stored, and the next one is a hit."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        async with world.open(sharing(cast.provider("a", Answers(after=1.0)), mode="on")) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(5):
                    callers.begin(
                        nursery, number, partial(llm.generate, "hello"), after=0.25 * number
                    )
            counts = llm.cache.statistics()
            hits = [reply for reply in callers.replies if reply.cached == "hit"]
            assert (counts.stores, counts.shared + len(hits), cast.started) == (1, 4, 1)
            assert (await llm.generate("hello")).cached == "hit"

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_shared_reply_is_nobodys_stale_stand_in_twice() -> None:
    """The metadata of one caller's reply is not that of another's."""

    async def scenario(world: World) -> None:
        callers = Callers()
        member = Fallback((Cast().provider("a", Answers(after=1.0)),), name="f")
        async with world.open(sharing(member)) as llm, trio.open_nursery() as nursery:
            for number in range(3):
                callers.begin(nursery, number, partial(llm.generate, "hello"))
        metadata = [reply.metadata for reply in callers.replies]
        assert metadata[0] == metadata[1] == metadata[2] != {}
        assert len({id(each) for each in metadata}) == 3

    run(scenario)


def test_typed_answers_and_batches_share_too() -> None:
    """What is made of plain calls shares like plain calls."""

    class Sevens:
        asked = 0

        async def generate(self, _request: Request) -> Completion:
            self.asked += 1
            await trio.sleep(1.0)
            return Completion(Message("assistant", '{"value": 7}'))

    async def scenario(world: World) -> None:
        sevens = Sevens()
        async with world.open(sharing(Provider("custom", "a", cls=sevens))) as llm:
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(partial(llm.generate_as, int, "seven?"))
            assert sevens.asked == 1
            async with llm.batch(["x", "y", "x", "x"], ordered=True) as results:
                outcomes = [outcome async for _, outcome in results]
            assert sevens.asked == 3
            assert [o.cached if isinstance(o, Reply) else o for o in outcomes] == [
                None,
                None,
                "shared",
                "shared",
            ]

    run(scenario)


def test_settings_hold_for_those_who_come_after_a_reload() -> None:
    """Sharing is switched on and off while the runtime runs; flights under way go on."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        member = cast.provider("a", Answers(after=2.0))
        off = Config(default=member)
        on = Config(default=member, cache=SHARED)
        async with world.open(on) as llm, trio.open_nursery() as nursery:

            def ask(number: int) -> None:
                callers.begin(nursery, number, partial(llm.generate, "hello"))

            ask(0)
            ask(1)
            await trio.sleep(1.0)
            await llm.reload(off)
            ask(2)
            await trio.sleep(0.5)
            assert cast.running == 2
            await llm.reload(on)
            ask(3)
        assert cast.started == 2
        assert [reply.cached for reply in callers.replies].count("shared") == 2

    run(scenario)
