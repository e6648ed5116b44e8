"""One request to a node, by way of the answers that are kept and the calls that are shared.

This is the entry of a runtime, and the only place where either comes into play: what a
balancer asks its members is asked of them, so the votes of a consensus are never one answer.
"""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Unpack

from trio_llm.chat import Reply, Request
from trio_llm.endpoint.asking import Asking
from trio_llm.endpoint.cached_inquiry import CachedInquiry
from trio_llm.endpoint.handling import Handling, terms_of
from trio_llm.endpoint.inquiry import Inquiry
from trio_llm.endpoint.kept_stream import KeptStream, replayed
from trio_llm.endpoint.shared_stream import follow, pump
from trio_llm.errors import LLMError
from trio_llm.prompt import CallOptions, Prompt, to_request
from trio_llm.streaming import ReplyStream


class Caching(Asking):
    """Asks as any endpoint, unless there is an answer already, or somebody asks the same."""

    async def generate(self, prompt: Prompt, **options: Unpack[CallOptions]) -> Reply:
        """Ask, and wait for the whole answer; see `Endpoint.generate`.

        With `Config.cache`, or ``cache`` in the call, the answer may be one that was kept
        (`Reply.cached` is ``hit``), or that of another caller who asks the same at the same
        time (``shared``); neither has cost anything.
        """
        request = to_request(prompt, options)
        if request.cache is None and self._switchboard.answers.idle:
            return await super().generate(request)
        inquiry = self._inquire(request)
        reply = await inquiry.recalled()
        if reply is not None:
            return reply
        try:
            inquiry.open()
            return await inquiry.reply()
        except LLMError as error:
            reply = await inquiry.amended(error)
            if reply is None:
                raise
            return reply

    def stream(
        self, prompt: Prompt, **options: Unpack[CallOptions]
    ) -> AbstractAsyncContextManager[ReplyStream]:
        """Ask, and take the answer as it is written; see `Endpoint.stream`.

        An answer that was kept comes as the same kinds of events, in a few pieces. One that
        is written is kept when it has finished; who leaves it early keeps nothing.
        """
        request = to_request(prompt, options)
        if request.cache is None and self._switchboard.answers.idle:
            return super().stream(request)
        return self._stream(request)

    @asynccontextmanager
    async def _stream(self, request: Request) -> AsyncGenerator[ReplyStream, None]:
        node = self._look_up()
        terms = terms_of(self._switchboard, node, request)
        if terms is None:
            async with super().stream(request) as stream:
                yield stream
            return
        board = self._switchboard
        handling = Handling(board, self._look_up, node, request, terms, streaming=True)
        call = handling.begin()
        found = await handling.find(call)
        if found is not None:
            reply = handling.given(call, found)
            try:
                yield replayed(call, node, request, reply, partial(board.given, call, node))
            finally:
                board.given_up(call, node)
            return
        async with AsyncExitStack() as stack:
            try:
                stream = await stack.enter_async_context(self._written(handling))
            except LLMError as error:
                stale = await handling.stale(error)
                if stale is None:
                    raise
                stream = replayed(call, node, request, stale)
            yield stream

    @asynccontextmanager
    async def _written(self, handling: Handling) -> AsyncGenerator[ReplyStream, None]:
        """Open a stream that is written now, for this caller alone or for several."""
        board, request = self._switchboard, handling.request
        seat = handling.seat()
        if seat is None:
            origin = handling.origin()
            ask = handling.ask(origin)
            call, node = ask.payload.call, handling.node
            replied = partial(self._replied, request, call, node)
            if origin is None:
                async with board.streamed(node, request, ask) as (_, answer):
                    yield KeptStream(
                        ask,
                        answer,
                        replied,
                        partial(board.finished, call, node),
                        partial(handling.keep, call),
                    )
                return
            work = partial(pump, handling, ask, replied)
            seat = board.flights.begin(handling.flight_key, ask, work, origin, handling.log())
        async with follow(handling, seat) as stream:
            yield stream

    def _inquire(self, request: Request) -> Inquiry:
        """Give the steps of a plain question.

        Raises:
            ConfigError: Nobody bears the name of this endpoint any more.
        """
        board = self._switchboard
        if request.cache is None and board.answers.idle:
            return Inquiry(board, self._look_up, request)
        node = self._look_up()
        terms = terms_of(board, node, request)
        if terms is None:
            return Inquiry(board, self._look_up, request)
        handling = Handling(board, self._look_up, node, request, terms, streaming=False)
        return CachedInquiry(handling)
