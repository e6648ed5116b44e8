"""Moderation: a verdict for each text, or an error; never a guess."""

import trio

from trio_llm.chat import ModerateRequest, Moderation
from trio_llm.operations.texts import ask_in_parts, joined
from trio_llm.providers.node import Node
from trio_llm.switchboard import Switchboard


async def moderate(board: Switchboard, node: Node, request: ModerateRequest) -> Moderation:
    """Have texts judged in as many requests as the provider's limits need.

    A result exists only when every text was judged. Whatever goes wrong, with any of
    them, is raised.

    Raises:
        LLMError: One request failed; the others are cancelled, and nothing is given.
    """
    started = trio.current_time()
    results = [
        result
        for result in await ask_in_parts(board, node, request)
        if isinstance(result, Moderation)
    ]
    if len(results) == 1:
        return results[0]
    verdicts = tuple([verdict for result in results for verdict in result.verdicts])
    return Moderation(verdicts=verdicts, **joined(results, started))
