"""Embeddings: texts in, vectors out, from one model family."""

import attrs
import trio

from trio_llm.chat import Embeddings, EmbedRequest
from trio_llm.errors import MalformedResponseError
from trio_llm.operations.texts import ask_in_parts, joined, joined_attempts
from trio_llm.providers.node import Node
from trio_llm.switchboard import Switchboard


async def embed(board: Switchboard, node: Node, request: EmbedRequest) -> Embeddings:
    """Embed texts in as many requests as the provider's limits need.

    The family of the first member that embeds is the family of the call: vectors of
    two families cannot be compared, so members of another one are not asked. The same
    holds for lengths: at a balancer, the first vectors of a family tell that of all
    later ones, and a member that gives others has not answered.

    Raises:
        LLMError: One request failed; the others are cancelled, and nothing is given.
        MalformedResponseError: The vectors of two requests differ in length, or those
            of a first call from those of another that ended meanwhile.
    """
    if request.family is None:
        request = attrs.evolve(request, family=node.embedding_family(request))
    family = request.family
    kept = node.height > 0 and request.dimensions is None and family is not None
    known = board.vector_lengths  # those of this plan; after a reload others count
    if kept and request.length is None:
        request = attrs.evolve(request, length=known.get((node.name, family or "")))
    started = trio.current_time()
    results = [
        result
        for result in await ask_in_parts(board, node, request)
        if isinstance(result, Embeddings)
    ]
    lengths = {result.dimensions for result in results}
    if kept and results:
        key = (node.name, family or "")
        lengths.add(known.setdefault(key, results[0].dimensions))
    if len(lengths) > 1:
        told = ", ".join(str(length) for length in sorted(lengths))
        error = MalformedResponseError(
            f"vectors of one family came in different lengths ({told}); "
            "set dimensions, or ask one provider alone",
            provider=results[0].provider,
            model=results[0].model,
            phase="response",
        )
        error.attempts = joined_attempts(results)
        raise error
    if len(results) == 1:
        return results[0]
    vectors = tuple([vector for result in results for vector in result.vectors])
    return Embeddings(vectors=vectors, **joined(results, started))
