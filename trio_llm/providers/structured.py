"""Answers of a given shape, at providers that have no means of their own for it.

Where there is no native JSON schema, the shape is asked for as a tool that the
model must call, whose arguments are then the answer; or in words. To everything
above, the answer is text in either case.
"""

import json
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, TypeAlias

import attrs

from trio_llm.chat import (
    AnyEvent,
    AnyResult,
    Completion,
    Message,
    Operation,
    OutputSchema,
    Part,
    Reasoning,
    Request,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from trio_llm.providers.backend import Backend, Sink, Work

OutputMode: TypeAlias = Literal["native", "tool", "prompt"]


@attrs.frozen
class StructuredBackend:
    """Asks a backend for a shape by a forced tool, or in words.

    Args:
        backend: The backend, which ignores `Request.output`.
        mode: ``tool`` or ``prompt``; a request with tools of its own is asked in
            words, since a forced tool would keep the model from them.
    """

    _backend: Backend
    _mode: Literal["tool", "prompt"]

    @property
    def operations(self) -> frozenset[type[Operation]]:
        """The operations that the backend can do."""
        return getattr(self._backend, "operations", frozenset())

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open what the backend needs."""
        return self._backend.resources()

    async def answer(self, work: Work) -> AnyResult:
        """Do one exchange."""
        request = work.request
        if isinstance(request, Operation) or request.output is None:
            return await self._backend.answer(work)
        if self._mode == "tool" and not request.tools:
            return await self._by_tool(work, request, request.output)
        return await self._backend.answer(
            attrs.evolve(work, request=_in_words(request, request.output))
        )

    async def _by_tool(self, work: Work, request: Request, output: OutputSchema) -> AnyResult:
        tool = Tool(output.name, output.description, output.schema)
        asked = attrs.evolve(request, output=None, tools=(tool,), tool_choice=tool.name)
        sink = None if work.sink is None else _AnswerSink(work.sink)
        result = await self._backend.answer(attrs.evolve(work, request=asked, sink=sink))
        if isinstance(result, Completion):
            result = _as_answer(result, output.name)
            if sink is not None:
                await sink.close(result)
        return result


def _in_words(request: Request, output: OutputSchema) -> Request:
    """Put the schema into the system message."""
    what = f"\nIt is: {output.description}" if output.description else ""
    words = (
        "Give your answer as one JSON value that fits the JSON schema below: no words around "
        f"it, and no code fence.{what}\n{json.dumps(dict(output.schema), ensure_ascii=False)}"
    )
    first, *rest = request.messages
    if first.role == "system":
        told = attrs.evolve(first, content=(*first.content, Text(f"\n\n{words}")))
        return attrs.evolve(request, output=None, messages=(told, *rest))
    told = Message("system", words)
    return attrs.evolve(request, output=None, messages=(told, *request.messages))


def _as_answer(completion: Completion, name: str) -> Completion:
    """Turn the call of the tool into text; an answer without such a call stays as it is."""
    message = completion.message
    call = next((call for call in message.tool_calls if call.name == name), None)
    if call is None:
        return completion
    parts: list[Part] = [part for part in message.content if isinstance(part, Reasoning)]
    finish = completion.finish_reason
    return attrs.evolve(
        completion,
        message=attrs.evolve(message, content=(*parts, Text(_written(call)))),
        finish_reason="stop" if finish == "tool_calls" else finish,
    )


def _written(call: ToolCall) -> str:
    if call.raw is not None and call.raw.strip():
        return call.raw
    return json.dumps(dict(call.arguments), ensure_ascii=False)


@attrs.define(eq=False)
class _AnswerSink:
    """Turns the arguments of the first call into text, as they come.

    Text that the model writes itself is kept back: it is the answer only when no call
    comes.
    """

    _sink: Sink
    _index: int | None = attrs.field(default=None, init=False)
    _given: bool = attrs.field(default=False, init=False)

    async def put(self, deltas: Sequence[AnyEvent]) -> None:
        """Take events; the text among them waits for the end."""
        passed = [turned for delta in deltas if (turned := self._turned(delta)) is not None]
        if passed:
            await self._sink.put(passed)

    def _turned(self, delta: AnyEvent) -> AnyEvent | None:
        if isinstance(delta, TextDelta):
            return None
        if not isinstance(delta, ToolCallDelta):
            return delta
        if self._index is None:
            self._index = delta.index
        if delta.index != self._index or not delta.arguments:
            return None
        self._given = True
        return TextDelta(delta.arguments)

    async def close(self, completion: Completion) -> None:
        """Give the answer, if it has not come in pieces."""
        if not self._given and completion.message.text:
            await self._sink.put([TextDelta(completion.message.text)])
