"""A stream ends in exactly one of three ways: finished, failed with the partial text, cancelled."""

from collections import Counter

import pytest
import trio

from tests.guarantees.scenes import Cast, assert_idle, by_attempt, field, kinds
from trio_llm import (
    Config,
    Fallback,
    Finished,
    LLMError,
    LoadBalance,
    Provider,
    ProviderCrashedError,
    Race,
    ReplyStream,
    StreamInterruptedError,
    TextDelta,
    Timeouts,
)
from trio_llm.config.schema import Member
from trio_llm.testing import Answers, Crashes, Cuts, Stalls, World, explore, run, seeds

TEXT = "every piece arrives once"


async def _read(world: World, default: Member, patience: float = float("inf")) -> tuple[str, str]:
    """Read one stream; give how it ended and what was shown."""
    shown: list[str] = []
    partial: list[str] = []
    ends: list[str] = []
    async with world.open(Config(default=default)) as llm:
        with trio.move_on_after(patience) as scope:
            try:
                async with llm.stream("hello") as stream:
                    async for event in stream:
                        assert not ends, "nothing comes after the end"
                        if isinstance(event, TextDelta):
                            shown.append(event.text)
                        if isinstance(event, Finished):
                            assert event.reply is stream.reply
                            assert event.reply.text == "".join(shown)
                            ends.append("finished")
                    with pytest.raises(StopAsyncIteration):
                        await anext(stream)
            except StreamInterruptedError as error:
                partial.append(error.partial_text)
                ends.append("interrupted")
            except LLMError:
                assert not shown
                ends.append("failed")
        if scope.cancelled_caught:
            ends.append("cancelled")
        await trio.sleep(1.0)
    (end,) = ends
    assert end != "interrupted" or partial == ["".join(shown)]
    (record,) = kinds(world.log, "RequestFinished")
    expected = {"finished": "succeeded", "cancelled": "cancelled"}.get(end, "failed")
    assert field(record, "outcome") == expected
    return end, "".join(shown)


