"""Race: ask every member that can take the call, and keep the first success.

The winner is the success with the smallest ``(stamp, declared position)`` among
those known after the *instant barrier*: after a completion at instant t the race
waits until the next representable instant, so that everything else that happens
at t is known too. A race above other races waits one step more for each level,
since their own barriers come first. So the winner never depends on the order in
which the scheduler runs the tasks.
"""

import math

import attrs
import trio

from trio_llm import events
from trio_llm.balancing.routing import Candidate, preferred_first
from trio_llm.balancing.turn import Branch, Turn
from trio_llm.errors import LLMError, ProviderTimeoutError
from trio_llm.providers.lease import Refusal


@attrs.define(eq=False)
class _Contest:
    """What is known of one race while it runs.

    Attributes:
        news: Set at the first success, or when every entrant has failed.
    """

    pending: int
    news: trio.Event = attrs.field(factory=trio.Event, init=False)

    def watch(self, entrant: Branch) -> None:
        """Be told when a member is decided."""
        if entrant.ask.decided:
            self._note(entrant)
        else:
            entrant.ask.watcher = lambda: self._note(entrant)

    def _note(self, entrant: Branch) -> None:
        self.pending -= 1
        if entrant.ask.error is None or self.pending == 0:
            self.news.set()


@attrs.frozen
class RaceStrategy:
    """First wins; the losers are cancelled, awaited and gone.

    Args:
        timeout: Seconds to the commit; the body of a winning stream is not
            covered. ``None`` for no limit.
    """

    timeout: float | None = None

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """All are asked at once: declared order, the preferred first."""
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Race the members."""
        start = trio.current_time()
        deadline = math.inf if self.timeout is None else start + self.timeout
        entrants, refused = _line_up(turn, deadline)
        try:
            winner = await _verdict(turn, entrants, deadline)
        except BaseException:
            await turn.dismiss(entrants, turn.give_up_reason)
            raise
        reason = f"no success within {self.timeout} s"
        others: list[Candidate] = []
        if winner is not None:
            name = winner.candidate.node.name
            reason = f"lost the race to {name!r}"
            turn.emit(events.WinnerChosen, name, winner.ask.stamp)
            latency = round((winner.ask.stamp - start) * 1000)
            others = [each for each in turn.candidates if each is not winner.candidate]
            metadata = {"racing_winner": name, "racing_latency_ms": latency}
            turn.answer(winner, metadata, others)
        losers = [entrant for entrant in entrants if entrant is not winner]
        _announce(turn, losers, reason)
        await turn.dismiss(losers, reason)
        for loser in losers:  # one that was cancelled may have finished all the same
            turn.ask.payload.call.discard(loser.ask.payload.path, reason)
        if winner is not None:
            await turn.stay(winner, others)
            return
        errors: dict[int, LLMError] = dict(refused)
        for entrant in entrants:
            errors[entrant.candidate.index] = _error_of(entrant, deadline, reason)
        turn.fail([errors[index] for index in sorted(errors)])


def _line_up(turn: Turn, deadline: float) -> tuple[list[Branch], dict[int, LLMError]]:
    """Ask every member in one synchronous step, so that the start is fair.

    Members without a free place take part only when nobody has one; they then wait
    in line.
    """
    entrants: list[Branch] = []
    refused: dict[int, LLMError] = {}
    busy: list[int] = []
    for position, candidate in enumerate(turn.candidates):
        lease = candidate.node.reserve(candidate.request)
        if isinstance(lease, Refusal):
            refused[candidate.index] = lease.error(candidate.node.name)
            if lease.code == "busy":
                busy.append(position)
            continue
        branch = turn.post(candidate, lease, may_wait=turn.may_wait, deadline=deadline)
        if isinstance(branch, Branch):
            entrants.append(branch)
        else:
            refused[candidate.index] = branch
    if entrants or not turn.may_wait:
        return entrants, refused
    for position in busy:
        candidate = turn.candidates[position]
        lease = turn.enqueue(candidate)
        branch = (
            lease.error(candidate.node.name)
            if isinstance(lease, Refusal)
            else turn.post(candidate, lease, may_wait=True, deadline=deadline)
        )
        if isinstance(branch, Branch):
            entrants.append(branch)
            del refused[candidate.index]
        else:
            refused[candidate.index] = branch
    return entrants, refused


async def _verdict(turn: Turn, entrants: list[Branch], deadline: float) -> Branch | None:
    """Wait for the first success, then for the rest of its instant."""
    if not entrants:
        return None
    contest = _Contest(len(entrants))
    for entrant in entrants:
        contest.watch(entrant)
    if deadline == math.inf:
        await contest.news.wait()
    else:
        with trio.move_on_at(deadline):
            await contest.news.wait()
    winner = _best(entrants, deadline)
    if winner is None:
        return None
    barrier = winner.ask.stamp
    for _ in range(turn.node.height):
        barrier = math.nextafter(barrier, math.inf)
    # A real clock has moved on by now, and the tasks of that tick have run.
    if trio.current_time() < barrier:
        await trio.sleep_until(barrier)
    return _best(entrants, deadline)


def _best(entrants: list[Branch], deadline: float) -> Branch | None:
    """Pick by the rule; a success at the deadline itself comes too late."""
    successes = [
        entrant
        for entrant in entrants
        if entrant.ask.value is not None and entrant.ask.stamp < deadline
    ]
    return min(successes, key=lambda entrant: entrant.key, default=None)


def _announce(turn: Turn, losers: list[Branch], reason: str) -> None:
    """Record how each loser ends, in declared order."""
    call = turn.ask.payload.call
    for entrant in losers:
        if entrant.ask.error is not None:
            continue
        name = entrant.candidate.node.name
        answer = entrant.ask.value
        if answer is not None and answer.result is not None:
            call.discard(entrant.ask.payload.path, reason)
            turn.emit(events.LoserDiscarded, name, reason)
        else:
            turn.emit(events.LoserCancelled, name, reason)


def _error_of(entrant: Branch, deadline: float, reason: str) -> LLMError:
    """The error of a member that did not win: its own, or the race's timeout."""
    error = entrant.error
    if error is not None and entrant.ask.stamp < deadline:
        return error
    return ProviderTimeoutError(reason, provider=entrant.candidate.node.name, phase="race")
