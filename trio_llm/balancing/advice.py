"""Asking somebody besides the members: one who judges answers, or embeds them."""

import attrs

from trio_llm import events
from trio_llm.balancing.routing import Candidate
from trio_llm.balancing.turn import Branch, Turn
from trio_llm.chat import AnyRequest
from trio_llm.errors import LLMError
from trio_llm.providers.lease import Refusal
from trio_llm.providers.node import Node


@attrs.define(eq=False)
class Adviser:
    """Asks one node on behalf of a visit; each question is a visit below it.

    The attempts are those of the call: they count, and stand in its records. Whoever
    asks lets all that was asked be gone before the visit ends.

    Args:
        turn: The visit.
        node: Who is asked.

    Attributes:
        asked: Every question that is or was under way.
    """

    turn: Turn
    node: Node
    asked: list[Branch] = attrs.field(factory=list[Branch], init=False)

    def ask(self, request: AnyRequest, member: Branch, deadline: float) -> Branch | None:
        """Ask, waiting in line if need be; ``None`` if that cannot be, which is told.

        Args:
            request: The question.
            member: Whose answer it is about.
            deadline: When it must be answered, on Trio's clock.
        """
        first = 1 + max(candidate.index for candidate in self.turn.candidates)
        candidate = Candidate(self.node, first + len(self.asked), request)
        place = self.turn.enqueue(candidate)
        if isinstance(place, Refusal):
            self.missing(member, place.error(self.node.name))
            return None
        branch = self.turn.post(candidate, place, may_wait=True, deadline=deadline)
        if not isinstance(branch, Branch):
            self.missing(member, branch)
            return None
        self.asked.append(branch)
        return branch

    def missing(self, member: Branch, reason: LLMError | str) -> None:
        """Tell that there is no advice about a member's answer."""
        self.turn.emit(
            events.AdviceMissing, self.node.name, member.candidate.node.name, str(reason)
        )
