"""Custom provider classes that the tests name by module."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext

from trio_llm.chat import Completion, Message, Request
from trio_llm.providers.backend import Work
from trio_llm.providers.status import ProviderStatus


def traced(
    method: "Callable[[Wrapped, Request], Awaitable[str]]",
) -> "Callable[[Wrapped, Request], Awaitable[str]]":
    """Wrap a method as decorators do, so that it no longer looks asynchronous."""

    @functools.wraps(method)
    def inner(provider: "Wrapped", request: Request) -> Awaitable[str]:
        return method(provider, request)

    return inner


class Echo:
    """Answers with the prompt."""

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix

    async def generate(self, request: Request) -> str:
        """Repeat the last message."""
        return self.prefix + request.messages[-1].text


class Raw:
    """An instance of it speaks the provider actor's own protocol."""

    async def answer(self, work: Work) -> Completion:
        """Answer with the same word always."""
        return Completion(Message("assistant", work.model or "raw"))

    def resources(self) -> AbstractAsyncContextManager[None]:
        """Open nothing."""
        return nullcontext()


class Wrapped:
    """Its method went through a decorator."""

    @traced
    async def generate(self, request: Request) -> str:
        """Repeat the last message."""
        return request.messages[-1].text


class Mute:
    """Has no method at all."""


class Backwards:
    """A selection: the last declared first."""

    def order(self, _request: Request, members: Sequence[ProviderStatus]) -> list[str]:
        """Give all names from the end."""
        return [member.name for member in reversed(members)]


def shortest(_request: Request, completion: Completion) -> float:
    """Score an answer: the shorter, the better."""
    return -float(len(completion.message.text))
