"""Why it was this answer, told from a reply and the records of its call."""

import io
from typing import Any

import attrs
import pytest
from rich.console import Console

from trio_llm import events
from trio_llm.chat import Message, Reply, Usage
from trio_llm.cli.reasons import Story, degraded, reasons


def _reply(**metadata: Any) -> Reply:
    return Reply(
        message=Message("assistant", "yes"),
        finish_reason="stop",
        usage=Usage(),
        provider="a",
        model="m",
        latency=1.0,
        metadata=metadata,
    )


def _told(reply: Reply, *happened: events.Event) -> list[str]:
    story = Story()
    for event in happened:
        story.observe(event)
    console = Console(file=io.StringIO(), width=200, color_system=None)
    for reason in reasons(reply, story):
        console.print(reason)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_a_single_provider_needs_no_reason() -> None:
    """Where no balancer had a say there is nothing to tell."""
    assert _told(_reply(), events.RequestStarted(0.0, 1, ("a",), False)) == []


def test_an_answer_that_could_not_be_scored() -> None:
    """It is among the scores, without one; who gave no advice is said, and why."""
    lines = _told(
        _reply(racing_winner="a", racing_latency_ms=7, racing_scores={"a": 0.5, "b": None}),
        events.AdviceMissing(0.0, 1, ("best",), "judge", "b", "judge: \x1b[2Jdown"),
    )
    assert lines == [
        "race: a won, ready after 7 ms · scores: a 0.5, b without one",
        "best: no advice of judge on b (judge: [2Jdown)",
    ]


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("calls", "the share of extra calls is used up"),
        ("spend", "the share of extra cost is used up"),
        ("no_member", "no other one could take the call"),
        ("attempts_spent", "the call has made all its attempts"),
        ("mailbox_full", "the mailbox of the next one is full"),
        ("another_one", "another_one"),
    ],
)
def test_a_hedge_that_was_held_back(reason: str, words: str) -> None:
    """Why nobody else was asked although the answer was late is said in words."""
    lines = _told(
        _reply(hedge_provider="a", hedged=False, hedge_delay_ms=50),
        events.HedgeSuppressed(0.0, 1, ("prompt",), reason),
    )
    assert lines == [f"prompt: late, but nobody else was asked: {words}"]


def test_a_hedge_after_a_failure_was_not_in_time() -> None:
    """A member that was asked because another failed is no hedge, and no punctual answer."""
    lines = _told(
        _reply(hedge_provider="b", hedged=False, hedge_delay_ms=None),
        events.FellBack(0.0, 1, ("prompt",), "a", "a: down (HTTP 503)"),
    )
    assert lines == ["prompt: fell back from a (down (HTTP 503))"]


def test_votes_of_members_that_weigh_differently() -> None:
    """Weights are shown as they are, and the share of the winner as a percentage."""
    votes = [
        {"names": ["a", "c"], "size": 2, "weight": 1.25, "won": True},
        {"names": ["b"], "size": 1, "weight": 0.5, "won": False},
    ]
    assert _told(_reply(consensus_votes=votes, consensus_share=1.25 / 1.75)) == [
        "consensus: 71% of the weight agree",
        "who agree votes weight",
        "a, c 2 1.25 won",
        "b 1 0.5",
    ]


def test_a_stale_answer_says_its_age_and_the_error() -> None:
    """A person sees that it is none of now, and what went wrong now."""
    assert degraded(_reply()) is None
    stale = attrs.evolve(
        _reply(degraded_age=200.0, degraded_error="all members failed"), degraded="stale"
    )
    line = degraded(stale)
    assert line is not None
    assert line.plain == (
        "degraded (stale): the last good answer to this, 3 min 20 s old, since all members failed"
    )
