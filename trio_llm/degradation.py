"""Degradation: what a caller gets in place of an error, where nobody could answer.

Only the runtime's own methods give it, and only `generate` and `stream` (and what is
made of these: typed answers, tool loops). Who asks one provider by name, compares
several, or goes through a batch wants to know how each fared, so errors stay errors
there.

What is remembered is a whole answer in words. An answer that calls tools is not: to
act on it a second time could do harm.
"""

from collections import OrderedDict
from typing import Final

import attrs
import trio

from trio_llm.actors import Envelope
from trio_llm.chat import Completion, Message, Reply, Request, TextDelta, Usage
from trio_llm.chat.digest import digest_of
from trio_llm.config import Degradation
from trio_llm.errors import (
    AllProvidersFailed,
    ContentFilterError,
    InvalidRequestError,
    LLMError,
    ProviderError,
)
from trio_llm.events import EventStream
from trio_llm.policy import blame_for
from trio_llm.providers.feed import Feed
from trio_llm.providers.visit import Answer, Ask, Call, Visit
from trio_llm.streaming import ReplyStream

NOBODY: Final = "degraded"
"""The provider of a reply that none has given."""

_NO_USAGE: Final = Usage()


@attrs.define(eq=False)
class StandIns:
    """The last good answers, and the text for those who have none.

    Attributes:
        settings: What is given, and how old it may be.
        given: How many callers have got one.
    """

    settings: Degradation
    given: int = attrs.field(default=0, init=False)
    _answers: OrderedDict[bytes, tuple[float, Reply]] = attrs.field(
        factory=OrderedDict[bytes, "tuple[float, Reply]"], init=False
    )

    @property
    def active(self) -> bool:
        """Whether there is anything to be given or remembered."""
        return self.settings.stale or self.settings.reply is not None

    def configure(self, settings: Degradation) -> None:
        """Go by other settings from now on; what is remembered stays as far as they let it."""
        self.settings = settings
        if not settings.stale:
            self._answers.clear()
        while len(self._answers) > settings.entries:
            self._answers.popitem(last=False)

    def remember(self, now: float, request: Request, reply: Reply) -> None:
        """Keep an answer, if it may be given again; `now` in seconds on Trio's clock."""
        good = reply.finish_reason == "stop" and reply.text and not reply.tool_calls
        if not (self.settings.stale and good and reply.degraded is None):
            return
        key = digest_of(request)
        if key is None:
            return
        kept = attrs.evolve(reply, metadata=dict(reply.metadata), attempts=(), raw=None)
        self._answers[key] = (now, kept)
        self._answers.move_to_end(key)
        if len(self._answers) > self.settings.entries:
            self._answers.popitem(last=False)

    def stand_in(
        self, now: float, request: Request, error: LLMError, latency: float
    ) -> Reply | None:
        """Give what a caller gets in place of an error; ``None`` if the error stands.

        Args:
            now: The present instant, on Trio's clock.
            request: What was asked.
            error: What came of it.
            latency: Seconds since then.
        """
        if not might_have_been_mended(error):
            return None
        reply = self._stale(now, request) or self._default(request)
        if reply is None:
            return None
        marks = {"degraded": reply.degraded, "degraded_error": str(error)}
        return attrs.evolve(
            reply,
            usage=_NO_USAGE,
            latency=latency,
            time_to_first_token=None,
            metadata={**reply.metadata, **marks},
            attempts=error.attempts,
        )

    def _stale(self, now: float, request: Request) -> Reply | None:
        if not self._answers:
            return None
        key = digest_of(request)
        found = None if key is None else self._answers.get(key)
        if key is None or found is None:
            return None
        since, reply = found
        if now - since > self.settings.stale_for:
            del self._answers[key]
            return None
        self._answers.move_to_end(key)
        age = {"degraded_age": now - since}
        return attrs.evolve(reply, degraded="stale", metadata={**reply.metadata, **age})

    def _default(self, request: Request) -> Reply | None:
        text = self.settings.reply
        if text is None or request.output is not None:  # no text has a shape of its own accord
            return None
        return Reply(
            message=Message("assistant", text),
            finish_reason="stop",
            usage=_NO_USAGE,
            provider=NOBODY,
            model=request.model or "",
            latency=0.0,
            degraded="default",
        )


def might_have_been_mended(error: LLMError) -> bool:
    """Tell whether another provider, or this one at another time, could have answered.

    The table in `trio_llm.policy.blame` says so; but a request that cannot be served as
    it is, and a refused content, are the caller's, whatever a configuration makes of
    them.
    """
    leaves = error.errors if isinstance(error, AllProvidersFailed) else (error,)
    return any(
        isinstance(leaf, ProviderError)
        and not isinstance(leaf, InvalidRequestError | ContentFilterError)
        and blame_for(leaf).falls_through
        for leaf in leaves
    )


def stream_of(reply: Reply, request: Request, events: EventStream) -> ReplyStream:
    """Give a reply that is there already as a stream of one piece."""
    now = trio.current_time()
    call = Call(0, True, now, events, 0, _nothing)
    call.concluded = True
    feed = Feed()
    feed.offer([TextDelta(reply.text)])
    feed.close()
    completion = Completion(reply.message, reply.finish_reason)
    answer = Answer(reply.provider, reply.model, completion, feed=feed, finished=now)
    ask: Ask = Envelope(Visit(call, request, (reply.provider,)))
    ask.decide(answer, now)
    ask.settle()
    return ReplyStream(ask, answer, lambda _answer: reply, lambda error: error)


def _nothing() -> None:
    """Nothing of it can overrun."""
