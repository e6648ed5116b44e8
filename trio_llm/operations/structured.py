"""Answers of a given type: asked for by its schema, checked, and repaired once."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import attrs

from trio_llm.chat import (
    Finished,
    Message,
    OutputSchema,
    Reasoning,
    Reply,
    Request,
    Switched,
    Text,
    TextDelta,
)
from trio_llm.chat.typed import UnfitValueError, read_value, schema_of
from trio_llm.errors import LLMError, StructuredOutputError
from trio_llm.operations.json_text import json_in
from trio_llm.operations.partial import PartialJson
from trio_llm.streaming import ReplyStream

if TYPE_CHECKING:
    from trio_llm.endpoint.asking import Asking

T = TypeVar("T")

_PLACE = "answer"
_VALUE = "value"


async def generate_as(
    endpoint: "Asking",
    cls: type[T],
    request: Request,
    *,
    on_reply: Callable[[Reply], None] | None = None,
) -> T:
    """Ask for a value of a type; see `Endpoint.generate_as`."""
    shape = shape_of(cls, request.output)
    request = attrs.evolve(request, output=shape.output)
    first = await endpoint.generate(request)
    if on_reply is not None:
        on_reply(first)
    try:
        return shape.read(first)
    except StructuredOutputError as error:
        if error.reason != "invalid":
            raise
        faults = error.faults
    try:
        second = await endpoint.generate(
            attrs.evolve(request, messages=(*request.messages, *_repair(first, faults)))
        )
    except LLMError as error:
        error.attempts = (*first.attempts, *error.attempts)
        raise
    if on_reply is not None:
        on_reply(second)
    try:
        return shape.read(second)
    except StructuredOutputError as error:
        error.attempts = (*first.attempts, *second.attempts)
        raise


@asynccontextmanager
async def stream_as(
    endpoint: "Asking", cls: type[T], request: Request
) -> AsyncGenerator["PartialStream[T]", None]:
    """Ask for a value of a type, and take it as it is written; see `Endpoint.stream_as`."""
    shape = shape_of(cls, request.output)
    async with endpoint.stream(attrs.evolve(request, output=shape.output)) as stream:
        yield PartialStream(stream, shape)


@attrs.frozen
class Shape(Generic[T]):
    """A type, and how it is asked for.

    Attributes:
        cls: The type.
        output: Its schema.
        wrapped: Whether it is no object, and stands in the field ``value`` of one.
    """

    cls: type[T]
    output: OutputSchema
    wrapped: bool

    def unwrap(self, value: Any) -> Any:
        """Take the value out of its wrapping, if it has come."""
        if self.wrapped and isinstance(value, dict):
            table = cast("dict[str, Any]", value)
            return table.get(_VALUE) if table.keys() <= {_VALUE} else table
        return value

    def read(self, reply: Reply) -> T:
        """Read the answer of a reply.

        Raises:
            StructuredOutputError: It does not fit.
        """
        faults: tuple[str, ...] = ()
        for value in json_in(reply.text):
            try:
                return read_value(self.unwrap(value), self.cls, _PLACE)
            except UnfitValueError as unfit:
                faults = faults or unfit.faults
        faults = faults or (f"{_PLACE}: no JSON in it",)
        reason, message = _verdict(reply, self.output.name)
        error = StructuredOutputError(
            message, reason=reason, faults=faults, text=reply.text, reply=reply
        )
        error.attempts = reply.attempts
        raise error


def shape_of(cls: type[T], output: OutputSchema | None = None) -> Shape[T]:
    """Make the shape of a type; `output` stands in place of its own schema.

    Raises:
        TypeError: A part of the type cannot be expressed in JSON.
    """
    wrapped = schema_of(cls).get("type") != "object"
    return Shape(cls, output or OutputSchema.of(cls), wrapped)


@attrs.define(eq=False)
class PartialStream(Generic[T]):
    """The parts of an answer of a given type, as it is written.

    Iterate it for what has arrived so far: dictionaries, lists and plain values, not
    checked, in which strings and containers lack their ends. It is the same object
    every time, which grows: copy what is to be kept. Where another provider begins the
    answer anew (`Request.on_interrupt`), so does it. After the last part `value` is
    the whole, checked; where that does not fit, the iteration raises.
    """

    _stream: ReplyStream
    _shape: Shape[T] = attrs.field(repr=False)
    _parser: PartialJson = attrs.field(factory=lambda: PartialJson("{"), init=False, repr=False)
    _values: list[T] = attrs.field(factory=list[T], init=False, repr=False)

    @property
    def provider(self) -> str:
        """Who answers."""
        return self._stream.provider

    @property
    def reply(self) -> Reply:
        """The whole reply, once the stream has finished.

        Raises:
            RuntimeError: The stream has not finished.
        """
        return self._stream.reply

    @property
    def value(self) -> T:
        """The answer, once the stream has finished.

        Raises:
            RuntimeError: The stream has not finished, or the answer does not fit.
        """
        if not self._values:
            raise RuntimeError("there is no value yet: iterate the stream to its end first")
        return self._values[0]

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        async for event in self._stream:
            if isinstance(event, TextDelta):
                if self._parser.feed(event.text):
                    partial = self._shape.unwrap(self._parser.value)
                    if partial is not None:
                        return partial
            elif isinstance(event, Switched):
                self._parser = PartialJson("{")
            elif isinstance(event, Finished):
                self._values.append(self._shape.read(event.reply))
        raise StopAsyncIteration


def _verdict(reply: Reply, name: str) -> tuple[str, str]:
    """Say why an answer that does not fit does not."""
    if reply.finish_reason == "length":
        return "truncated", (
            "the answer was cut at the limit on output tokens; raise max_tokens, or ask for less"
        )
    if reply.finish_reason == "content_filter":
        return "filtered", "the provider's filter cut the answer"
    if reply.tool_calls:
        return "tool_calls", "the model called a tool in place of answering; run_tools runs them"
    return "invalid", f"the answer is no {name}"


def _repair(reply: Reply, faults: tuple[str, ...]) -> list[Message]:
    """Say to the model what is wrong with its answer."""
    listed = "\n".join(f"- {fault}" for fault in faults)
    complaint = Message(
        "user",
        f"That answer does not fit the schema:\n{listed}\n"
        "Give the whole answer again, corrected: JSON that fits the schema, and nothing else.",
    )
    if not reply.text:
        return [complaint]
    said = [part for part in reply.message.content if isinstance(part, Text | Reasoning)]
    return [Message("assistant", said), complaint]
