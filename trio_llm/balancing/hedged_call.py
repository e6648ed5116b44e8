"""One call of a hedge: who has been asked for it, who is asked next, and when.

All that happens in one instant is judged alike, in whichever order the scheduler lets
it come to pass:

- The answer wins that has the smallest ``(stamp, declared position)`` behind the instant
  barrier (see `trio_llm.balancing.contest`).
- An answer in the very instant at which the next member is due comes too late to spare
  that one.
- A member that fails in the instant of another one's answer is still followed by the
  next, which then loses.
"""

import math
from typing import Protocol

import attrs
import trio

from trio_llm import events
from trio_llm.balancing.contest import barrier_after, best
from trio_llm.balancing.descent import Descent
from trio_llm.balancing.routing import Candidate
from trio_llm.balancing.turn import Branch, Turn, error_of, falls_through, is_busy
from trio_llm.errors import LLMError
from trio_llm.policy.deadlines import divide
from trio_llm.providers.lease import Refusal


class Hedging(Protocol):
    """What the calls of one balancer share."""

    def patience(self, turn: Turn, name: str, /) -> float | None:
        """Give the seconds that a member has before the next one is asked, if they are known."""
        ...

    def asked(self, candidate: Candidate, /) -> None:
        """Count a call whose first member has been asked."""
        ...

    def forbids(self, candidate: Candidate, /) -> str | None:
        """Say why a member may not be asked beside others, if so."""
        ...

    def hedged(self, candidate: Candidate, /) -> None:
        """Count a hedge that has started."""
        ...


@attrs.define(eq=False)
class Runner:
    """A member that has been asked.

    Attributes:
        branch: The member.
        started: When it was asked, on Trio's clock.
        patience: Seconds after which the next one is due; ``None`` when nothing says.
        alone: Whether nobody else was under way then.
        over: Whether it has failed, and that has been dealt with.
    """

    branch: Branch
    started: float
    patience: float | None
    alone: bool
    over: bool = attrs.field(default=False, init=False)

    @property
    def passes_on(self) -> bool:
        """Whether it has failed with an error that another member may mend."""
        error = self.branch.error
        return error is not None and falls_through(error)


