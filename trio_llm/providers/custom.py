"""Custom providers: a class with one async method, used like any other provider.

The method is ``generate(request)``; it gives a string, a `Message` or a
`Completion`. A class may also have ``stream(request)``, an async generator of
strings or deltas, methods for the operations (see `custom_operations`), and may be
an async context manager, entered once for each life of its actor. One whose attribute
``structured_output`` is true reads `Request.output` itself; any other is asked for a
shape in words. What it raises harms only its own request; a `ProviderError` keeps its
class, anything else becomes a `ProviderCrashedError`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Protocol, TypeGuard

import attrs

from trio_llm.chat import (
    NOTHING,
    AnyEvent,
    AnyResult,
    Certainty,
    Completion,
    Delta,
    Message,
    Operation,
    OperationResult,
    Part,
    Reasoning,
    ReasoningDelta,
    Reply,
    Request,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from trio_llm.errors import MalformedResponseError
from trio_llm.providers.backend import Backend, Sink, Work
from trio_llm.providers.custom_operations import operate


class CustomProvider(Protocol):
    """The least that a custom provider must be."""

    async def generate(self, request: Request, /) -> str | Message | Completion | Reply:
        """Answer a request.

        ``request.model`` is the model asked for, or else the configured one.
        """
        ...


def is_backend(provider: object) -> TypeGuard[Backend]:
    """Tell whether a custom provider speaks the actor's own protocol."""
    return callable(getattr(provider, "answer", None)) and callable(
        getattr(provider, "resources", None)
    )


@attrs.define(eq=False)
class CustomBackend:
    """Serves requests through a user's own object.

    Args:
        make: Gives the object; called once for each life of the actor.
        model: The configured model, for requests that name none.
        operations: The operations that the object has methods for.
    """

    make: Callable[[], Any]
    model: str | None = None
    operations: frozenset[type[Operation]] = frozenset()
    _provider: Any = attrs.field(default=None, init=False)

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Make the object, and enter it if it is a context manager."""
        return self._living()

    @asynccontextmanager
    async def _living(self) -> AsyncGenerator[None, None]:
        provider = self.make()
        if hasattr(provider, "__aenter__"):
            async with provider as entered:
                self._provider = provider if entered is None else entered
                yield
        else:
            self._provider = provider
            yield

    async def answer(self, work: Work) -> AnyResult:
        """Ask the object."""
        request = work.request
        if not isinstance(request, Request):
            result = await operate(self._provider, request, work.model)
            charged = _charged(result)
            return attrs.evolve(result, **charged) if charged else result
        if request.model is None and self.model is not None:
            request = attrs.evolve(request, model=self.model)
        streamed = getattr(self._provider, "stream", None)
        if work.sink is not None and streamed is not None:
            return await _stream(streamed(request), work.sink)
        generate: Callable[[Request], Awaitable[object]] = self._provider.generate
        completion = _to_completion(await generate(request))
        if work.sink is not None:
            await work.sink.put(_to_deltas(completion.message))
        return completion


def _to_completion(value: object) -> Completion:
    if isinstance(value, Completion):
        return value
    if isinstance(value, Reply):
        return Completion(
            value.message,
            value.finish_reason,
            usage=value.usage,
            model=value.model,
            raw=value.raw,
            **_charged(value),
        )
    if isinstance(value, str):
        value = Message("assistant", value)
    if isinstance(value, Message):
        return Completion(value, "tool_calls" if value.tool_calls else "stop")
    raise MalformedResponseError(
        "a custom provider's generate() gives a str, a Message or a Completion, "
        f"not {type(value).__name__}",
        phase="response",
    )


def _charged(given: Reply | OperationResult) -> dict[str, Any]:
    """Give what is known of the cost of what another runtime gave, as what was charged.

    Nothing is known where that runtime did not know its prices, nor where somebody made the
    object without saying a cost: then the provider's own price holds, if it has one.
    """
    cost = given.cost
    stated = cost != NOTHING or given.attempts or getattr(given, "cached", None) is not None
    if not stated or (cost.certainty is Certainty.AT_LEAST and not cost.amount):
        return {}
    return {"charged": cost.amount, "certainty": cost.certainty}


def _to_deltas(message: Message) -> list[Delta]:
    deltas: list[Delta] = []
    if message.reasoning:
        deltas.append(ReasoningDelta(message.reasoning))
    if message.text:
        deltas.append(TextDelta(message.text))
    for index, call in enumerate(message.tool_calls):
        deltas.append(ToolCallDelta(index, call.id, call.name, call.raw or ""))
    return deltas


async def _stream(source: AsyncGenerator[str | Delta, None], sink: Sink) -> Completion:
    gathered = Gathered()
    async with aclosing(source):
        async for item in source:
            delta = TextDelta(item) if isinstance(item, str) else item
            gathered.add(delta)
            await sink.put([delta])
    return gathered.completion()


@attrs.define(eq=False)
class Gathered:
    """Puts the deltas of a stream together again."""

    _text: list[str] = attrs.field(factory=list[str], init=False)
    _reasoning: list[str] = attrs.field(factory=list[str], init=False)
    _thoughts: list[Reasoning] = attrs.field(factory=list[Reasoning], init=False)
    _calls: dict[int, list[str]] = attrs.field(factory=dict[int, list[str]], init=False)

    def add(self, delta: AnyEvent) -> None:
        """Take the next delta."""
        if isinstance(delta, TextDelta):
            self._text.append(delta.text)
        elif isinstance(delta, ReasoningDelta):
            self._reasoning.append(delta.text)
            if delta.opaque is not None:  # state ends a stretch of reasoning
                self._end_stretch(delta.opaque, delta.origin)
        elif isinstance(delta, ToolCallDelta):
            call = self._calls.setdefault(delta.index, ["", "", ""])
            call[0] = call[0] or delta.id or ""
            call[1] = call[1] or delta.name or ""
            call[2] += delta.arguments

    def _end_stretch(
        self, opaque: Mapping[str, Any] | None = None, origin: str | None = None
    ) -> None:
        self._thoughts.append(Reasoning("".join(self._reasoning), opaque, origin))
        self._reasoning.clear()

    def completion(self) -> Completion:
        """Give the whole."""
        if self._reasoning:
            self._end_stretch()
        parts: list[Part] = [*self._thoughts]
        if self._text:
            parts.append(Text("".join(self._text)))
        calls = [
            ToolCall.parse(call_id or f"call_{index}", name, arguments)
            for index, (call_id, name, arguments) in sorted(self._calls.items())
        ]
        return Completion(Message("assistant", (*parts, *calls)), "tool_calls" if calls else "stop")
