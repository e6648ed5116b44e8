"""No quirk is without effect: each one changes what a server is sent."""

from collections.abc import Awaitable, Callable
from types import MappingProxyType
from typing import Any

import attrs
import pytest

from trio_llm import (
    Config,
    Message,
    OutputSchema,
    Provider,
    Reasoning,
    Request,
    Runtime,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from trio_llm.config import provider as configured
from trio_llm.errors import LLMError
from trio_llm.providers.catalogue import KINDS
from trio_llm.testing import World, run
from trio_llm.transport.library import httpx
from trio_llm.wire import DIALECTS, PLAIN, Quirks

OTHERS: dict[str, Any] = {
    "version": "2026-10-21",
    "key_header": "x-some-key",
    "max_tokens_field": "most_tokens",
    "seed_field": "random_seed",
    "required_choice": "any",
    "reasoning": "none",
    "stream_options": False,
    "unsupported": frozenset({"user"}),
    "call_id_length": 9,
    "plain_content": True,
    "output": "prompt",
    "output_excludes_tools": "^m$",
    "output_closed": True,
    "dimensions_field": "output_dimension",
    "encoding": "base64",
    "purposes": (("query", "search"),),
    "replays": frozenset[str](),
    "reply_after_results": True,
    "pairs_calls": True,
    "lists_only": True,
    "bare_cost": True,
}
READ: frozenset[str] = frozenset({"bare_cost"})
"""Those about what a server answers; they change nothing that it is sent."""
SHAPE = OutputSchema("shape", {"type": "object", "properties": {"a": {"type": "integer"}}})
TOOL = Tool("look", "Looks.")
CALL = ToolCall("call_0000000001", "look", {"at": "the sky"})
STATE = {"reasoning_content": "I look."}
CONVERSATION = Request(
    messages=[
        Message("user", [Text("What is"), Text("there?")]),
        Message("assistant", [Reasoning("I look.", STATE, "openai_chat"), CALL]),
        Message("tool", [ToolResult(CALL.id, "rain")]),
        Message("user", "And now?"),
    ],
    max_tokens=100,
    seed=7,
    tools=[TOOL],
    tool_choice="required",
    reasoning="low",
    user="somebody",
)
UNPAIRED = Request(
    messages=[Message("user", "Hm?"), Message("assistant", [CALL]), Message("user", "Well?")]
)

Does = Callable[[Runtime], Awaitable[object]]


async def _stream(llm: Runtime) -> None:
    async with llm.stream("hi"):
        raise AssertionError("the server refuses everything")


CALLS: tuple[Does, ...] = (
    lambda llm: llm.generate(CONVERSATION),
    lambda llm: llm.generate(UNPAIRED),
    lambda llm: llm.generate("hi", output=SHAPE),
    lambda llm: llm.generate("hi", output=SHAPE, tools=[TOOL]),
    _stream,
    lambda llm: llm.embed(["text"], model="m", dimensions=8, purpose="query"),
    lambda llm: llm.show_model("m"),
)


def _sent(dialect: str, quirks: Quirks, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Give every request that a provider is sent, in bytes, and how each call ends."""
    kind = attrs.evolve(KINDS["openai_compatible"], quirks=quirks)
    monkeypatch.setattr(configured, "KINDS", MappingProxyType({kind.name: kind}))
    seen: list[object] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        headers = sorted(request.headers.items())
        seen.append((request.method, str(request.url), headers, request.content))
        return httpx.Response(400, json={"error": {"message": "no"}})

    async def scenario(world: World) -> None:
        provider = Provider(
            kind.name,
            api_key="sk-test-0123456789",
            base_url="https://server.invalid/v1",
            dialect=dialect,
            model="m",
        )
        transport = httpx.MockTransport(answer)
        async with world.open(Config(default=provider), transport=transport) as llm:
            for call in CALLS:
                with pytest.raises(LLMError) as caught:
                    await call(llm)
                seen.append(type(caught.value))

    run(scenario)
    return seen


def test_every_quirk_has_another_value_here() -> None:
    """A new one cannot be forgotten."""
    assert OTHERS.keys() == attrs.fields_dict(Quirks).keys()
    assert not [name for name, value in OTHERS.items() if getattr(PLAIN, name) == value]


@pytest.fixture(scope="module")
def plainly() -> dict[str, list[object]]:
    """Give what is sent in each dialect without a quirk."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return {dialect: _sent(dialect, PLAIN, monkeypatch) for dialect in DIALECTS}


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in READ])
def test_every_quirk_changes_what_is_sent_in_some_dialect(
    name: str, plainly: dict[str, list[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field that nothing reads would be a promise that nobody keeps."""
    other = Quirks(**{name: OTHERS[name]})
    assert any(_sent(dialect, other, monkeypatch) != plainly[dialect] for dialect in DIALECTS)
