"""Load balance: one member takes the call; in which order they are tried, an `Order` says."""

from collections.abc import Mapping, Sequence

import attrs

from trio_llm.balancing.orders import Order
from trio_llm.balancing.routing import Candidate, others_than, preferred_first
from trio_llm.balancing.turn import (
    Branch,
    Turn,
    error_of,
    falls_through,
    is_busy,
    is_refusal,
)
from trio_llm.chat import AnyRequest, Request
from trio_llm.errors import LLMError, ProviderError
from trio_llm.policy.affinity import Affinity
from trio_llm.providers.lease import Refusal


@attrs.frozen
class LoadBalanceStrategy:
    """One member takes the call; members that cannot take it are skipped.

    A member that refuses (busy, cooling, down, full) passes the call on. One that
    tried and failed does so only where the members are the keys of one provider;
    elsewhere a fallback above does it.

    Attributes:
        turns: Whose turn it is.
        passes_on: Whether a call that failed at one member goes on to the next.
        affinity: Who served which conversation: that member comes before the one whose
            turn it is. ``None`` where that does not matter.
    """

    turns: Order
    passes_on: bool = False
    affinity: Affinity | None = None

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """Whose turn it is must not matter here: declared order, the preferred first."""
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Find the member whose turn it is, and ask it."""
        key = None if self.affinity is None else beginning(turn.request)
        try:
            order = self._order(turn, key)
        except ProviderError as error:
            turn.stop(error, ())
            return
        refused: dict[int, LLMError] = {}
        busy: list[Candidate] = []
        for candidate in order:
            lease = candidate.node.reserve(candidate.request)
            if isinstance(lease, Refusal):
                refusal = lease.error(candidate.node.name)
                refused[candidate.index] = refusal
                if not falls_through(refusal):
                    turn.stop(refusal, ())
                    return
            else:
                able = [each for each in turn.candidates if each.index not in refused]
                self.turns.took(able, candidate)
                outcome = await turn.consult(candidate, lease, may_wait=False)
                if await self._decided(turn, candidate, outcome, order, refused, key):
                    return
                refused[candidate.index] = error_of(outcome)
            if is_busy(refused[candidate.index]):
                busy.append(candidate)
        for candidate in busy if turn.may_wait else ():
            lease = turn.enqueue(candidate)
            if isinstance(lease, Refusal):
                refused[candidate.index] = lease.error(candidate.node.name)
                continue
            self.turns.took(busy, candidate)
            outcome = await turn.consult(candidate, lease, may_wait=True)
            if await self._decided(turn, candidate, outcome, order, refused, key):
                return
            refused[candidate.index] = error_of(outcome)
        turn.fail([refused[index] for index in sorted(refused)])

    def _order(self, turn: Turn, key: bytes | None) -> list[Candidate]:
        """Give the members in the order in which they are tried."""
        order = self.turns.order(turn)
        served = None if self.affinity is None or key is None else self.affinity.member(key)
        if served is not None:
            order = sorted(order, key=lambda candidate: candidate.node.name != served)
        return preferred_first(order, turn.request.prefer)

    async def _decided(
        self,
        turn: Turn,
        candidate: Candidate,
        outcome: Branch | LLMError,
        order: Sequence[Candidate],
        earlier: Mapping[int, LLMError],
        key: bytes | None,
    ) -> bool:
        """Take a member's outcome; false if the next one is to be asked."""
        if isinstance(outcome, Branch) and outcome.error is None:
            if self.affinity is not None and key is not None:
                self.affinity.served(key, candidate.node.name)
            failed = [each for each in order if each.index in earlier]
            others = others_than(candidate, order, failed)
            turn.answer(outcome, {"loadbalance_provider": candidate.node.name}, others)
            await turn.stay(outcome, others)
            return True
        error = error_of(outcome)
        if falls_through(error) and (self.passes_on or is_refusal(error)):
            return False
        if falls_through(error):
            turn.fail([error])
        else:
            turn.stop(error, list(earlier.values()) if self.passes_on else ())
        return True


def beginning(request: AnyRequest) -> bytes | None:
    """Give the key of what stays at the beginning of a conversation from turn to turn.

    That is every system text before the first message of the user, and the text of that.
    ``None`` where there is no such text, and for an operation.
    """
    if not isinstance(request, Request):
        return None
    parts: list[str] = []
    for message in request.messages:
        if message.role == "system":
            parts.append(message.text)
        elif message.role == "user":
            parts.append(message.text)
            break
    return Affinity.key_of(parts) if any(parts) else None
