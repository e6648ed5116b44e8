"""Answers of a given type: checked, repaired once, and refused with their faults."""

import dataclasses
import json
import pickle
from typing import Any, TypedDict

import attrs
import pytest

from tests.operations.tool_scenes import Calls, Ends, scripted
from trio_llm import (
    Config,
    InvalidRequestError,
    Message,
    OutputSchema,
    Provider,
    Reasoning,
    Reply,
    Request,
    ServerError,
    Simulation,
    StructuredOutputError,
    Text,
)
from trio_llm.operations.json_text import json_in
from trio_llm.testing import Answers, Fails, World, run
from trio_llm.testing.script import Script


@attrs.frozen
class Item:
    name: str
    price: float


@attrs.frozen
class Bill:
    """What is to be paid."""

    items: list[Item]
    paid: bool = False


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Person(TypedDict):
    name: str


GOOD = '{"items": [{"name": "pen", "price": 2}]}'
BILL = Bill([Item("pen", 2.0)])
BAD = '{"items": [{"name": "pen", "price": "two"}, {"price": 1}]}'
FAULTS = (
    "answer.items[0].price: expected a number, not a string",
    "answer.items[1].name: is missing",
)


def _asked(
    script: Script, cls: Any, prompt: Any = "Go.", **options: Any
) -> tuple[Any, list[Request]]:
    """Ask once for a value; give it, and what the model was asked each time."""
    model, config = scripted(script)

    async def scenario(world: World) -> Any:
        async with world.open(config) as llm:
            return await llm.generate_as(cls, prompt, **options)

    return run(scenario).value, [work.conversation for work in model.asked]


def test_an_answer_becomes_an_object() -> None:
    """The schema of the class goes along, and the options of a call."""
    bill, asked = _asked(Answers(GOOD), Bill, temperature=0.0)
    assert bill == BILL
    assert asked[0].output == OutputSchema.of(Bill)
    assert (asked[0].temperature, len(asked)) == (0.0, 1)


@pytest.mark.parametrize(
    ("cls", "text", "value"),
    [
        (list[Item], '{"value": [{"name": "a", "price": 1}]}', [Item("a", 1.0)]),
        (list[Item], '[{"name": "a", "price": 1}]', [Item("a", 1.0)]),
        (int, '{"value": 3}', 3),
        (int, "3", 3),
        (dict[str, int], '{"value": 1, "b": 2}', {"value": 1, "b": 2}),
        (Point, '{"x": 1, "y": 2}', Point(1, 2)),
        (Person, '{"name": "Ada"}', {"name": "Ada"}),
        (Bill, f"```json\n{GOOD}\n```", BILL),
        (Bill, f"Here you are:\n\n```\n{GOOD}\n```\nAnything else?", BILL),
        (Bill, f"For {{the bill}} I found {GOOD} in total.", BILL),
        (Bill, f'The schema was {{"type": "object"}}; so {GOOD}', BILL),
        (Person, '{"name": "two\nlines"}', {"name": "two\nlines"}),
    ],
)
def test_the_answer_is_found_in_what_a_model_writes(cls: Any, text: str, value: Any) -> None:
    """Alone, in a code fence or among words; a value that is no object may be wrapped or not."""
    assert _asked(Answers(text), cls)[0] == value


def test_an_answer_that_does_not_fit_is_repaired_once() -> None:
    """The model is shown its answer and the path of each fault."""
    replies: list[Reply] = []
    bill, asked = _asked([Answers(BAD), Answers(GOOD)], Bill, on_reply=replies.append)
    assert bill == BILL
    assert [reply.text for reply in replies] == [BAD, GOOD]
    prompt, said, complaint = asked[1].messages
    assert (prompt.text, said) == ("Go.", Message("assistant", BAD))
    assert all(f"- {fault}\n" in complaint.text for fault in FAULTS)
    assert asked[1].output == asked[0].output


def test_a_second_failure_is_an_error_with_the_faults() -> None:
    """There is exactly one repair; the error carries everything, also through pickle."""
    model, config = scripted(Answers(BAD))

    async def scenario(world: World) -> StructuredOutputError:
        async with world.open(config) as llm:
            with pytest.raises(StructuredOutputError) as caught:
                await llm.generate_as(Bill, "Go.")
            return caught.value

    error = run(scenario).value
    assert model.started == 2
    assert (error.reason, error.faults, error.text) == ("invalid", FAULTS, BAD)
    assert error.reply.text == BAD
    assert len(error.attempts) == 2
    assert str(error) == "the answer is no Bill\n  - " + "\n  - ".join(FAULTS)
    again: StructuredOutputError = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert (again.faults, again.reply, str(again)) == (FAULTS, error.reply, str(error))


