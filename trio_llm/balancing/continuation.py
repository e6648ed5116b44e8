"""Going on with a stream that broke after it had begun.

The balancer whose member broke asks the others, and has the stream of the one that
answers follow the broken one in the consumer's own feed. A balancer further out does
the same when all members of this one have failed.
"""

from collections.abc import Sequence

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
        branch: Whose stream it is.
        others: Who may go on with it, in order.
        policy: How; never `OnInterrupt.FAIL`.
    """

    turn: Turn
    branch: Branch
    others: list[Candidate]
    policy: OnInterrupt
    _resumed: str = attrs.field(default="", init=False)

    async def follow(self, answer: Answer) -> None:
        """Wait for the end of the stream; go on with it for as long as it breaks.

        When this returns, `answer` says how the stream ended in the end.
        """
        current = answer
        broken: list[LLMError] = []
        while True:
            await self.branch.ask.wait_settled()
            error = current.error
            if error is None or self.turn.ask.cancel_reason is not None:
                break
            if not isinstance(error, StreamInterruptedError):
                break
            broken.append(error)
            following = await self._go_on(answer, error, broken)
            if following is None:
                break
            current = following
        if current is not answer:
            self._conclude(answer, current)
        if answer.error is not None and broken:
            answer.error = self._final(broken, answer)

    async def _go_on(
        self, answer: Answer, error: StreamInterruptedError, broken: list[LLMError]
    ) -> Answer | None:
        """Have the next member go on; ``None`` if nobody can."""
        feed = answer.feed
        if feed is None or not self.others:
            return None
        text = self._resumed + _joining(self._resumed, error.partial_text)
        resuming = self.policy is OnInterrupt.RESUME and feed.has_delivered and bool(text.strip())
        if resuming and not _resumable(self.turn.request):
            return None
        failed = answer.provider
        descent = Descent(self.turn)
        row = self._asked(text) if resuming else self.others
        branch = await descent.down(row)
        broken += descent.errors
        over = {candidate.index for candidate in descent.asked}
        self.others = [each for each in self.others if each.index not in over]
        if branch is None or branch.ask.value is None:
            return None
        following = branch.ask.value
        following.guard()
        self.branch = branch
        self._resumed = text if resuming else ""
        visible = resuming or feed.has_delivered
        event = None
        if visible:
            policy = OnInterrupt.RESUME if resuming else OnInterrupt.RESTART
            event = Switched(following.provider, following.model, failed, error.message, policy)
        _splice(feed, following.feed, event, text if resuming else "", restarted=not resuming)
        branch.candidate.node.won()
        self.turn.emit(events.StreamSwitched, failed, following.provider, self.policy.value)
        came_from = (*answer.metadata.get("switched_from", ()), failed)
        answer.metadata = {
            **answer.metadata,
            **following.metadata,
            "switched_from": came_from,
        }
        answer.provider, answer.model = following.provider, following.model
        return following

    def _asked(self, text: str) -> list[Candidate]:
        """Give those who can go on with a text, each with that as its request."""
        unfinished = Message("assistant", text.rstrip())
        return [
            attrs.evolve(
                candidate,
                request=attrs.evolve(
                    candidate.request,
                    messages=(*candidate.request.messages, unfinished),
                    continuation=True,
                ),
            )
            for candidate in self.others
            if isinstance(candidate.request, Request)
        ]

    def _conclude(self, answer: Answer, last: Answer) -> None:
        """Let the first answer say what the last one came to."""
        answer.error, answer.finished = last.error, last.finished
        answer.result = last.result
        answer.metadata = {**last.metadata, **answer.metadata}
        if self._resumed and isinstance(last.result, Completion):
            answer.result = _whole(self._resumed, last.result)

    def _final(self, broken: Sequence[LLMError], answer: Answer) -> LLMError:
        """Give the error that the consumer sees: the last break, with all that went before."""
        breaks = [error for error in broken if isinstance(error, StreamInterruptedError)]
        last = breaks[-1]
        final = last.copy()
        final.partial_text = self._resumed + _joining(self._resumed, last.partial_text)
        if len(broken) > 1:
            causes = [error for error in broken if error is not last] + [last]
            final.__cause__ = AllProvidersFailed(
                f"nobody of {self.turn.node.name!r} could go on with the stream of "
                f"{answer.provider!r}",
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


def _joining(before: str, text: str) -> str:
    """Give a text as it follows another whose white space at the end was not sent along."""
    return without_repeated(text, len(before) - len(before.rstrip()))


def _whole(begun: str, rest: Completion) -> Completion:
    """Put the text before a break and the completion after it together."""
    text = begun + _joining(begun, rest.message.text)
    kept = tuple(part for part in rest.message.content if not isinstance(part, Text))
    return attrs.evolve(rest, message=Message("assistant", (*kept, Text(text))), raw=None)
