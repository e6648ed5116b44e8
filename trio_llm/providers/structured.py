"""Answers of a given shape, at providers that have no means of their own for it.

Where there is no native JSON schema, or it does not take this one, the shape is asked
for as a tool that the model must call, whose arguments are then the answer; or in
words. To everything above, the answer is text in either case.
"""

import json
import re
from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Literal, TypeAlias

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
from trio_llm.providers.closed_schema import is_closed

OutputMode: TypeAlias = Literal["native", "tool", "prompt"]

_NOT_REASONING = (None, "none", "disabled")


@attrs.frozen
class NativeLimits:
    """Which shapes a provider's own means do not take.

    Args:
        excludes_tools: A pattern of the models that take none beside tools.
        closed: Whether only closed schemas are taken; another is asked for by a
            forced tool, whose parameters may be any schema.
    """

    excludes_tools: str | None = None
    closed: bool = attrs.field(default=False, kw_only=True)

    def mode(self, model: str, request: Request, output: OutputSchema) -> OutputMode:
        """Tell how a model of a provider that has means of its own is asked."""
        beside_tools = request.tools and request.tool_choice != "none"
        if beside_tools and self.excludes_tools and re.search(self.excludes_tools, model):
            return "prompt"
        return "tool" if self.closed and not is_closed(output.schema) else "native"


NO_LIMITS: Final = NativeLimits()
"""Whatever is asked for is taken."""


@attrs.frozen
class StructuredBackend:
    """Asks a backend for a shape by a forced tool, or in words.

    Args:
        backend: The backend.
        mode: How it is asked: ``native`` leaves the shape to the backend within
            `limits`. In place of a forced tool, words are taken for a request with
            tools of its own, from which a forced one would keep the model, and for
            one that asks to reason, beside which some providers refuse to force.
        limits: What its native means do not take.
    """

    _backend: Backend
    _mode: OutputMode
    _limits: NativeLimits = NO_LIMITS

    @property
    def operations(self) -> frozenset[type[Operation]]:
        """The operations that the backend can do."""
        return getattr(self._backend, "operations", frozenset())

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open what the backend needs."""
        return self._backend.resources()

    def answer(self, work: Work) -> Coroutine[Any, Any, AnyResult]:
        """Do one exchange; one that needs nothing of this costs no coroutine of its own."""
        request = work.request
        if not isinstance(request, Request) or request.output is None:
            return self._backend.answer(work)
        mode = self._mode
        if mode == "native":
            mode = self._limits.mode(work.model, request, request.output)
            if mode == "native":
                return self._backend.answer(work)
        if mode == "tool" and not request.tools and request.reasoning in _NOT_REASONING:
            return self._by_tool(work, request, request.output)
        return self._backend.answer(attrs.evolve(work, request=_in_words(request, request.output)))

    async def _by_tool(self, work: Work, request: Request, output: OutputSchema) -> AnyResult:
        tool = Tool(output.name, output.description, output.schema)
        asked = attrs.evolve(request, output=None, tools=(tool,), tool_choice=tool.name)
        sink = None if work.sink is None else _AnswerSink(work.sink, output.name)
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
    """Turns the arguments of the first call of the tool into text, as they come.

    Text that the model writes itself is kept back: it is the answer only when no call
    comes. Calls of tools that there are not are no answer.
    """

    _sink: Sink
    _name: str
    _names: dict[int, str] = attrs.field(factory=dict[int, str], init=False)
    _nameless: dict[int, str] = attrs.field(factory=dict[int, str], init=False)
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
        arguments = delta.arguments
        if self._index is None:
            arguments = self._named(delta)
        if delta.index != self._index or not arguments:
            return None
        self._given = True
        return TextDelta(arguments)

    def _named(self, delta: ToolCallDelta) -> str:
        """Find the call that counts; give its arguments, those before its name too."""
        index = delta.index
        if delta.name:
            self._names.setdefault(index, delta.name)
        arguments = self._nameless.pop(index, "") + delta.arguments
        if index not in self._names:
            self._nameless[index] = arguments
        elif self._names[index] == self._name:
            self._index = index
        return arguments

    async def close(self, completion: Completion) -> None:
        """Give the answer, if it has not come in pieces."""
        if not self._given and completion.message.text:
            await self._sink.put([TextDelta(completion.message.text)])
