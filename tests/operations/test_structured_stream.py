"""Answers of a given type, part by part."""

import copy
from itertools import pairwise
from typing import Any

import attrs
import pytest
import trio

from tests.operations.tool_scenes import scripted
from trio_llm import PartialStream, StreamInterruptedError, StructuredOutputError
from trio_llm.testing import Answers, Cuts, Stalls, World, run
from trio_llm.testing.script import Script


@attrs.frozen
class Verse:
    title: str
    lines: list[str]
    syllables: int


TEXT = '{"title": "Sea", "lines": ["a wave", "a gull"], "syllables": 17}'
VERSE = Verse("Sea", ["a wave", "a gull"], 17)


async def _collect(stream: PartialStream[Verse], parts: list[Any]) -> None:
    async for part in stream:
        parts.append(copy.deepcopy(part))  # noqa: PERF401 - kept when the stream breaks


def _parts(script: Script, cls: Any = Verse) -> tuple[list[Any], Any]:
    """Take a whole stream; give copies of its parts, and its value."""
    _, config = scripted(script)

    async def scenario(world: World) -> tuple[list[Any], Any]:
        async with world.open(config) as llm, llm.stream_as(cls, "Go.") as stream:
            parts = [copy.deepcopy(part) async for part in stream]
            assert stream.provider == stream.reply.provider == "model"
            return parts, stream.value

    return run(scenario).value


def test_parts_grow_into_the_value() -> None:
    """Each part is what has arrived; in the end there is the checked object."""
    parts, value = _parts(Answers(TEXT, pieces=len(TEXT)))
    assert value == VERSE
    assert parts[0] == {}
    assert {"title": "Se"} in parts
    assert {"title": "Sea", "lines": ["a wave", "a g"]} in parts
    assert parts[-1] == {"title": "Sea", "lines": ["a wave", "a gull"], "syllables": 17}
    assert all(one != other for one, other in pairwise(parts))


def test_parts_come_as_they_are_written() -> None:
    """The first is there long before the last."""
    _, config = scripted(Answers(TEXT, after=1.0, pieces=4, gap=1.0))

    async def scenario(world: World) -> list[float]:
        async with world.open(config) as llm, llm.stream_as(Verse, "Go.") as stream:
            return [trio.current_time() async for _ in stream]

    assert run(scenario).value == [1.0, 2.0, 3.0, 4.0]


def test_a_value_that_is_no_object_is_taken_out_of_its_wrapping() -> None:
    """The parts of a list are lists."""
    parts, value = _parts(Answers('{"value": ["a", "b"]}', pieces=30), list[str])
    assert value == ["a", "b"]
    assert parts[:3] == [[], [""], ["a"]]


def test_words_around_the_answer_do_no_harm() -> None:
    """A fence or a sentence is skipped."""
    parts, value = _parts(Answers(f"Well {{now}}:\n```json\n{TEXT}\n```\nBye.", pieces=40))
    assert value == VERSE
    assert parts[-1]["syllables"] == 17


def test_an_answer_that_does_not_fit_is_an_error_at_the_end() -> None:
    """The parts have been seen, so there is no repair; the reply is still at hand."""
    model, config = scripted(Answers('{"title": 1}', pieces=3))

    async def scenario(world: World) -> None:
        async with world.open(config) as llm, llm.stream_as(Verse, "Go.") as stream:
            with pytest.raises(StructuredOutputError) as caught:
                await _collect(stream, [])
            assert "answer.title: expected a string, not a number" in caught.value.faults
            assert stream.reply.text == '{"title": 1}'
            with pytest.raises(RuntimeError, match="there is no value yet"):
                _ = stream.value

    run(scenario)
    assert model.started == 1


def test_a_broken_stream_keeps_its_own_error() -> None:
    """The parts that came stay valid, and the partial text is in the error."""
    _, config = scripted(Cuts(pieces=2, text=TEXT))

    async def scenario(world: World) -> list[Any]:
        parts: list[Any] = []
        async with world.open(config) as llm, llm.stream_as(Verse, "Go.") as stream:
            with pytest.raises(StreamInterruptedError) as caught:
                await _collect(stream, parts)
            assert caught.value.partial_text
        return parts

    assert run(scenario).value[-1]["title"] == "Sea"


def test_leaving_early_ends_the_call() -> None:
    """Nothing runs after the block."""
    model, config = scripted(Stalls(pieces=2, text=TEXT))

    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            async with llm.stream_as(Verse, "Go.") as stream:
                async for _ in stream:
                    break
                with pytest.raises(RuntimeError, match="has not finished"):
                    _ = stream.reply
            assert model.running == 0

    run(scenario)
