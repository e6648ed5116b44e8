"""Arguments of tool calls go back as JSON, whatever a model wrote."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from trio_llm.chat import Message, Request, Tool, ToolCall, ToolResult
from trio_llm.wire import DIALECTS
from trio_llm.wire.values import as_list, as_object

BROKEN = '{"town": ba'


def _sent(dialect: str, call: ToolCall) -> Any:
    """Give the arguments of a call in a request, as an object."""
    request = Request(
        messages=[
            Message("user", "hello"),
            Message("assistant", call),
            Message("tool", ToolResult("c1", "no JSON", is_error=True, name="weather")),
        ],
        tools=[Tool("weather")],
    )
    body = json.loads(DIALECTS[dialect].encode(request, model="m", stream=False).body)
    found = list(_arguments(body))
    assert len(found) == 1
    return json.loads(found[0]) if isinstance(found[0], str) else found[0]


def _arguments(value: Any) -> Iterator[Any]:
    for item in as_list(value):
        yield from _arguments(item)
    fields = as_object(value)
    for name, item in fields.items():
        if fields.get("name") == "weather" and name in ("arguments", "args", "input"):
            yield item
        else:
            yield from _arguments(item)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("broken", [BROKEN, "[1]", '"bade"', "\ud800"])
def test_broken_arguments_go_back_as_the_text_that_they_are(dialect: str, broken: str) -> None:
    """A server that reads them would refuse the conversation; the model sees its own text."""
    call = ToolCall.parse("c1", "weather", broken)
    expected = broken.encode(errors="replace").decode()
    assert _sent(dialect, call) in ({"INVALID_JSON": broken}, {"INVALID_JSON": expected})


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("empty", ["", "  ", "{}", "{ }"])
def test_no_arguments_are_an_empty_object(dialect: str, empty: str) -> None:
    """Models write nothing, or blanks, for a tool that needs nothing."""
    assert _sent(dialect, ToolCall.parse("c1", "weather", empty)) == {}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_sound_arguments_go_back_as_they_were(dialect: str) -> None:
    """Nothing is changed in what a server can read."""
    call = ToolCall.parse("c1", "weather", '{"town": "bade"}')
    assert _sent(dialect, call) == {"town": "bade"}
