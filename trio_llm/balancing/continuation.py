"""Going on with a stream that broke after it had begun.

The balancer whose member broke asks the others, and has the stream of the one that
answers follow the broken one in the consumer's own feed. A balancer further out does
the same when all members of this one have failed.
"""

import math

import attrs

from trio_llm import events
from trio_llm.balancing.descent import Descent
from trio_llm.balancing.routing import Candidate
from trio_llm.balancing.turn import Branch, Turn
from trio_llm.chat import Completion, Message, OnInterrupt, Request, Switched, Text
from trio_llm.errors import AllProvidersFailed, LLMError, StreamInterruptedError
from trio_llm.providers.feed import Feed, without_repeated
from trio_llm.providers.visit import Answer


@attrs.define(eq=False)
class Continuation:
    """One stream that others go on with when it breaks.

    Args:
        turn: The visit.
        branch: Whose stream it is, then who goes on with it.
        answer: The stream, as its consumer has it.
        others: Who may go on with it, in order.
        policy: How; never `OnInterrupt.FAIL`.
        tries: How many of them may be asked.
    """

    turn: Turn
    branch: Branch
    answer: Answer
    others: list[Candidate]
    policy: OnInterrupt
    tries: float = math.inf
    _last: Answer = attrs.field(init=False)
    _resumed: str = attrs.field(default="", init=False)
    _text: str = attrs.field(default="", init=False)
    _errors: list[LLMError] = attrs.field(factory=list[LLMError], init=False)

    def __attrs_post_init__(self) -> None:
        self._last = self.answer

    async def follow(self) -> None:
        """Wait for the end of the stream; go on with it for as long as it breaks."""
        while True:
            await self.branch.ask.wait_settled()
            error = self._last.error
            if error is None or self.turn.ask.cancel_reason is not None:
                return
            if not isinstance(error, StreamInterruptedError):
                return
            self._note(error)
            if not await self._go_on(error):
                return

    def conclude(self) -> None:
        """Let the answer say how the stream ended, as far as that is known."""
        answer, last = self.answer, self._last
        if last is not answer and (last.result is not None or last.error is not None):
            answer.error, answer.finished, answer.result = last.error, last.finished, last.result
            if self._resumed and isinstance(last.result, Completion):
                answer.result = _whole(self._resumed, last.result)
            if isinstance(last.error, StreamInterruptedError) and last.error not in self._errors:
                self._note(last.error)
        if answer.error is not None and self._errors:
            answer.error = self._final()

    def _note(self, error: StreamInterruptedError) -> None:
        """Note a break, and the text that stands until there."""
        self._text = self._resumed + _joining(self._resumed, error.partial_text)
        self._errors.append(error)

    async def _go_on(self, error: StreamInterruptedError) -> bool:
        """Have the next member go on; false if nobody can."""
        feed = self.answer.feed
        if feed is None or not self.others:
            return False
        text = self._text
        visible, resuming = feed.has_delivered, False
        if self.policy is OnInterrupt.RESUME and visible:
            if not _resumable(self.turn.request):
                return False
            resuming = bool(text.strip()) or _is_continuation(self.turn.request)
        if not visible:
            feed.withhold()
        descent = Descent(self.turn, self.tries)
        try:
            branch = await descent.down(self._asked(text) if resuming else self.others)
        finally:
            self._errors += descent.errors
        over = {candidate.index for candidate in descent.asked}
        self.others = [each for each in self.others if each.index not in over]
        if branch is None or branch.ask.value is None:
            return False
        following = branch.ask.value
        following.guard()
        failed, policy = self.answer.provider, OnInterrupt.RESTART
        if resuming:
            policy = OnInterrupt.RESUME
        event = None
        if visible:
            event = Switched(following.provider, following.model, failed, error.message, policy)
        _splice(feed, following.feed, event, text if resuming else "", restarted=not resuming)
        following.follow(self._last)
        self.branch, self._last = branch, following
        self.tries = descent.tries - 1
        self._resumed = text if resuming else ""
        branch.candidate.node.won()
        self.turn.emit(events.StreamSwitched, failed, following.provider, policy.value)
        return True

    def _asked(self, text: str) -> list[Candidate]:
        """Give those who can go on with a text, each with that as its request."""
        return [
            attrs.evolve(candidate, request=_going_on(candidate.request, text))
            for candidate in self.others
            if isinstance(candidate.request, Request)
        ]

    def _final(self) -> LLMError:
        """Give the error that the consumer sees: the last break, with all that went before."""
        errors = self._errors
        breaks = [error for error in errors if isinstance(error, StreamInterruptedError)]
        last = breaks[-1]
        final = last.copy()
        final.partial_text = self._text
        if len(errors) > 1:
            causes = [error for error in errors if error is not last] + [last]
            final.__cause__ = AllProvidersFailed(
                f"nobody of {self.turn.node.name!r} could go on with the stream of "
                f"{self.answer.provider!r}",
                causes,
                self.turn.node.name,
            )
        return final


def _splice(
    feed: Feed, following: Feed | None, event: Switched | None, text: str, *, restarted: bool
) -> None:
    if following is None:
        raise TypeError("a stream can only be followed by a stream")
    if restarted:
        feed.discard()
    feed.tail.splice(following, event, len(text) - len(text.rstrip()))


def _resumable(request: object) -> bool:
    """Whether an answer to a request can be gone on with: neither tools nor a schema."""
    return isinstance(request, Request) and not request.tools and request.output is None


def _is_continuation(request: object) -> bool:
    return isinstance(request, Request) and request.continuation


def _going_on(request: Request, text: str) -> Request:
    """Ask for what follows a text, of all that are asked below, too."""
    begun, messages = Message("assistant", ""), request.messages
    if request.continuation:
        begun, messages = messages[-1], messages[:-1]
    unfinished = _extended(begun, (begun.text + text).rstrip())
    return attrs.evolve(
        request,
        messages=(*messages, unfinished),
        continuation=True,
        on_interrupt=OnInterrupt.RESUME,
    )


def _joining(before: str, text: str) -> str:
    """Give a text as it follows another whose white space at the end was not sent along."""
    return without_repeated(text, len(before) - len(before.rstrip()))


def _whole(begun: str, rest: Completion) -> Completion:
    """Put the text before a break and the completion after it together."""
    text = begun + _joining(begun, rest.message.text)
    return attrs.evolve(rest, message=_extended(rest.message, text), raw=None)


def _extended(message: Message, text: str) -> Message:
    """Give a message another text, and leave it what else is in it."""
    kept = tuple(part for part in message.content if not isinstance(part, Text))
    return attrs.evolve(message, content=(*kept, Text(text)))