@pytest.mark.parametrize(
    ("step", "reason", "said"),
    [
        (Ends(GOOD[:-5], "length"), "truncated", "cut at the limit on output tokens"),
        (Ends(GOOD[:-5], "content_filter"), "filtered", "filter cut the answer"),
        (Calls([("look", "{}")]), "tool_calls", "called a tool in place of answering"),
    ],
)
def test_an_answer_that_was_cut_is_not_repaired(step: Any, reason: str, said: str) -> None:
    """Asking again would end the same way; the error says what to do."""
    model, config = scripted(step)

    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            with pytest.raises(StructuredOutputError, match=said) as caught:
                await llm.generate_as(Bill, "Go.")
            assert caught.value.reason == reason

    run(scenario)
    assert model.started == 1


def test_a_whole_answer_is_taken_even_if_the_model_was_cut_after_it() -> None:
    """What counts is the answer."""
    assert _asked(Ends(GOOD, "length"), Bill)[0] == BILL


@pytest.mark.parametrize(
    "text", ["no idea", "{", "NaN", '{"items": NaN}', "[" * 100_000, "{" * 9999]
)
def test_an_answer_without_json_is_told_so(text: str) -> None:
    """Neither words nor broken nor endless JSON are an answer."""
    with pytest.raises(StructuredOutputError) as caught:
        _asked(Answers(text), Bill)
    assert caught.value.faults == ("answer: no JSON in it",)


def test_an_empty_answer_is_asked_for_again() -> None:
    """No empty turn of the assistant goes into the conversation."""
    bill, asked = _asked([Answers(""), Answers(GOOD)], Bill)
    assert bill == BILL
    assert [message.role for message in asked[1].messages] == ["user", "user"]


def test_reasoning_stays_in_the_repaired_conversation() -> None:
    """State that a provider wants back is kept with the answer."""
    from trio_llm import Completion  # noqa: PLC0415 - only here

    thought = Reasoning("hm", {"signature": "s"}, "anthropic")

    @attrs.frozen
    class Thinks:
        async def play(self, _work: Any) -> Completion:
            return Completion(Message("assistant", (thought, Text(BAD))))

    _, asked = _asked([Thinks(), Answers(GOOD)], Bill)
    assert asked[1].messages[1].content == (thought, Text(BAD))


def test_a_schema_of_ones_own_stands_in_place_of_the_class() -> None:
    """The class still reads the answer."""
    own = OutputSchema("mine", {"type": "object"}, strict=False)
    bill, asked = _asked(Answers(GOOD), Bill, output=own)
    assert (bill, asked[0].output) == (BILL, own)


def test_a_type_that_json_cannot_express_is_refused_before_anything_is_asked() -> None:
    """It is a `TypeError` with the place; a wrong option is an `InvalidRequestError`."""
    model, config = scripted(Answers(GOOD))

    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            with pytest.raises(TypeError, match=r"list\[\]: bytes cannot be written"):
                await llm.generate_as(list[bytes], "Go.")
            with pytest.raises(InvalidRequestError, match="temperature"):
                await llm.generate_as(Bill, "Go.", temperature=-1.0)

    run(scenario)
    assert model.started == 0


@pytest.mark.parametrize("cls", [Bill, list[Bill], int, Point, Person])
def test_the_simulated_provider_answers_with_an_example(cls: Any) -> None:
    """Without any key, a program that asks for a type gets one."""

    async def scenario(world: World) -> Any:
        config = Config(default=Provider("simulated", simulation=Simulation(latency=0.1)))
        async with world.open(config) as llm:
            return await llm.generate_as(cls, "Go.")

    expected = {Bill: Bill([]), int: 0, Point: Point(0, 0), Person: {"name": "name"}}
    value = run(scenario).value
    assert value == expected.get(cls, value)
    assert value is not None


def test_looking_for_json_among_words_is_bounded() -> None:
    """No more than 32 beginnings are tried."""
    text = "{x} " * 31 + json.dumps({"found": 1})
    assert list(json_in(text)) == [{"found": 1}]
    assert list(json_in("{x} " + text)) == []


def test_a_repair_that_fails_keeps_the_attempts_of_both() -> None:
    """The error is that of the second question; its attempts are those of the whole."""
    _, config = scripted([Answers(BAD), Fails()])

    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            with pytest.raises(ServerError) as caught:
                await llm.generate_as(Bill, "Go.")
        outcomes = [attempt.outcome.value for attempt in caught.value.attempts]
        assert outcomes == ["succeeded", "failed"]

    run(scenario)
