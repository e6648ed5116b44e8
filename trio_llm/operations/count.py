"""Counting tokens before a conversation is sent."""

import attrs

from trio_llm.chat import CountRequest, Request, TokenCount
from trio_llm.providers.node import Node
from trio_llm.switchboard import Switchboard


async def count_tokens(board: Switchboard, node: Node, request: Request) -> TokenCount:
    """Count the input tokens of a request where it would go.

    The model, the preference and the limit of attempts are those of the request.

    Raises:
        LLMError: The provider's count failed.
    """
    operation = CountRequest(
        request=attrs.evolve(request, model=None, prefer=None, max_attempts=None),
        model=request.model,
        prefer=request.prefer,
        max_attempts=request.max_attempts,
        extra=request.extra,
        tags=request.tags,
    )
    ask = board.open_call(node, operation, streaming=False)
    result = board.concluded(ask.payload.call, node, await board.outcome(node, ask))
    if not isinstance(result, TokenCount):
        raise TypeError("a count of tokens has another result")
    return result
