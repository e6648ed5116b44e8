"""What all contests between members share: the news, the instant barrier, the rule.

The winner is the success with the smallest ``(stamp, declared position)`` among
those known after the *instant barrier*: after a completion at instant t a contest
waits until the next representable instant, so that everything else that happens
at t is known too. One above other balancers waits one step more for each level,
since their own barriers come first. So the winner never depends on the order in
which the scheduler runs the tasks.
"""

import math
from collections.abc import Sequence

import attrs
import trio

from trio_llm import events
from trio_llm.balancing.turn import Branch, Turn


@attrs.define(eq=False)
class Contest:
    """What is known of one contest while it runs.

    Args:
        pending: How many entrants are to be watched.

    Attributes:
        pending: How many of them are not decided yet.
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


async def first_success(turn: Turn, entrants: Sequence[Branch], deadline: float) -> Branch | None:
    """Wait for the first success, then for the rest of its instant; give the winner.

    Args:
        turn: The visit.
        entrants: Those who have been asked.
        deadline: When to stop waiting, on Trio's clock; infinity for never.
    """
    if not entrants:
        return None
    contest = Contest(len(entrants))
    for entrant in entrants:
        contest.watch(entrant)
    if deadline == math.inf:
        await contest.news.wait()
    else:
        with trio.move_on_at(deadline):
            await contest.news.wait()
    winner = best(entrants, deadline)
    if winner is None:
        return None
    await instant_over(turn, winner.ask.stamp)
    return best(entrants, deadline)


async def instant_over(turn: Turn, stamp: float) -> None:
    """Wait until all that happens at an instant is known: the barrier.

    Args:
        turn: The visit.
        stamp: The instant, on Trio's clock.
    """
    barrier = barrier_after(turn, stamp)
    # A real clock has moved on by now, and the tasks of that tick have run.
    if trio.current_time() < barrier:
        await trio.sleep_until(barrier)


def barrier_after(turn: Turn, stamp: float) -> float:
    """Give the instant at which all that happened at another one is known.

    Args:
        turn: The visit; the balancer's height says how many steps of the clock later.
        stamp: The other instant, on Trio's clock.
    """
    for _ in range(turn.node.height):
        stamp = math.nextafter(stamp, math.inf)
    return stamp


def best(entrants: Sequence[Branch], deadline: float) -> Branch | None:
    """Pick by the rule; a success at the deadline itself comes too late."""
    successes = [
        entrant
        for entrant in entrants
        if entrant.ask.value is not None and entrant.ask.stamp < deadline
    ]
    return min(successes, key=lambda entrant: entrant.key, default=None)


def is_broken(entrant: Branch) -> bool:
    """Whether it answered with a stream that has broken, and nobody goes on with it."""
    answer = entrant.ask.value
    return answer is not None and answer.error is not None and not answer.guards


async def see_losers_off(
    turn: Turn, losers: Sequence[Branch], reason: str, asides: Sequence[Branch] = ()
) -> None:
    """Record how each loser ends, cancel those that run, and see all of them gone.

    Args:
        turn: The visit.
        losers: Those whose answers are not taken.
        reason: Why they are cancelled.
        asides: Others who are not needed any more, and leave with them.
    """
    announce(turn, losers, reason)
    await turn.dismiss([*losers, *asides], reason)
    for loser in losers:  # one that was cancelled may have finished all the same
        loser.ask.payload.discard(reason)


def announce(turn: Turn, losers: Sequence[Branch], reason: str) -> None:
    """Record how each loser ends, in declared order."""
    for entrant in losers:
        if entrant.ask.error is not None or is_broken(entrant):
            continue
        name = entrant.candidate.node.name
        answer = entrant.ask.value
        if answer is not None and answer.result is not None:
            entrant.ask.payload.discard(reason)
            turn.emit(events.LoserDiscarded, name, reason)
        else:
            turn.emit(events.LoserCancelled, name, reason)
