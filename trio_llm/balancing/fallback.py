"""Fallback: ask the members one after another until one answers."""

import attrs

from trio_llm.balancing.descent import Descent
from trio_llm.balancing.routing import Candidate, others_than, preferred_first
from trio_llm.balancing.turn import Turn
from trio_llm.errors import (
    AllProvidersFailed,
    ContentFilterError,
    ContextLengthError,
    LLMError,
    ProviderUnavailableError,
)
from trio_llm.providers.node import Node


@attrs.frozen
class FallbackStrategy:
    """In declared order, the primary before the rest, the call's preferred before both.

    What the walk from one to the next does is told in `Descent`.

    Args:
        max_retries: How many further members may be tried after the first, those who go
            on with a stream included; ``None`` for all.
        primary: Declared position of the member to try first.
        on_context_length: Who is asked when a request is too long for a member.
        on_content_filter: Who is asked when a member refused a request's content.
    """

    max_retries: int | None = None
    primary: int = 0
    on_context_length: tuple[Node, ...] = ()
    on_content_filter: tuple[Node, ...] = ()

    def in_order(self, candidates: list[Candidate], prefer: str | None) -> list[Candidate]:
        """Put the primary before the rest, and the preferred before both."""
        if self.primary:
            candidates = sorted(candidates, key=lambda candidate: candidate.index != self.primary)
        return preferred_first(candidates, prefer)

    async def run(self, turn: Turn) -> None:
        """Try the members in order."""
        order = self.in_order(turn.candidates, turn.request.prefer)
        tries = 1 + (len(order) if self.max_retries is None else self.max_retries)
        detours = bool(self.on_context_length or self.on_content_filter)
        descent = Descent(turn, tries)
        if detours:
            descent.detour = lambda error: self._specialists(turn, error)
        branch = await descent.down(order)
        if branch is None:
            if descent.stopped:
                turn.stop(descent.errors[-1], descent.errors[:-1])
            else:
                turn.fail(descent.errors)
            return
        candidate = branch.candidate
        left = descent.tries - 1
        others = others_than(candidate, order, descent.asked) if left > 0 else []
        metadata = {"fallback_provider": candidate.node.name, "fallback_index": candidate.index}
        turn.answer(branch, metadata, others)
        await turn.stay(branch, others, left)

    def _specialists(self, turn: Turn, error: LLMError) -> list[Candidate]:
        """Give those who may take what this error is about."""
        if _is_too_long(error):
            chosen = self.on_context_length
        elif isinstance(error, ContentFilterError):
            chosen = self.on_content_filter
        else:
            return []
        places = {candidate.node.name: candidate for candidate in turn.candidates}
        first = 1 + max(candidate.index for candidate in turn.candidates)
        return [
            places.get(node.name) or turn.beside(node, first + position)
            for position, node in enumerate(chosen)
        ]


def _is_too_long(error: LLMError) -> bool:
    if isinstance(error, AllProvidersFailed):
        return any(_is_too_long(leaf) for leaf in error.errors)
    return isinstance(error, ContextLengthError) or (
        isinstance(error, ProviderUnavailableError) and error.code == "context_length"
    )
