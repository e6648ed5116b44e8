"""Whose state a piece of reasoning carries: that of one dialect at one server.

A dialect knows its own state by its name. Two servers of one dialect seal theirs
with different keys, so what a provider gave is marked with the server too, and is
handed to the dialect only when it goes back there. A mark without a server is taken
by every provider of the dialect.
"""

from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

import attrs

from trio_llm.chat import AnyEvent, Completion, Message, Part, Reasoning, ReasoningDelta, Request


@attrs.frozen
class Origin:
    """One provider's mark.

    Args:
        dialect: The name of its dialect.
        mark: The same with its server.
    """

    dialect: str
    mark: str

    @classmethod
    def of(cls, dialect: str, base_url: str) -> "Origin":
        """Make the mark of a provider by its address."""
        return cls(dialect, f"{dialect}@{urlsplit(base_url).netloc.rpartition('@')[2].lower()}")

    def outward(self, request: Request) -> Request:
        """Give a request as the dialect should see it: with its own state, and no other's."""
        for message in request.messages:
            for part in message.content:
                if type(part) is Reasoning and part.origin is not None:
                    return attrs.evolve(
                        request, messages=[self._outward(message) for message in request.messages]
                    )
        return request

    def _outward(self, message: Message) -> Message:
        return Message(message.role, _each(message.content, self._sent))

    def _sent(self, part: Reasoning) -> Reasoning:
        if part.origin == self.mark:
            return attrs.evolve(part, origin=self.dialect)
        if part.origin == self.dialect:
            return part
        # Another server of the same dialect: what can be read stays, what is sealed goes.
        return attrs.evolve(part, opaque=None)

    def inward(self, completion: Completion) -> Completion:
        """Mark the state in an answer."""
        for part in completion.message.content:
            if type(part) is Reasoning and part.origin is not None:
                message = completion.message
                content = _each(message.content, self._received)
                return attrs.evolve(completion, message=Message(message.role, content))
        return completion

    def _received(self, part: Reasoning) -> Reasoning:
        return attrs.evolve(part, origin=self.mark) if part.origin == self.dialect else part

    def inward_events(self, events: Sequence[AnyEvent]) -> Sequence[AnyEvent]:
        """Mark the state in the events of a stream."""
        for event in events:
            if type(event) is ReasoningDelta and event.origin is not None:
                return [self._marked(event) for event in events]
        return events

    def _marked(self, event: AnyEvent) -> AnyEvent:
        if isinstance(event, ReasoningDelta) and event.origin == self.dialect:
            return attrs.evolve(event, origin=self.mark)
        return event


def _each(parts: Iterable[Part], change: Callable[[Reasoning], Reasoning]) -> list[Part]:
    return [change(part) if isinstance(part, Reasoning) else part for part in parts]
