"""One request from a caller to a node of the tree, and back."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Unpack

from trio_llm.chat import Operation, OperationResult, Reply, Request
from trio_llm.endpoint.inquiry import Inquiry
from trio_llm.operations.record import checked
from trio_llm.prompt import CallOptions, Prompt, to_request
from trio_llm.providers.node import Node
from trio_llm.providers.status import ProviderStatus
from trio_llm.providers.visit import Answer, Call
from trio_llm.streaming import ReplyStream
from trio_llm.switchboard import Switchboard


class Asking:
    """A node of the tree, asked once at a time: what all else is built on.

    It knows the node by its name alone, and looks it up for each call, since a reload
    may put another one in its place.

    Args:
        switchboard: What opens and ends calls.
        name: Who is asked; ``None`` means whoever is the default.
    """

    def __init__(self, switchboard: Switchboard, name: str | None) -> None:
        self._switchboard = switchboard
        self._name = name

    def _look_up(self) -> Node:
        return self._switchboard.endpoint(self._name)

    @property
    def name(self) -> str:
        """The provider's or balancer's name."""
        return self._switchboard.default if self._name is None else self._name

    def status_of(self) -> ProviderStatus:
        """Give a snapshot of this one."""
        return self._look_up().status()

    async def generate(self, prompt: Prompt, **options: Unpack[CallOptions]) -> Reply:
        """Ask, and wait for the whole answer.

        When this returns or raises, nothing of the call runs any more: losers of a
        race have left, and every connection it used is closed or back in its place.

        Args:
            prompt: A string, a message, a conversation, or a `Request` (the options
                then replace its fields).
            options: The fields of `Request`, by name; ``None`` leaves one as it is.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
            InvalidRequestError: The prompt or an argument cannot be used.
            ConfigError: Nobody bears its name any more, or `prefer` names nobody.
        """
        board, node = self._switchboard, self._look_up()
        ask = board.open_call(node, to_request(prompt, options), streaming=False)
        answer = await board.outcome(node, ask)
        return board.replied(ask.payload.call, node, answer)

    async def perform(self, operation: Operation) -> OperationResult:
        """Do one operation; its result is of the class that belongs to it.

        The road is that of `generate`, with the same guarantees.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
            InvalidRequestError: There is no text, or an empty one; or it is about a
                model of one server, and this is a balancer.
        """
        board, node = self._switchboard, self._look_up()
        operation = checked(node, operation)
        ask = board.open_call(node, operation, streaming=False)
        answer = await board.outcome(node, ask)
        return board.concluded(ask.payload.call, node, answer)

    def stream(
        self, prompt: Prompt, **options: Unpack[CallOptions]
    ) -> AbstractAsyncContextManager[ReplyStream]:
        """Ask, and take the answer as it is written.

        Entering the block waits for the commit: the first useful event of the
        provider that answers. Errors before it are raised there, as by `generate`;
        errors after it are raised by the iteration. Leaving the block early cancels
        the call and waits until nothing of it runs.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
            InvalidRequestError: The prompt or an argument cannot be used.
            StreamInterruptedError: The stream broke; it carries the partial text.
        """
        return self._asked(to_request(prompt, options))

    @asynccontextmanager
    async def _asked(self, request: Request) -> AsyncGenerator[ReplyStream, None]:
        board, node = self._switchboard, self._look_up()
        async with board.streamed(node, request) as (ask, answer):
            call = ask.payload.call
            yield ReplyStream(
                ask,
                answer,
                partial(self._replied, request, call, node),
                partial(board.finished, call, node),
            )

    def _inquire(self, request: Request) -> Inquiry:
        """Give the steps of a plain question."""
        return Inquiry(self._switchboard, self._look_up, request)

    def _replied(
        self,
        request: Request,  # noqa: ARG002 - for those who remember answers
        call: Call,
        node: Node,
        answer: Answer,
    ) -> Reply:
        """Record that a stream has finished; give the reply."""
        return self._switchboard.replied(call, node, answer)

    def _leaves(self) -> tuple[Node, ...]:
        """Give every provider under this node, each once."""
        return unique(self._look_up().providers())


def unique(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Give nodes in their order, each once."""
    return tuple({node.name: node for node in nodes}.values())
