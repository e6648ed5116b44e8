"""Why it was this answer: what the balancers did, in words and as a table of votes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from trio_llm import events
from trio_llm.chat import Reply
from trio_llm.cli.amounts import duration
from trio_llm.cli.attempts import seconds
from trio_llm.cli.terminal import printable

_SUPPRESSED: Final[Mapping[str, str]] = {
    "calls": "the share of extra calls is used up",
    "spend": "the share of extra cost is used up",
    "no_member": "no other one could take the call",
    "attempts_spent": "the call has made all its attempts",
    "mailbox_full": "the mailbox of the next one is full",
}
"""Why nobody was asked beside one that was late, by the reason in the record."""


@attrs.define
class Story:
    """Keeps what the records of one call tell that its reply does not."""

    fell_back: list[events.FellBack] = attrs.field(factory=list[events.FellBack], init=False)
    hedges: list[events.HedgeStarted] = attrs.field(factory=list[events.HedgeStarted], init=False)
    suppressed: list[events.HedgeSuppressed] = attrs.field(
        factory=list[events.HedgeSuppressed], init=False
    )
    unadvised: list[events.AdviceMissing] = attrs.field(
        factory=list[events.AdviceMissing], init=False
    )

    def observe(self, event: events.Event) -> None:
        """Take a record into account."""
        if isinstance(event, events.FellBack):
            self.fell_back.append(event)
        elif isinstance(event, events.HedgeStarted):
            self.hedges.append(event)
        elif isinstance(event, events.HedgeSuppressed):
            self.suppressed.append(event)
        elif isinstance(event, events.AdviceMissing):
            self.unadvised.append(event)


def reasons(reply: Reply, story: Story) -> list[RenderableType]:
    """Say why it was this answer, a line for each balancer that had a say.

    Args:
        reply: The answer.
        story: What else happened.
    """
    said: list[RenderableType] = [Text("  ").append(line) for line in _lines(reply, story)]
    votes = reply.metadata.get("consensus_votes")
    if votes:
        said.append(vote_table(votes))
    return said


def degraded(reply: Reply) -> Text | None:
    """Say that a reply stands in for an answer, and for which error; ``None`` if it is one."""
    if reply.degraded is None:
        return None
    what = "a text that was set"
    if reply.degraded == "stale":
        age = duration(reply.metadata.get("degraded_age", 0.0))
        what = f"the last good answer to this, {age} old"
    why = printable(str(reply.metadata.get("degraded_error", "nobody answered")))
    return Text(f"degraded ({reply.degraded}): {what}, since {why}", "yellow")


def _lines(reply: Reply, story: Story) -> Iterator[Text]:
    facts = reply.metadata
    for event in story.fell_back:
        why = printable(event.reason).removeprefix(f"{event.failed}: ")
        yield _line(event.actor, f"fell back from {event.failed}", why)
    yield from _hedge(facts, story)
    if "racing_winner" in facts:
        yield _race(facts)
    for missing in story.unadvised:
        what = f"no advice of {missing.adviser} on {missing.member}"
        yield _line(missing.actor, what, printable(missing.reason))
    if "consensus_share" in facts:
        yield _consensus(facts)
    for name in facts.get("switched_from", ()):
        yield Text(f"the stream of {name} broke; {reply.provider} went on with it")


def _line(balancer: str, what: str, why: str) -> Text:
    return Text.assemble(f"{balancer}: {what}", (f" ({why})", "dim"))


def _race(facts: Mapping[str, Any]) -> Text:
    winner, after = facts["racing_winner"], facts["racing_latency_ms"]
    scores: Mapping[str, float | None] = facts.get("racing_scores") or {}
    if not scores:
        return Text(f"race: {winner} was first, after {after} ms")
    listed = [
        f"{name} {'without one' if score is None else f'{score:.3g}'}"
        for name, score in scores.items()
    ]
    return Text(f"race: {winner} won, ready after {after} ms · scores: {', '.join(listed)}")


def _hedge(facts: Mapping[str, Any], story: Story) -> Iterator[Text]:
    name = facts.get("hedge_provider")
    for event in story.hedges:
        after = seconds(event.after)
        yield Text(f"{event.actor}: no answer after {after}, so {event.member} was asked, too")
    for late in story.suppressed:
        why = _SUPPRESSED.get(late.reason, late.reason)
        yield Text(f"{late.actor}: late, but nobody else was asked: {why}")
    if name is not None and facts.get("hedged"):
        yield Text(f"hedge: {name} answered first")
    elif name is not None and not story.suppressed and not story.fell_back:
        yield Text(f"hedge: {name} answered in time, so nobody else was asked")


def _consensus(facts: Mapping[str, Any]) -> Text:
    votes: Sequence[Mapping[str, Any]] = facts.get("consensus_votes") or ()
    if len(votes) > 1 and all(group["size"] == 1 for group in votes):
        return Text("consensus: no two agree, so weight decided, and then the order", "yellow")
    return Text(f"consensus: {facts['consensus_share']:.0%} of the weight agree")


def vote_table(votes: Sequence[Mapping[str, Any]]) -> Table:
    """Give one row for each group of members that say the same, the winner first."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("who agree", overflow="fold")
    table.add_column("votes", justify="right")
    table.add_column("weight", justify="right")
    table.add_column("")
    for group in votes:
        won = bool(group.get("won"))
        table.add_row(
            Text(", ".join(group["names"]), "bold" if won else ""),
            str(group["size"]),
            f"{group['weight']:.3g}",
            Text("won", "green") if won else "",
        )
    return table
