"""One request to a node, and something in place of an error where nobody could answer."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Unpack

import attrs
import trio

from trio_llm.chat import Cost, Reply, Request
from trio_llm.degradation import StandIns, stream_of
from trio_llm.endpoint.asking import Asking
from trio_llm.errors import LLMError
from trio_llm.events import Degraded
from trio_llm.prompt import CallOptions, Prompt, to_request
from trio_llm.providers.node import Node
from trio_llm.providers.visit import Answer, Call
from trio_llm.streaming import ReplyStream
from trio_llm.switchboard import Switchboard


class Degrading(Asking):
    """Asks as any endpoint; where that fails, a stale or a default reply may stand in.

    Args:
        switchboard: What opens and ends calls.
        name: Who is asked; ``None`` means whoever is the default.
        stand_ins: What is given in place of an error.
    """

    def __init__(self, switchboard: Switchboard, name: str | None, stand_ins: StandIns) -> None:
        super().__init__(switchboard, name)
        self._stand_ins = stand_ins

    @property
    def _degrades(self) -> bool:
        # Who asks a runtime that is being closed is told so.
        return self._stand_ins.active and not self._switchboard.supervisor.stopping

    async def generate(self, prompt: Prompt, **options: Unpack[CallOptions]) -> Reply:
        """Ask, and wait for the whole answer; see `Endpoint.generate`.

        Where nobody could answer, and `Config.degradation` says so, the reply is a stale
        or a default one: `Reply.degraded` tells, and ``metadata["degraded_error"]`` why.
        """
        if not self._degrades:
            return await super().generate(prompt, **options)
        request = to_request(prompt, options)
        name, started = self.name, trio.current_time()
        try:
            reply = await super().generate(request)
        except LLMError as error:
            stand_in = await self._stand_in(name, request, error, started)
            if stand_in is None:
                raise
            return stand_in
        self._remember(request, reply)
        return reply

    def stream(
        self, prompt: Prompt, **options: Unpack[CallOptions]
    ) -> AbstractAsyncContextManager[ReplyStream]:
        """Ask, and take the answer as it is written; see `Endpoint.stream`.

        A call that fails before its commit may be given a reply as by `generate`, in one
        piece. A stream that breaks later is not: the caller has seen a part of it.
        """
        if not self._degrades:
            return super().stream(prompt, **options)
        return self._degrading(to_request(prompt, options))

    @asynccontextmanager
    async def _degrading(self, request: Request) -> AsyncGenerator[ReplyStream, None]:
        name, started = self.name, trio.current_time()
        async with AsyncExitStack() as stack:
            try:
                stream = await stack.enter_async_context(super().stream(request))
            except LLMError as error:
                reply = await self._stand_in(name, request, error, started)
                if reply is None:
                    raise
                stream = stream_of(reply, request, self._switchboard.events)
            yield stream

    async def _stand_in(
        self, name: str, request: Request, error: LLMError, started: float
    ) -> Reply | None:
        """Give what stands in for an answer, and record that; ``None`` if the error stands."""
        now = trio.current_time()
        reply = self._stand_ins.stand_in(now, request, error, now - started)
        if reply is not None:
            # What it cost was booked with the call that gave it.
            reply = attrs.evolve(reply, cost=Cost.total(each.cost for each in error.attempts))
            await trio.lowlevel.checkpoint()  # a call that was refused has met none
            self._stand_ins.given += 1
            events = self._switchboard.events
            if events.watched:
                head = (trio.current_time(), error.call_number, (name,))
                events.emit(Degraded(*head, reply.degraded or "", type(error).__name__))
        return reply

    def _replied(self, request: Request, call: Call, node: Node, answer: Answer) -> Reply:
        reply = super()._replied(request, call, node, answer)
        self._remember(request, reply)
        return reply

    def _remember(self, request: Request, reply: Reply) -> None:
        if reply.cached is None:  # what was given before is no newer for being given again
            self._stand_ins.remember(trio.current_time(), request, reply)
