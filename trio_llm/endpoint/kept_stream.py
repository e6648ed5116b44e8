"""Streams whose reply is kept, and streams of a reply that was."""

from collections.abc import Awaitable, Callable

import attrs
import trio

from trio_llm.actors import Envelope
from trio_llm.chat import Completion, Reply, Request
from trio_llm.endpoint.replay import events_of
from trio_llm.providers.feed import Feed
from trio_llm.providers.node import Node
from trio_llm.providers.visit import Answer, Ask, Call, Visit
from trio_llm.streaming import ReplyStream


@attrs.define(eq=False, repr=False)
class KeptStream(ReplyStream):
    """A stream whose reply goes somewhere before its consumer is given the end."""

    _keep: Callable[[Reply], Awaitable[None]]

    async def _end(self) -> None:
        await super()._end()
        await self._keep(self._concluded())


def replayed(
    call: Call,
    node: Node,
    request: Request,
    reply: Reply,
    conclude: Callable[[Reply], Reply] = lambda reply: reply,
) -> ReplyStream:
    """Give a reply that is there already as a stream.

    Args:
        call: The caller's.
        node: Who was asked.
        request: What was asked.
        reply: The reply.
        conclude: Is told when the consumer has been given all of it.
    """
    feed = Feed()
    feed.offer(events_of(reply.message))
    feed.close()
    answer = Answer(reply.provider, reply.model, Completion(reply.message), feed=feed)
    ask: Ask = Envelope(Visit(call, request, (node.name,)))
    ask.decide(answer, trio.current_time())
    ask.settle()
    return ReplyStream(ask, answer, lambda _answer: conclude(reply), lambda error: error)