@attrs.define(eq=False)
class HedgedCall:
    """One call, from the first member asked to the answer or the errors.

    A member that cannot take the call (busy, cooling, down) is passed over; those that
    are only busy get a second chance, one after the other and in their lines, when nobody
    else answered. One under way that fails is followed by the next at once: that is a
    fallback, and no extra load. An error that no other member could mend ends the call.

    While no hedge can start, a member that is alone has a share of what is left of the
    caller's deadline, as in a fallback (see `trio_llm.policy.deadlines`).

    Args:
        shared: What the calls of this balancer share.
        turn: The visit.
        queue: Whose turn has not come yet, in order.

    Attributes:
        runners: Those who have been asked, in that order.
        hedges: Those of them who were asked because others were late.
        stopped: The error that no other member could mend, if one ended the call.
        delay: Seconds after which the last hedge started, or would have started.
    """

    shared: Hedging
    turn: Turn
    queue: list[Candidate]
    runners: list[Runner] = attrs.field(factory=list[Runner], init=False)
    hedges: list[Branch] = attrs.field(factory=list[Branch], init=False)
    stopped: LLMError | None = attrs.field(default=None, init=False)
    delay: float | None = attrs.field(default=None, init=False)
    _errors: dict[int, LLMError] = attrs.field(factory=dict[int, LLMError], init=False)
    _later: list[LLMError] = attrs.field(factory=list[LLMError], init=False)
    _busy: list[Candidate] = attrs.field(factory=list[Candidate], init=False)
    _positions: dict[int, int] = attrs.field(factory=dict[int, int], init=False)
    _suppressed: bool = attrs.field(default=False, init=False)
    _due: float = attrs.field(default=math.inf, init=False)
    _cut: float = attrs.field(default=math.inf, init=False)

    @property
    def branches(self) -> list[Branch]:
        """Those who have been asked, in that order."""
        return [runner.branch for runner in self.runners]

    @property
    def hedged(self) -> bool:
        """Whether anybody was asked because others were late."""
        return bool(self.hedges)

    @property
    def errors(self) -> list[LLMError]:
        """What members failed with or refused for, in the order in which their turns came."""
        return [self._errors[position] for position in sorted(self._errors)] + self._later

    async def decide(self) -> Branch | None:
        """Ask until there is an answer; give who gave it."""
        self._ask_next()
        while running := [runner for runner in self.runners if not runner.over]:
            now = trio.current_time()
            decided = sorted([r for r in running if r.branch.ask.decided], key=_key)
            # A real clock may have passed what was due before the news came: then it is late.
            instant = decided[0].branch.ask.stamp if decided else None
            failed = next((runner for runner in decided if runner.passes_on), None)
            if now >= self._cut and instant in {None, self._cut}:
                await self._cut_off(running[0])
            elif now >= self._due and instant in {None, self._due}:
                self._hedge(running[-1])
            elif failed is not None:
                self._pass_on(failed, alike=failed.branch.ask.stamp == instant)
            elif await self._over(running, decided):
                return self._outcome(decided)
        return None if self.stopped is not None else await self._among_the_busy()

    async def _over(self, running: list[Runner], decided: list[Runner]) -> bool:
        """Wait for news; true when there is an outcome that nothing of its instant can change."""
        waiting = [runner.branch for runner in running if not runner.branch.ask.decided]
        alarm = min(self._due, self._cut)
        if decided:
            alarm = barrier_after(self.turn, decided[0].branch.ask.stamp)
            if not waiting or trio.current_time() >= alarm:
                return True
        if len(waiting) == 1:
            news = waiting[0].ask.wait_decided
        else:
            bell = trio.Event()
            for branch in waiting:
                branch.ask.watcher = bell.set
            news = bell.wait
        if alarm == math.inf:
            await news()
        else:
            with trio.move_on_at(alarm):
                await news()
        return False

    def _outcome(self, decided: list[Runner]) -> Branch | None:
        """Give the answer that wins; without one, the error that ends the call is noted."""
        winner = best([runner.branch for runner in decided], math.inf)
        if winner is None:
            self.stopped = error_of(decided[0].branch)
        return winner

    def _ask_next(self) -> None:
        """Ask the first of the queue that takes the call."""
        turn = self.turn
        while self.queue:
            candidate = self.queue.pop(0)
            self._positions[candidate.index] = len(self._positions)
            lease = candidate.node.reserve(candidate.request)
            if isinstance(lease, Refusal):
                error: LLMError = lease.error(candidate.node.name)
                if not falls_through(error):
                    self.stopped = error
                    self.queue.clear()
                    break
            else:
                branch = turn.post(candidate, lease, may_wait=False)
                if isinstance(branch, Branch):
                    if not self.runners:
                        self.shared.asked(candidate)
                    self._enter(branch)
                    return
                error = branch
            self._note(candidate, error)
        self._arm()

    def _enter(self, branch: Branch) -> None:
        running = [runner for runner in self.runners if not runner.over]
        patience = self.shared.patience(self.turn, branch.candidate.node.name)
        if patience is None:  # it is taken to be like the slowest of those beside it
            known = [runner.patience for runner in running if runner.patience is not None]
            patience = max(known, default=None)
        self.runners.append(Runner(branch, trio.current_time(), patience, alone=not running))
        self._arm()

    def _arm(self) -> None:
        """Set when the next one is due, and when a member that is alone is cut off."""
        self._due = self._cut = math.inf
        running = [runner for runner in self.runners if not runner.over]
        if not running:
            return
        newest = running[-1]
        if not self.hedges:
            self.delay = newest.patience
        if not self.queue:
            return
        if newest.patience is not None and not self._suppressed:
            self._due = newest.started + newest.patience
        if len(running) == 1:
            self._cut = self._share_of(newest)

    def _share_of(self, alone: Runner) -> float:
        """Give the instant by which a member must have answered, for the others' sake."""
        start, deadline = alone.started, self.turn.ask.deadline
        row = [alone.branch.candidate, *self.queue]
        # An equal share is the least that it has, so this is most often all there is to do.
        if deadline == math.inf or self._due <= start + (deadline - start) / len(row):
            return math.inf
        return divide(start, deadline, [each.node.expected(start) for each in row])

    def _hedge(self, late: Runner) -> None:
        """Ask the first of the queue that can take the call now, beside those under way."""
        turn = self.turn
        target = next((c for c in self.queue if c.node.refusal(c.request) is None), None)
        reason = "no_member" if target is None else self.shared.forbids(target)
        if target is not None and reason is None:
            lease = target.node.reserve(target.request)
            branch = (
                lease.error(target.node.name)
                if isinstance(lease, Refusal)
                else turn.post(target, lease, may_wait=False)
            )
            if isinstance(branch, Branch):
                self.queue.remove(target)
                self._positions[target.index] = len(self._positions)
                self.hedges.append(branch)
                self.delay = late.patience
                self.shared.hedged(target)
                turn.tally.hedges += 1
                turn.emit(events.HedgeStarted, target.node.name, late.patience)
                self._enter(branch)
                return
            reason = getattr(branch, "code", "budget_exceeded")
        self._suppressed = True
        turn.tally.hedges_suppressed += 1
        turn.emit(events.HedgeSuppressed, reason)
        self._arm()

    def _pass_on(self, failed: Runner, *, alike: bool) -> None:
        """Deal with a failure; ask the next member unless an earlier answer is there."""
        failed.over = True
        self._note(failed.branch.candidate, error_of(failed.branch))
        if alike:
            self._ask_next()
        self._arm()

    async def _cut_off(self, alone: Runner) -> None:
        """See off a member that used up its share of the caller's deadline, and go on."""
        alone.over = True
        error = await self.turn.overdue(alone.branch, trio.current_time() - alone.started)
        self._note(alone.branch.candidate, error)
        self._ask_next()

    def _note(self, candidate: Candidate, error: LLMError) -> None:
        if is_busy(error):
            self._busy.append(candidate)
            return
        self._errors[self._positions[candidate.index]] = error
        self.turn.emit(events.FellBack, candidate.node.name, str(error))

    async def _among_the_busy(self) -> Branch | None:
        """Ask those that were only busy, one after the other."""
        if not self._busy:
            return None
        descent = Descent(self.turn)
        branch = await descent.down(self._busy)
        self._later = descent.errors
        if descent.stopped:
            self.stopped = self._later.pop()
        return branch


def _key(runner: Runner) -> tuple[float, int]:
    return runner.branch.key
