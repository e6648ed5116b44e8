"""Whole answers: how one that was collected goes up, as a stream where one is wanted."""

from typing import Any

from trio_llm.balancing.turn import Branch, Turn
from trio_llm.providers.visit import Answer


def replay(turn: Turn, branch: Branch, metadata: dict[str, Any], stamp: float) -> None:
    """Let a member's whole answer through as the balancer's own.

    To a consumer of a stream all its events are there at once, and that is its first
    and its last moment; it cannot break any more.

    Args:
        turn: The visit.
        branch: The member.
        metadata: What this balancer adds.
        stamp: The instant that made it the answer, on Trio's clock.
    """
    whole = branch.ask.value
    if whole is None or whole.result is None:
        raise TypeError("only a whole answer can be replayed")
    answer = Answer(
        whole.provider,
        whole.model,
        whole.result,
        feed=whole.feed,
        metadata={**whole.metadata, **metadata},
        finished=stamp,
    )
    if whole.feed is not None:
        answer.first_token = stamp
    branch.candidate.node.won()
    turn.ask.decide(answer, stamp)
