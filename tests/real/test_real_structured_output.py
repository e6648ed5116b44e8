"""A real llama.cpp server holds its model to the schemas that we write."""

from typing import Any, Literal

import attrs
import pytest

from tests.chat import typed_classes
from tests.real.real_server import Server, provider
from trio_llm import Config, OutputSchema, open_runtime
from trio_llm.chat.typed import schema_of

pytestmark = pytest.mark.real

TYPES: list[Any] = [
    typed_classes.Item,
    typed_classes.Node,
    typed_classes.Order,
    typed_classes.Basket,
    list[typed_classes.Item],
    dict[str, float],
    typed_classes.Left | typed_classes.Right,
    typed_classes.Colour,
]


@attrs.frozen
class Small:
    side: Literal["left", "right"]
    open: bool
    pair: tuple[bool, bool]
    corner: Literal["top", "bottom"] | None = None


@pytest.mark.parametrize("hint", TYPES)
async def test_the_server_can_read_every_schema(servers: list[Server], hint: Any) -> None:
    """It makes a grammar of both forms of every type, and begins to answer."""
    async with open_runtime(Config(default=provider(servers[0], "real", "llamacpp"))) as llm:
        for output in (OutputSchema.of(hint), OutputSchema("plain", schema_of(hint))):
            reply = await llm.generate("bade", output=output, seed=1, max_tokens=8)
            # The grammar of the server also allows a code fence.
            assert reply.text.strip()[0] in '{["`'


@pytest.mark.parametrize("kind", ["llamacpp", "openai_compatible"])
async def test_the_model_answers_with_an_object(servers: list[Server], kind: str) -> None:
    """Even a model of random weights gives a value of the type, whole and streamed."""
    config = Config(default=provider(servers[0], "real", kind))
    async with open_runtime(config) as llm:
        whole = await llm.generate_as(Small, "bade", temperature=1, seed=1, max_tokens=200)
        async with llm.stream_as(Small, "bade", temperature=1, seed=1, max_tokens=200) as stream:
            parts = [dict(part) async for part in stream]
    assert isinstance(whole, Small)
    assert stream.value == whole
    assert parts[-1].keys() == {"side", "open", "pair", "corner"}
