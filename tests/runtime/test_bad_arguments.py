"""Arguments that cannot be used: one typed, plain error, and a runtime fit for the next call."""

from typing import Any

import pytest

from trio_llm import (
    Config,
    ConfigError,
    Image,
    InvalidRequestError,
    Message,
    Provider,
    Request,
    Text,
    ToolCall,
    open_runtime,
)
from trio_llm.testing import World, run

CASES: list[tuple[Any, dict[str, Any], str]] = [
    ("", {}, "the prompt is empty"),
    ([], {}, "the prompt is empty"),
    ([Message("user", "")], {}, "the prompt is empty"),
    ([Message("user", [])], {}, "the prompt is empty"),
    ([{"role": "user"}], {}, r"messages\[0\] must be a Message, not dict"),
    (42, {}, "the prompt must be a string, a Message or several, not int"),
    ("hi", {"max_tokens": 0}, "max_tokens must be at least 1, not 0"),
    ("hi", {"max_tokens": "many"}, "max_tokens must be an integer, not str"),
    ("hi", {"max_tokens": True}, "max_tokens must be an integer, not bool"),
    ("hi", {"temperature": -0.1}, "temperature must be at least 0"),
    ("hi", {"temperature": "hot"}, "temperature must be a number, not str"),
    ("hi", {"top_p": float("nan")}, "top_p must be at least 0"),
    ("hi", {"top_p": 7}, "top_p must be at most 1, not 7"),
    ("hi", {"temperature": float("inf")}, "temperature must be a finite number"),
    ("hi", {"seed": 1.5}, "seed must be an integer"),
    ("hi", {"stop": 5}, "stop must be a string or several, not int"),
    ("hi", {"stop": ["a", 5]}, r"stop\[1\] must be a string, not int"),
    ("hi", {"parallel_tool_calls": "no"}, "parallel_tool_calls must be True or False, not str"),
    ("hi", {"metadata": 5}, "metadata must be a mapping, not int"),
    ("hi", {"metadata": {"a": 5}}, r"metadata\['a'\] must be a string, not int"),
    ("hi", {"tags": {5: "a"}}, "a key of tags must be a string, not int"),
    ("hi", {"extra": 5}, "extra must be a mapping, not int"),
    ("hi", {"extra": {"ollama": 5}}, r"extra\['ollama'\] must be a mapping of fields, not int"),
    ("hi", {"model": 4}, "model must be a string, not int"),
    ("hi", {"prefer": 4}, "prefer must be a string, not int"),
    ("hi", {"max_attempts": 0}, "max_attempts must be at least 1"),
    ("hi", {"tools": 7}, "tools must be several Tools, not int"),
    ("hi", {"tools": [{"name": "f"}]}, r"tools\[0\] must be a Tool, not dict"),
    ("hi", {"temprature": 0.1}, 'no option named "temprature"; did you mean "temperature"?'),
]


@pytest.mark.parametrize(("prompt", "options", "said"), CASES)
def test_a_bad_argument_is_one_plain_error(prompt: Any, options: dict[str, Any], said: str) -> None:
    """Plain and streaming calls refuse it alike, and the next call is served."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Provider("simulated", "s"))) as llm:
            with pytest.raises(InvalidRequestError, match=said):
                await llm.generate(prompt, **options)
            with pytest.raises(InvalidRequestError, match=said):
                async with llm.stream(prompt, **options):
                    raise AssertionError("not entered")
            assert (await llm.generate("hi")).provider == "s"

    run(scenario)


def _message(role: Any, content: Any) -> Message:
    return Message(role, content)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: _message("robot", "hi"), "role must be one of system, user, assistant, tool"),
        (lambda: _message("user", 7), "must be a string or parts, not int"),
        (lambda: _message("user", ["a", 7]), r"content\[1\] must be a string or a part, not int"),
        (Image, "either url= or content="),
        (lambda: Image(url="https://x", content=b"x"), "either url= or content="),
        (lambda: Image(content=b"x"), "needs media_type="),
    ],
)
def test_a_part_that_cannot_be_is_refused_where_it_is_made(make: Any, said: str) -> None:
    """The vocabulary itself names the place and the remedy."""
    with pytest.raises((TypeError, ValueError), match=said):
        make()


def test_a_prompt_takes_many_forms() -> None:
    """A string, a message, a conversation and a request ask the same."""

    async def scenario(world: World) -> list[str]:
        async with world.open(Config(default=Provider("simulated", "s"))) as llm:
            prompts: list[Any] = [
                "hi",
                Message("user", "hi"),
                [Message("user", [Text("h"), "i"])],
                Request(messages="hi"),
            ]
            return [(await llm.generate(prompt)).text for prompt in prompts]

    assert len(set(run(scenario).value)) == 1


def test_options_replace_the_fields_of_a_request() -> None:
    """A request is a starting point; what the call says stands."""

    async def scenario(world: World) -> str:
        async with world.open(Config(default=Provider("simulated", "s"))) as llm:
            return (await llm.generate(Request(messages="hi", model="a"), model="b")).model

    assert run(scenario).value == "b"


def test_a_name_that_nobody_bears_is_said_with_the_nearest() -> None:
    """`provider` and `check` know which names there are."""

    async def scenario(world: World) -> None:
        async with world.open(Config(default=Provider("simulated", "anna"))) as llm:
            with pytest.raises(ConfigError, match='none is named "ana"; did you mean "anna"'):
                llm.provider("ana")
            with pytest.raises(ConfigError, match='none is named "ana"'):
                await llm.check("ana")

    run(scenario)


def test_broken_arguments_of_a_tool_call_are_kept_and_marked() -> None:
    """Models write broken JSON; nothing of it is lost, and nothing pretends it was read."""
    call = ToolCall.parse("c", "f", '{"x": ')
    assert (call.arguments, call.raw, call.is_valid) == ({}, '{"x": ', False)
    assert ToolCall.parse("c", "f", "[1]").is_valid is False
    assert ToolCall.parse("c", "f", "").is_valid
    assert ToolCall.parse("c", "f", "{}").is_valid
    assert ToolCall.parse("c", "f", '{"x": 1}').arguments == {"x": 1}


async def test_a_transport_of_a_wrong_type_is_refused_at_once() -> None:
    """Whoever opens the runtime is told, before an actor starts."""
    house = Provider("openai_compatible", base_url="http://127.0.0.1:9/v1", model="m")
    wrong: Any = object()
    with pytest.raises(TypeError, match=r"transport must be an httpx2?\.AsyncBaseTransport or"):
        async with open_runtime(Config(default=house), transport=wrong):
            raise AssertionError("not entered")
