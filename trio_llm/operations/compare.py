"""Compare: one prompt to several providers, every outcome kept."""

from collections.abc import Mapping, Sequence

from trio_llm.chat import Reply, Request
from trio_llm.errors import InvalidRequestError, LLMError
from trio_llm.operations.asking import Asking
from trio_llm.providers.node import Node
from trio_llm.switchboard import Switchboard


def named(board: Switchboard, names: Sequence[str]) -> dict[str, Node]:
    """Give the providers and balancers of some names, in their order, each once.

    Raises:
        ConfigError: Nobody bears one of them.
        InvalidRequestError: There is no name, or it is one string instead of several.
    """
    if isinstance(names, str) or not names:
        raise InvalidRequestError(
            "providers must be a sequence of at least one name", phase="request"
        )
    return {name: board.named(name, f"providers[{index}]") for index, name in enumerate(names)}


async def compare(
    board: Switchboard, nodes: Mapping[str, Node], request: Request
) -> dict[str, Reply | LLMError]:
    """Ask all of them at once; the failure of one harms no other.

    Returns:
        By name, in the order given, the reply or the error.
    """
    asking = Asking(board, board.replied, at_once=max(1, len(nodes)))
    await asking.run([(node, request) for node in nodes.values()])
    return {name: asking.outcomes[index] for index, name in enumerate(nodes)}
