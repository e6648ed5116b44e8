"""What balancers decided on the way of a call."""

import attrs

from trio_llm.events.record import Event


@attrs.frozen
class WinnerChosen(Event):
    """A race or a hedge was decided; `stamp` is the winner's completion at the leaf.

    `hedged` says that a hedge asked the winner because others were late.
    """

    winner: str
    stamp: float
    hedged: bool = False


@attrs.frozen
class LoserCancelled(Event):
    """A racer that had not finished was cancelled."""

    loser: str
    reason: str


@attrs.frozen
class LoserDiscarded(Event):
    """A racer that had finished in the winner's instant was not taken."""

    loser: str
    reason: str


@attrs.frozen
class RaceScored(Event):
    """The answers of a race were scored: name and score of each, in declared order.

    ``None`` stands for one that could not be scored.
    """

    scores: tuple[tuple[str, float | None], ...]


@attrs.frozen
class AdviceMissing(Event):
    """A ``scorer``, or the judge or embedder of that name, gave nothing for an answer.

    Something simpler took its place, or the answer counts as the worst.
    """

    adviser: str
    member: str
    reason: str


@attrs.frozen
class VoteCast(Event):
    """A member's answer was counted; `group` is whose answer it agrees with, or its own."""

    member: str
    group: str


@attrs.frozen
class ConsensusReached(Event):
    """More votes can change nothing: who wins, and who voted together with what weight."""

    winner: str
    votes: tuple[tuple[tuple[str, ...], float], ...]


@attrs.frozen
class HedgeStarted(Event):
    """A member was asked beside those under way, `after` seconds being too long to wait."""

    member: str
    after: float


@attrs.frozen
class HedgeSuppressed(Event):
    """An answer was late, and nobody was asked beside it; `reason` says why.

    ``calls`` or ``spend`` (the share of either is used up), ``no_member`` (no other one
    can take the call now), ``attempts_spent`` or ``mailbox_full``.
    """

    reason: str


@attrs.frozen
class FellBack(Event):
    """A balancer goes on to its next member."""

    failed: str
    reason: str


@attrs.frozen
class StreamSwitched(Event):
    """A stream broke, and another provider goes on with it, by the policy named."""

    failed: str
    provider: str
    policy: str
