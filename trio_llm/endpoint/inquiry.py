"""One question to one endpoint, step by step, for those who ask many."""

from collections.abc import Callable

from trio_llm.chat import Reply, Request
from trio_llm.errors import LLMError
from trio_llm.providers.node import Node
from trio_llm.providers.visit import Ask
from trio_llm.switchboard import Switchboard


class Inquiry:
    """A question, from before it is asked until its reply.

    `recalled` comes first; then `open` and `reply`, which may be tried again when they have
    failed; and `amended` when nothing more is tried.

    Args:
        board: What opens and ends calls.
        look_up: Gives who is asked, each time anew: a reload may come in between.
        request: What is asked.
    """

    def __init__(self, board: Switchboard, look_up: Callable[[], Node], request: Request) -> None:
        self._board = board
        self._look_up = look_up
        self.request = request
        self._asked: tuple[Node, Ask] | None = None

    async def recalled(self) -> Reply | None:
        """Give a reply that is there already; no checkpoint where none is looked for."""
        return None

    def open(self) -> None:
        """Ask, at once or not at all.

        Raises:
            LLMError: It cannot be asked.
        """
        node = self._look_up()
        self._asked = node, self._board.open_call(node, self.request, streaming=False)

    async def reply(self) -> Reply:
        """Wait until nothing of the call runs any more; give the reply.

        Raises:
            LLMError: What it failed with.
        """
        node, ask = self._opened
        answer = await self._board.outcome(node, ask)
        return self._board.replied(ask.payload.call, node, answer)

    @property
    def _opened(self) -> tuple[Node, Ask]:
        if self._asked is None:
            raise RuntimeError("the question has not been asked: open it first")
        return self._asked

    async def amended(self, error: LLMError) -> Reply | None:  # noqa: ARG002 - for those who can
        """Give a reply in place of an error; ``None`` if the error stands."""
        return None