def test_a_stream_ends_in_exactly_one_way() -> None:
    """Random streams under random balancers end once, and show a prefix of one answer."""
    steps = (
        Answers(TEXT, after=0.5, pieces=8, gap=0.25),
        Answers(TEXT, after=0.5, pieces=200),
        Cuts(3, TEXT, after=0.25, gap=0.25),
        Stalls(2, TEXT, after=0.5),
        Crashes(after=0.5),
        Crashes(after=0.75, actor=True),
        Stalls(),
    )

    async def scenario(world: World) -> str:
        rng, cast = world.rng, Cast()

        def leaf(name: str) -> Provider:
            limits = Timeouts(first_token=2.0, idle=1.5, total=3.0)
            return cast.provider(name, by_attempt(world.seed, name, steps), timeouts=limits)

        kind = rng.choice((Race, Fallback, LoadBalance))
        default = rng.choice((leaf("a"), kind((leaf("b"), Race((leaf("c"), leaf("d")), name="r")))))
        patience = rng.choice((0.25, 0.75, 1.5, float("inf"), float("inf")))
        end, shown = await _read(world, default, patience)
        assert TEXT.startswith(shown)
        assert (shown == TEXT) or end != "finished"
        assert cast.running == 0
        return end

    ends = Counter(outcome.value for outcome in explore(scenario, seeds=seeds(1000, share=20)))
    assert set(ends) == {"finished", "interrupted", "failed", "cancelled"}


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        (Cuts(2, "abcd", after=0.5, gap=0.25), None),
        (Stalls(2, "abcd", after=0.5), "idle"),
    ],
)
def test_a_broken_stream_says_what_had_arrived(step: Cuts | Stalls, phase: str | None) -> None:
    """A stream that breaks raises StreamInterruptedError with the text so far."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", step, timeouts=Timeouts(idle=2.0))
        async with world.open(Config(default=provider)) as llm:
            shown: list[str] = []
            async with llm.stream("hello") as stream:
                with pytest.raises(StreamInterruptedError) as caught:
                    await _show(stream, shown)
                with pytest.raises(RuntimeError, match="has not finished"):
                    _ = stream.reply
            assert caught.value.partial_text == "".join(shown)
            assert "abcd".startswith(caught.value.partial_text)
            assert shown
            assert phase is None or caught.value.phase == phase
            assert caught.value.provider == "a"
            assert caught.value.attempts[0].error is not None

    explore(scenario, seeds=seeds(1000, share=50))


async def _show(stream: ReplyStream, shown: list[str]) -> None:
    async for piece in stream.text():
        shown.append(piece)  # noqa: PERF401 - what came before an error counts


def test_a_crash_of_the_actor_interrupts_its_streams() -> None:
    """When an actor crashes, each of its running streams fails with its own partial text."""

    async def scenario(world: World) -> None:
        script = (Stalls(1, "one"), Stalls(1, "two"), Crashes(after=2.0, actor=True))
        cast = Cast()
        async with world.open(Config(default=cast.provider("a", script))) as llm:
            texts: list[str] = []

            async def reader() -> None:
                try:
                    async with llm.stream("hello") as stream:
                        async for _event in stream:
                            pass
                except StreamInterruptedError as error:
                    texts.append(error.partial_text)
                except ProviderCrashedError:
                    texts.append("crashed")

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(reader)
            assert sorted(texts) == ["crashed", "one", "two"]
            await trio.sleep(1.0)
            assert_idle(cast, llm)

    explore(scenario, seeds=seeds(1000, share=50))


def test_leaving_early_cancels_the_call_at_once() -> None:
    """A caller that leaves the block after the first piece ends the provider's job there."""

    async def scenario(world: World) -> None:
        cast = Cast()
        race = Race((cast.provider("a", Answers(TEXT, 0.5, 8, 1.0)), cast.provider("b", Stalls())))
        async with world.open(Config(default=Fallback((race,)))) as llm:
            async with llm.stream("hello") as stream:
                await anext(stream)
            assert trio.current_time() < 0.6
            assert_idle(cast, llm)
        (record,) = kinds(world.log, "RequestFinished")
        assert field(record, "outcome") == "cancelled"

    explore(scenario, seeds=seeds(1000, share=50))


def test_an_error_before_the_commit_is_raised_at_the_entrance() -> None:
    """A provider that fails before anything useful came never gives a stream."""

    async def scenario(world: World) -> None:
        provider = Cast().provider("a", Crashes())
        async with world.open(Config(default=provider)) as llm:
            with pytest.raises(ProviderCrashedError):
                async with llm.stream("hello"):
                    raise AssertionError("not entered")

    run(scenario)


def test_a_stream_that_was_left_has_one_outcome() -> None:
    """Reading on after the block says that it was left, and records nothing more."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Cast().provider("a", Stalls(1)))) as llm:
            async with llm.stream("hello") as stream:
                await anext(stream)
            with pytest.raises(StreamInterruptedError):
                await anext(stream)
        (finished,) = kinds(world.log, "RequestFinished")
        assert field(finished, "outcome") == "cancelled"

    explore(scenario, seeds=seeds(1000, share=50))


def test_a_stream_has_one_reader_at_a_time() -> None:
    """A second task that reads is told so at once; it does not wait for ever."""

    async def scenario(world: World) -> tuple[list[str], int]:
        cast = Cast()
        told: list[str] = []
        default = cast.provider("a", Answers(TEXT, pieces=4, gap=1.0))
        async with world.open(Config(default=default)) as llm, llm.stream("hello") as stream:

            async def read() -> None:
                try:
                    told.append("".join([piece async for piece in stream.text()]))
                except trio.BusyResourceError:
                    told.append("busy")

            with trio.move_on_after(1.5) as scope:
                await anext(stream)
                await anext(stream)
                await anext(stream)
            assert scope.cancelled_caught, "a reader that left makes room for the next"
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                nursery.start_soon(read)
        return sorted(told), len(stream.reply.text)

    for outcome in explore(scenario, seeds=seeds(100)):
        told, length = outcome.value
        assert told[-1] == "busy"
        assert length == len(TEXT)
