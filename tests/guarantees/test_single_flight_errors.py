"""A shared call that fails is an error for each who shares it, in objects of its own.

One of the callers has the attempts and what they cost, so that sums over outcomes are right.
"""

from functools import partial

import pytest
import trio

from tests.guarantees.flight_scenes import Callers, assert_nothing_left, sharing
from tests.guarantees.scenes import Cast, field, kinds
from trio_llm import (
    AllProvidersFailed,
    CooldownSettings,
    Fallback,
    LLMError,
    PriceSettings,
    ProviderCrashedError,
    Race,
    Reply,
    ServerError,
)
from trio_llm.switchboard import Switchboard
from trio_llm.testing import (
    Answers,
    Crashes,
    Fails,
    World,
    explore,
    run,
    seeds,
)

PRICED = PriceSettings(1.0, 2.0)


def test_errors_arrive_whole_and_apart() -> None:
    """Every caller has the whole tree of causes, in objects of its own; one has the attempts."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        sturdy = CooldownSettings(after_failures=1000)
        members = (
            cast.provider("a", Fails(after=0.5), cooldown=sturdy),
            Race((cast.provider("b", Fails(after=1.0), cooldown=sturdy),), name="r"),
        )
        async with world.open(sharing(Fallback(members, name="f"))) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(4):
                    callers.begin(nursery, number, partial(llm.generate, "hello"))
            assert cast.started == 2
            assert_nothing_left(cast, llm)
        errors = callers.errors
        assert len(errors) == 4
        whole = [error for error in errors if isinstance(error, AllProvidersFailed)]
        assert len({str(error) for error in whole}) == 1
        parts = [id(part) for error in whole for part in (error, *error.errors)]
        assert len(set(parts)) == len(parts) == 4 * 3
        assert sorted(len(error.attempts) for error in errors) == [0, 0, 0, 2]
        numbers = [error.call_number or 0 for error in errors]
        assert sorted(numbers) == sorted(
            field(entry, "call") for entry in kinds(world.log, "RequestFinished")
        )
        assert {field(entry, "outcome") for entry in kinds(world.log, "RequestFinished")} == {
            "failed"
        }

    explore(scenario, seeds=seeds(1000, share=50))


@pytest.mark.parametrize("actor", [False, True])
def test_a_crash_of_the_provider_is_every_callers_error(actor: bool) -> None:
    """Each of them is told, and the next call is served."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        script = (Crashes(after=1.0, actor=actor), Answers("again"))
        async with world.open(sharing(cast.provider("a", script))) as llm:
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    callers.begin(nursery, number, partial(llm.generate, "hello"))
            assert [type(error) for error in callers.errors] == [ProviderCrashedError] * 3
            assert len({id(error) for error in callers.errors}) == 3
            await trio.sleep(30.0)
            assert (await llm.generate("hello")).text == "again"
            assert_nothing_left(cast, llm)

    explore(scenario, seeds=seeds(200, share=20))


def test_a_refusal_is_the_callers_own() -> None:
    """Who cannot even ask gets its error at once, and there is nothing to be shared."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        member = cast.provider("a", Answers(after=5.0), max_concurrency=1, mailbox=1)
        async with world.open(sharing(member)) as llm, trio.open_nursery() as nursery:
            for number, prompt in enumerate(("one", "two", "three", "three")):
                callers.begin(nursery, number, partial(llm.generate, prompt), after=number)
            await trio.sleep(4.0)
            assert [getattr(error, "code", None) for error in callers.errors] == [
                "mailbox_full"
            ] * 2
            callers.begin(nursery, 9, partial(llm.generate, "two"))
        assert callers.outcomes[9] is not None
        assert len(callers.replies) == 3

    run(scenario)


def test_a_fault_of_the_librarys_own_harms_only_those_who_share_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What should never happen is an error of the call, and the runtime goes on."""

    def broken(*_args: object) -> Reply:
        raise ZeroDivisionError("a bug")

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        async with world.open(sharing(cast.provider("a", Answers(after=1.0)))) as llm:
            with monkeypatch.context() as patch:
                patch.setattr(Switchboard, "replied", broken)
                async with trio.open_nursery() as nursery:
                    for number in range(2):
                        callers.begin(nursery, number, partial(llm.generate, "hello"))
            assert [type(error) for error in callers.errors] == [ProviderCrashedError] * 2
            assert isinstance(callers.errors[0].__cause__, ZeroDivisionError)
            assert (await llm.generate("hello")).text == "ok"
            assert_nothing_left(cast, llm)

    run(scenario)


def test_the_error_of_the_caller_that_is_closed_out_is_typed() -> None:
    """Sharing changes nothing for who asks a runtime that is closed."""

    async def scenario(world: World) -> None:
        async with world.open(sharing(Cast().provider("a", Answers()))) as llm:
            pass
        with pytest.raises(LLMError):
            await llm.generate("hello")
        with pytest.raises(LLMError):
            async with llm.stream("hello"):
                raise AssertionError("never entered")

    run(scenario)


def test_a_flight_under_an_error_that_could_be_mended_is_stale_for_each() -> None:
    """Those who shared a call that failed are each given what is kept, one with the cost."""

    async def scenario(world: World) -> None:
        cast, callers = Cast(), Callers()
        script = (Answers("once", after=1.0), Fails(ServerError, after=1.0))
        member = cast.provider("a", script, price=PRICED)
        config = sharing(member, mode="on", ttl=10.0, stale_if_error=60.0)
        async with world.open(config) as llm:
            await llm.generate("hello")
            await trio.sleep(20.0)
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    callers.begin(nursery, number, partial(llm.generate, "hello"))
            assert cast.started == 2
            assert [reply.text for reply in callers.replies] == ["once"] * 3
            assert {reply.degraded for reply in callers.replies} == {"stale"}
            assert sorted(len(reply.attempts) for reply in callers.replies) == [0, 0, 1]
            assert llm.cache.statistics().stale_hits == llm.statistics().degraded == 3

    run(scenario)
