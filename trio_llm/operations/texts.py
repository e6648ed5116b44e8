"""Texts cut into requests that a provider takes, and results put together again."""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import attrs
import trio

from trio_llm.chat import Attempt, EmbedRequest, ModerateRequest, OperationResult, Usage
from trio_llm.errors import LLMError
from trio_llm.operations.asking import Asking
from trio_llm.providers.limits import BatchLimits
from trio_llm.providers.node import Node
from trio_llm.switchboard import Switchboard

AT_ONCE: Final = 4
"""How many requests of one call are under way together."""

BYTES_PER_TOKEN: Final = 3
"""Fewer than a token has in most languages, so that a request stays below its limit."""

TextRequest = TypeVar("TextRequest", EmbedRequest, ModerateRequest)


def cut(texts: Sequence[str], limits: BatchLimits) -> list[tuple[str, ...]]:
    """Cut texts into runs, each within the limits; a text that exceeds them stands alone."""
    runs: list[tuple[str, ...]] = []
    run: list[str] = []
    size = 0
    for text in texts:
        tokens = 0
        if limits.tokens is not None:
            tokens = -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)
            if run and size + tokens > limits.tokens:
                runs.append(tuple(run))
                run, size = [], 0
        run.append(text)
        size += tokens
        if len(run) >= limits.texts:
            runs.append(tuple(run))
            run, size = [], 0
    if run:
        runs.append(tuple(run))
    return runs


async def ask_in_parts(
    board: Switchboard, node: Node, request: TextRequest
) -> list[OperationResult]:
    """Ask in as many requests as the limits need; give the results in the order of the texts.

    The first failure cancels the requests that are left. Of those that fail in the same
    instant, the one with the earliest texts is raised.

    Raises:
        LLMError: One request failed; `attempts` are those of all of them.
    """
    limits = node.batch_limits(request)
    # Where nobody offers it, the one call that is made says why.
    runs = [request.texts] if limits is None else cut(request.texts, limits)
    if len(runs) == 1:
        ask = board.open_call(node, request, streaming=False)
        return [board.concluded(ask.payload.call, node, await board.outcome(node, ask))]
    asking = Asking(board, board.concluded, AT_ONCE, all_or_nothing=True)
    await asking.run([(node, attrs.evolve(request, texts=run)) for run in runs])
    ordered = [asking.outcomes[index] for index in sorted(asking.outcomes)]
    for outcome in ordered:
        if isinstance(outcome, LLMError):
            outcome.attempts = tuple(
                [attempt for index in sorted(asking.attempts) for attempt in asking.attempts[index]]
            )
            raise outcome
    return [outcome for outcome in ordered if isinstance(outcome, OperationResult)]


def joined_attempts(results: Sequence[OperationResult]) -> tuple[Attempt, ...]:
    """Give the attempts of several calls, in order."""
    return tuple([attempt for result in results for attempt in result.attempts])


def joined_usage(results: Sequence[OperationResult]) -> Usage | None:
    """Add up what was used; ``None`` if no provider said."""
    told = [result.usage for result in results if result.usage is not None]
    if not told:
        return None
    return Usage(
        *(sum(getattr(usage, field.name) for usage in told) for field in attrs.fields(Usage))
    )


def joined(results: Sequence[OperationResult], started: float) -> dict[str, Any]:
    """Give the common facts of several results as those of one.

    Provider, model and metadata are those of the first; the attempts tell the rest,
    each with `Attempt.started` from the start of its own request.

    Args:
        results: At least two.
        started: When the call began, on Trio's clock.
    """
    first = results[0]
    return {
        "usage": joined_usage(results),
        "model": first.model,
        "provider": first.provider,
        "latency": trio.current_time() - started,
        "metadata": first.metadata,
        "attempts": joined_attempts(results),
        "raw": tuple([result.raw for result in results]),
    }
