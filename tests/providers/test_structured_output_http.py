"""A shape asked for over the wire, by each of the three ways."""

import json
from typing import Any, Literal

import attrs
import pytest
from trio.testing import MockClock

from trio_llm import Completion, Config, OutputSchema, Provider, Request, TextDelta, ToolCall
from trio_llm.chat import AnyEvent
from trio_llm.policy import TimeLimits
from trio_llm.providers.backend import Work
from trio_llm.providers.http import HttpBackend, Remote
from trio_llm.providers.structured import StructuredBackend
from trio_llm.testing import World, run
from trio_llm.testing.upstream import Behaviour, MemoryUpstream


@attrs.frozen
class Point:
    x: int
    y: int = 0


OUTPUT = OutputSchema.of(Point)
TEXT = '{"x": 3, "y": 4}'


def _body(upstream: MemoryUpstream) -> dict[str, Any]:
    (served,) = upstream.served
    body: dict[str, Any] = json.loads(served.body)
    return body


@attrs.define
class Seen:
    texts: list[str] = attrs.field(factory=list[str], init=False)

    async def put(self, deltas: Any) -> None:
        events: list[AnyEvent] = list(deltas)
        assert all(isinstance(delta, TextDelta) for delta in events)
        self.texts += [delta.text for delta in events if isinstance(delta, TextDelta)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic"])
async def test_by_a_tool_the_arguments_of_the_wire_become_the_answer(
    dialect: str, autojump_clock: MockClock, *, streamed: bool
) -> None:
    """The tool is forced in the dialect's words, and its arguments are text, also in pieces."""
    upstream = MemoryUpstream(
        Behaviour(chunks=(), tool_calls=(ToolCall("c1", "Point", {"x": 3, "y": 4}),))
    )
    remote = Remote(
        name="p",
        dialect=dialect,
        base_url=upstream.base_url(dialect),
        key="k",
        limits=TimeLimits(1.0, 1.0, 1.0, 1.0),
        headers={},
        proxy=None,
        verify=True,
        close_deadline=1.0,
    )
    inner = HttpBackend(remote, transport=upstream, wall_clock=autojump_clock.current_time)
    backend = StructuredBackend(inner, "tool")
    sink = Seen() if streamed else None
    request = Request(messages="Where?", output=OUTPUT)
    async with backend.resources():
        answer = await backend.answer(Work(request, "m", 1, ("p",), 1, sink))
    assert isinstance(answer, Completion)
    assert json.loads(answer.message.text) == {"x": 3, "y": 4}
    assert (answer.message.tool_calls, answer.finish_reason) == ((), "stop")
    if sink is not None:
        assert "".join(sink.texts) == answer.message.text
    choice = _body(upstream)["tool_choice"]
    assert choice.get("name") == "Point" or choice["function"]["name"] == "Point"
    assert "response_format" not in _body(upstream)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("kind", "native"), [("openai_compatible", True), ("deepseek", False)])
def test_the_catalogue_decides_between_the_schema_and_words(
    kind: str, *, native: bool, streamed: bool
) -> None:
    """A kind whose quirks say so is asked in words, and no field of its own is sent."""
    upstream = MemoryUpstream(Behaviour(chunks=(TEXT[:5], TEXT[5:])))
    provider = Provider(
        kind, "p", base_url=upstream.base_url("openai_chat"), api_key="k", model="m"
    )

    async def scenario(world: World) -> Point:
        async with world.open(Config(default=provider), transport=upstream) as llm:
            if not streamed:
                return await llm.generate_as(Point, "Where?")
            async with llm.stream_as(Point, "Where?") as stream:
                parts = [dict(part) async for part in stream]
            assert parts[-1] == {"x": 3, "y": 4}
            return stream.value

    assert run(scenario).value == Point(3, 4)
    body = _body(upstream)
    assert ("response_format" in body) is native
    assert (body["messages"][0]["role"] == "system") is not native
    if not native:
        assert json.dumps(OUTPUT.schema) in body["messages"][0]["content"]


@pytest.mark.parametrize("said", [None, "native"])
def test_a_kind_whose_own_means_are_narrow_is_asked_by_a_tool(
    said: Literal["native"] | None,
) -> None:
    """An open schema is a tool's at Anthropic, unless the configuration says otherwise."""
    call = ToolCall("c1", "answer", {"a": 1})
    behaviour = Behaviour(chunks=(), tool_calls=(call,))
    upstream = MemoryUpstream(behaviour if said is None else Behaviour(chunks=('{"a": 1}',)))
    provider = Provider(
        "anthropic",
        "p",
        base_url=upstream.base_url("anthropic"),
        api_key="k",
        structured_output=said,
    )

    async def scenario(world: World) -> dict[str, int]:
        async with world.open(Config(default=provider), transport=upstream) as llm:
            return await llm.generate_as(dict[str, int], "How many?")

    assert run(scenario).value == {"a": 1}
    body = _body(upstream)
    assert ("output_config" in body) is (said == "native")
    assert body.get("tool_choice") == (None if said else {"type": "tool", "name": "answer"})
