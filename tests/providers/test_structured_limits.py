"""Shapes that a provider's native means do not take are asked for by other means."""

import json
from typing import Any

import attrs
import pytest

from trio_llm.chat import Completion, Message, OutputSchema, Request, Text, Tool
from trio_llm.errors import UnsupportedError
from trio_llm.providers.backend import Work
from trio_llm.providers.catalogue import KINDS
from trio_llm.providers.closed_schema import is_closed
from trio_llm.providers.structured import NativeLimits, StructuredBackend
from trio_llm.wire import DIALECTS

CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"x": {"type": "integer"}},
    "required": ["x"],
    "additionalProperties": False,
}
OPEN: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}
TOOL = Tool("weather")


def _asked(kind: str, request: Request, model: str) -> Request:
    """Give what reaches the dialect of a kind of provider."""
    seen: list[Request] = []

    @attrs.frozen
    class Wire:
        operations = frozenset[Any]()

        def resources(self) -> Any:
            raise NotImplementedError

        async def answer(self, work: Work) -> Completion:
            seen.append(work.conversation)
            return Completion(Message("assistant", "{}"))

    quirks = KINDS[kind].quirks
    limits = NativeLimits(quirks.output_excludes_tools, closed=quirks.output_closed)
    backend = StructuredBackend(Wire(), quirks.output, limits)
    asking = backend.answer(Work(request, model, 1, ("p",), 1, None))
    with pytest.raises(StopIteration):
        asking.send(None)
    return seen[0]


def _request(schema: dict[str, Any], **options: Any) -> Request:
    return Request(messages="Where?", output=OutputSchema("point", schema), **options)


@pytest.mark.parametrize(
    ("kind", "model", "native"),
    [
        ("cohere", "command-a-03-2025", False),
        ("gemini", "gemini-2.5-flash", False),
        ("gemini", "models/gemini-2.0-flash", False),
        ("gemini", "gemini-3.5-flash", True),
        ("gemini", "gemini-25-future", True),
        ("openai", "gpt-4o-mini", True),
        ("anthropic", "claude-haiku-4-5", True),
    ],
)
def test_a_shape_beside_tools_goes_in_words_where_the_two_exclude_each_other(
    kind: str, model: str, *, native: bool
) -> None:
    """The tools stay, and the request can be written in the dialect of the provider."""
    request = _request(CLOSED, tools=(TOOL,))
    asked = _asked(kind, request, model)
    assert asked.tools == (TOOL,)
    assert (asked == request) is native
    if not native:
        assert asked.output is None
        assert json.dumps(CLOSED) in asked.messages[0].text
    body = DIALECTS[KINDS[kind].dialect or ""].encode(asked, model=model, stream=False).body
    assert b"weather" in body


@pytest.mark.parametrize("kind", ["cohere", "gemini"])
@pytest.mark.parametrize("options", [{}, {"tools": (TOOL,), "tool_choice": "none"}])
def test_a_shape_goes_natively_where_no_tool_can_be_called(
    kind: str, options: dict[str, Any]
) -> None:
    """Without tools, or with tools that must not be called, nothing changes."""
    request = _request(CLOSED, **options)
    assert _asked(kind, request, "gemini-2.5-flash") == request


def test_without_the_fallback_the_dialect_itself_refuses() -> None:
    """Cohere's dialect names the two that it cannot send together."""
    with pytest.raises(UnsupportedError, match=r"^output: .* beside tools"):
        DIALECTS["cohere"].encode(_request(CLOSED, tools=(TOOL,)), model="m", stream=False)


def test_a_shape_that_is_not_closed_goes_by_a_forced_tool_at_anthropic() -> None:
    """A closed one goes natively; an open one is the input schema of a tool."""
    assert _asked("anthropic", _request(CLOSED), "m") == _request(CLOSED)
    asked = _asked("anthropic", _request(OPEN), "m")
    assert asked.output is None
    assert asked.tool_choice == "point"
    assert [tool.parameters for tool in asked.tools] == [OPEN]


@pytest.mark.parametrize("options", [{"reasoning": "high"}, {"tools": (TOOL,)}])
def test_no_tool_is_forced_beside_reasoning_or_other_tools(options: dict[str, Any]) -> None:
    """Anthropic refuses to force a tool while it thinks: the shape goes in words."""
    asked = _asked("anthropic", _request(OPEN, **options), "m")
    assert asked.tool_choice is None
    assert asked.tools == options.get("tools", ())
    assert [type(part) for part in asked.messages[0].content] == [Text]
    assert json.dumps(OPEN) in asked.messages[0].text


@attrs.frozen
class Leaf:
    """A record whose strict schema is closed."""

    name: str
    size: int | None = None
    tags: set[str] = attrs.field(factory=set[str])


@attrs.frozen
class Branch:
    """A record that holds itself."""

    leaf: Leaf
    other: Leaf
    inner: "Branch | None" = None


_REFERENCE = {"$ref": "#/$defs/a"}


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (OutputSchema.of(Leaf).schema, True),
        (OutputSchema.of(list[Leaf]).schema, True),
        (OutputSchema.of(Branch).schema, False),
        (OutputSchema.of(dict[str, int]).schema, False),
        (OutputSchema.of(tuple[int, int]).schema, False),
        ({"type": "object", "properties": {"minimum": {"type": "integer"}}}, False),
        ({**CLOSED, "properties": {"minimum": {"type": "integer"}}}, True),
        ({**CLOSED, "properties": {"x": {"type": "integer", "minimum": 1}}}, False),
        ({**CLOSED, "properties": {"x": {"type": "string", "maxLength": 9}}}, False),
        ({**CLOSED, "properties": {"x": {"type": "array"}}}, False),
        ({**CLOSED, "properties": {"x": {}}}, False),
        ({**CLOSED, "properties": {"x": True}}, False),
        ({"type": "array", "items": {"type": "string"}, "minItems": 1}, True),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, False),
        ({"anyOf": [_REFERENCE, {"type": "null"}], "$defs": {"a": {"type": "string"}}}, True),
        ({"anyOf": [_REFERENCE, {"type": "null"}]}, False),
        ({"anyOf": [{"$ref": "https://example.org/schema"}]}, False),
        ({**_REFERENCE, "$defs": {"a": {"$ref": "#/$defs/b"}, "b": _REFERENCE}}, False),
        ({**CLOSED, "properties": {"x": {"$ref": "#"}}}, False),
        ({}, False),
    ],
)
def test_a_schema_is_closed_or_not(schema: dict[str, Any], *, closed: bool) -> None:
    """Open objects, bounds, recursion and foreign keywords are not; names of fields are free."""
    assert is_closed(schema) is closed
