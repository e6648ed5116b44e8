"""Hedge: ask one member, and the next one too when the answer is late.

What one call goes through is told in `trio_llm.balancing.hedged_call`; here is what the
calls of one balancer share: how long is too long, and how much may be spent on it.
"""

from typing import Final, TypeAlias

import attrs
import trio

from trio_llm import events
from trio_llm.balancing.contest import see_losers_off
from trio_llm.balancing.descent import Descent
from trio_llm.balancing.hedged_call import HedgedCall, Runner
from trio_llm.balancing.routing import Candidate, others_than, preferred_first
from trio_llm.balancing.turn import Turn
from trio_llm.chat import Request
from trio_llm.policy.hedging import HedgeBudget, delay_from
from trio_llm.policy.latency import RELATIVE_ERROR, RotatingHistogram

_Alike: TypeAlias = tuple[str, type, bool]
"""Calls that take alike: the member, the class of the request, whether it is a stream."""

_UPPER_END: Final = 1.0 / (1.0 - RELATIVE_ERROR)
"""The end of a histogram's bucket as a multiple of its middle."""


@attrs.define(eq=False)
class HedgeStrategy:
    """In declared order, the call's preferred first; the next one when it takes too long.

    How long is too long is a fixed delay, or a percentile of how long the member took of
    late, to the first token of a stream or to the answer of a plain call; both are kept
    apart, and so are the operations.

    What is learnt is only how long a member took that was asked alone, since nothing but
    the wait itself then decides which samples there are. One that lost to its hedge, or
    failed, or was given up, is taken to have lasted as long as it did if that is beyond
    the percentile already, and else left out. So the percentile at which hedges start is
    not moved by those that were cut there, as it would be if they were left out: it would
    fall, and fall again. Higher ones come out too low.

    A call that says that it has side effects is never hedged, and never sent twice: only
    a member that refused it, without an attempt, passes it on.

    Args:
        delay: Seconds after which the next member is asked; ``None`` for the percentile.
        percentile: The share, 0 to 1, of recent times.
        minimum_samples: Without so many recent times there is no percentile.
        window: How many seconds count as recent.
        budget: What limits the extra load.
    """

    delay: float | None = None
    percentile: float = 0.9
    minimum_samples: int = 20
    window: float = 300.0
    budget: HedgeBudget = attrs.field(factory=HedgeBudget)
    _times: dict[_Alike, RotatingHistogram] = attrs.field(
        factory=dict[_Alike, RotatingHistogram], init=False
    )

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """Give the declared order, the preferred first."""
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Ask the members, one after the other or one beside the other."""
        order = self.in_order(turn.candidates, turn.request.prefer)
        if isinstance(turn.request, Request) and turn.request.side_effects:
            await self._once(turn, order)
            return
        call = HedgedCall(self, turn, list(order))
        try:
            winner = await call.decide()
        except BaseException:
            self._learn(turn, call.runners)
            await turn.dismiss(call.branches, turn.give_up_reason)
            raise
        self._learn(turn, call.runners)
        reason = "another member's error ended the call"
        others: list[Candidate] = []
        if winner is not None:
            name = winner.candidate.node.name
            reason = f"{name!r} answered first"
            failed = [each.candidate for each in call.branches if each.ask.error is not None]
            others = others_than(winner.candidate, order, failed)
            if call.hedged:
                late = winner in call.hedges
                turn.emit(events.WinnerChosen, name, winner.ask.stamp, late)
                turn.tally.hedges_won += late
            turn.answer(winner, _metadata(name, call.delay, hedged=call.hedged), others)
        losers = [branch for branch in call.branches if branch is not winner]
        await see_losers_off(turn, losers, reason)
        if winner is not None:
            await turn.stay(winner, others)
        elif call.stopped is not None:
            turn.stop(call.stopped, call.errors)
        else:
            turn.fail(call.errors)

    async def _once(self, turn: Turn, order: list[Candidate]) -> None:
        """Let one member try, the first that takes the call."""
        descent = Descent(turn, 1)
        branch = await descent.down(order)
        if branch is not None:
            turn.answer(branch, _metadata(branch.candidate.node.name, None, hedged=False))
            await turn.stay(branch)
        elif descent.stopped:
            turn.stop(descent.errors[-1], descent.errors[:-1])
        else:
            turn.fail(descent.errors)

    def patience(self, turn: Turn, name: str) -> float | None:
        """Give the seconds that a member has before the next one is asked.

        Args:
            turn: The visit.
            name: The member.

        Returns:
            Seconds, or ``None`` while too little is known of it. By percentile it is the
            upper end of the histogram's bucket, so that the share really has answered.
        """
        if self.delay is not None:
            return self.delay
        histogram = self._times.get(_alike(turn, name))
        if histogram is None:
            return None
        now = trio.current_time()
        delay = delay_from(histogram, now, self.percentile, self.minimum_samples)
        return None if delay is None else delay * _UPPER_END

    def asked(self, candidate: Candidate) -> None:
        """Count a call whose first member has been asked."""
        self.budget.called(_cost(candidate))

    def forbids(self, candidate: Candidate) -> str | None:
        """Say which share is used up, if one is, so that a member may not be asked beside."""
        if not self.budget.may_hedge(0.0):
            return "calls"
        return None if self.budget.may_hedge(_cost(candidate)) else "spend"

    def hedged(self, candidate: Candidate) -> None:
        """Count a hedge that has started."""
        self.budget.hedged(_cost(candidate))

    def _learn(self, turn: Turn, runners: list[Runner]) -> None:
        """Note how long the members took that were asked alone."""
        if self.delay is not None:
            return
        now = trio.current_time()
        for runner in runners:
            if not runner.alone:
                continue
            name, ask = runner.branch.candidate.node.name, runner.branch.ask
            seconds = (ask.stamp if ask.decided else now) - runner.started
            if ask.value is None:
                patience = self.patience(turn, name)
                if patience is None or seconds < patience:
                    continue
            key = _alike(turn, name)
            if key not in self._times:
                self._times[key] = RotatingHistogram(self.window)
            self._times[key].observe(now, seconds)


def _alike(turn: Turn, name: str) -> _Alike:
    return name, type(turn.request), turn.ask.payload.call.streaming


def _cost(candidate: Candidate) -> float:
    return candidate.node.cost(candidate.request) or 0.0


def _metadata(name: str, delay: float | None, *, hedged: bool) -> dict[str, object]:
    return {
        "hedge_provider": name,
        "hedged": hedged,
        "hedge_delay_ms": None if delay is None else round(delay * 1000),
    }
