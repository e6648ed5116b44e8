"""The operations: one request from a caller to a node of the tree, and back."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar, Unpack

import attrs

from trio_llm import operations
from trio_llm.chat import (
    Embeddings,
    EmbedRequest,
    Message,
    ModelInfo,
    Moderation,
    Operation,
    OperationResult,
    PullModel,
    Reply,
    TokenCount,
)
from trio_llm.errors import LLMError
from trio_llm.operations import BatchResults, ModelCatalogue, Prompts
from trio_llm.prompt import CallOptions as CallOptions
from trio_llm.prompt import EmbedOptions, OperationOptions, to_embed_request, to_moderate_request
from trio_llm.prompt import Prompt as Prompt
from trio_llm.prompt import to_request as to_request
from trio_llm.providers.node import Node
from trio_llm.providers.status import ProviderStatus
from trio_llm.streaming import PullStream, ReplyStream
from trio_llm.switchboard import Switchboard

T = TypeVar("T")


class Endpoint:
    """One provider or balancer, to be asked."""

    def __init__(self, node: Node, switchboard: Switchboard) -> None:
        self._node = node
        self._switchboard = switchboard

    @property
    def name(self) -> str:
        """The provider's or balancer's name."""
        return self._node.name

    def status_of(self) -> ProviderStatus:
        """Give a snapshot of this one."""
        return self._node.status()

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
        """
        board, node = self._switchboard, self._node
        ask = board.open_call(node, to_request(prompt, options), streaming=False)
        answer = await board.outcome(node, ask)
        return board.replied(ask.payload.call, node, answer)

    async def perform(self, operation: Operation) -> OperationResult:
        """Do one operation; its result is of the class that belongs to it.

        The road is that of `generate`, with the same guarantees.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
        """
        if isinstance(operation, EmbedRequest) and operation.family is None:
            family = self._node.embedding_family(operation)
            operation = attrs.evolve(operation, family=family)
        board, node = self._switchboard, self._node
        ask = board.open_call(node, operation, streaming=False)
        answer = await board.outcome(node, ask)
        return board.concluded(ask.payload.call, node, answer)

    @asynccontextmanager
    async def stream(
        self, prompt: Prompt, **options: Unpack[CallOptions]
    ) -> AsyncGenerator[ReplyStream, None]:
        """Ask, and take the answer as it is written.

        Entering the block waits for the commit: the first useful event of the
        provider that answers. Errors before it are raised there, as by `generate`;
        errors after it are raised by the iteration. Leaving the block early cancels
        the call and waits until nothing of it runs.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
            StreamInterruptedError: The stream broke; it carries the partial text.
        """
        board, node = self._switchboard, self._node
        async with board.streamed(node, to_request(prompt, options)) as (ask, answer):
            call = ask.payload.call
            yield ReplyStream(
                ask, answer, partial(board.replied, call, node), partial(board.finished, call, node)
            )

    async def embed(
        self, texts: str | Iterable[str], **options: Unpack[EmbedOptions]
    ) -> Embeddings:
        """Turn texts into vectors, in the order of the texts.

        They go in as many requests as the provider's documented limits need, some of
        them at once. All vectors come from one model family, the one that this node
        would use first: a fallback asks only members that embed with it.

        Args:
            texts: One text or several, none of them empty.
            options: `model`, `dimensions`, `purpose`, `user`, `prefer`,
                `max_attempts` (of each request), `extra` and `tags`, as in
                `EmbedRequest`.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed, or is of another
                family.
            InvalidRequestError: The texts or an option cannot be used.
        """
        request = to_embed_request(texts, options)
        return await operations.embed(self._switchboard, self._node, request)

    async def moderate(
        self, texts: str | Iterable[str], **options: Unpack[OperationOptions]
    ) -> Moderation:
        """Have texts judged.

        A result means that every text was judged; whatever goes wrong is raised.

        Args:
            texts: One text or several, none of them empty.
            options: `model`, `prefer`, `max_attempts`, `extra` and `tags`.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
            InvalidRequestError: The texts or an option cannot be used.
        """
        request = to_moderate_request(texts, options)
        return await operations.moderate(self._switchboard, self._node, request)

    async def count_tokens(self, prompt: Prompt, **options: Unpack[CallOptions]) -> TokenCount:
        """Count the input tokens of a prompt without sending it to a model.

        Exact where the provider counts; otherwise an estimate, which says so, from the
        size of the text and from what earlier answers of the same model were billed.

        Args:
            prompt: As in `generate`.
            options: As in `generate`.

        Raises:
            ProviderError: The provider's count failed.
            InvalidRequestError: The prompt or an argument cannot be used.
        """
        request = to_request(prompt, options)
        return await operations.count_tokens(self._switchboard, self._node, request)

    async def models(self, provider: str | None = None) -> ModelCatalogue:
        """List models, with capabilities, context window and price as far as known.

        Every enabled provider under this node is asked, all at once. Prices and context
        windows that the wire does not tell come from the extra ``prices``.

        Args:
            provider: The name of another provider or balancer, to ask that one.

        Raises:
            ProviderError: The one provider asked failed.
            AllProvidersFailed: All of several failed; if only some did, their errors
                are in the result.
            ConfigError: Nobody bears that name.
        """
        board = self._switchboard
        if provider is None:
            return await operations.list_models(board, self._leaves(), self.name)
        node = board.named(provider, "provider")
        return await operations.list_models(board, unique(node.providers()), node.name)

    async def show_model(self, model: str) -> ModelInfo:
        """Tell what is known of one model of a provider.

        Raises:
            ProviderError: The provider failed, or has no such model.
            InvalidRequestError: This is a balancer.
        """
        return await operations.show_model(self._switchboard, self._node, model)

    async def delete_model(self, model: str) -> None:
        """Have a local server delete a model.

        Raises:
            ProviderError: The provider failed, has no such model, or manages none.
            InvalidRequestError: This is a balancer.
        """
        await operations.delete_model(self._switchboard, self._node, model)

    @asynccontextmanager
    async def pull_model(self, model: str) -> AsyncGenerator[PullStream, None]:
        """Have a local server fetch a model, and follow how far it is.

        The block gives a `PullStream`: iterate it for `PullProgress`. Leaving the block
        early ends the pull and closes the connection; a later one goes on from there.

        Raises:
            ProviderError: The provider failed, has no such model, or manages none;
                also while it is iterated.
            InvalidRequestError: This is a balancer.
        """
        board, node = self._switchboard, self._node
        operation = operations.managing(node, PullModel, model)
        async with board.streamed(node, operation) as (ask, answer):
            call = ask.payload.call

            def failed(error: LLMError) -> LLMError:
                return board.finished(call, node, operations.behind(error))

            yield PullStream(ask, answer, partial(board.concluded, call, node), failed)

    async def compare(
        self,
        prompt: Prompt,
        *,
        providers: Sequence[str] | None = None,
        **options: Unpack[CallOptions],
    ) -> dict[str, Reply | LLMError]:
        """Ask several providers the same, all at once, and keep every outcome.

        Args:
            prompt: As in `generate`.
            providers: Names of providers or balancers; ``None`` for every enabled
                provider under this node.
            options: As in `generate`.

        Returns:
            By name, in the order given, the reply or the error.

        Raises:
            ConfigError: Nobody bears one of the names, or `prefer` names nobody.
            InvalidRequestError: The prompt or an argument cannot be used.
        """
        board = self._switchboard
        request = to_request(prompt, options)
        if request.prefer is not None:
            board.named(request.prefer, "prefer")
        if providers is None:
            nodes = {node.name: node for node in self._leaves()}
        else:
            nodes = operations.named(board, providers)
        return await operations.compare(board, nodes, request)

    @asynccontextmanager
    async def batch(
        self,
        prompts: Prompts,
        *,
        limit: int = 8,
        ordered: bool = False,
        **options: Unpack[CallOptions],
    ) -> AsyncGenerator[BatchResults, None]:
        """Ask many prompts, at most `limit` at once; every one gets an outcome.

        The block gives an async iterator of ``(index, reply or error)``. Prompts are
        read as places become free. One that cannot be used is that index's
        `InvalidRequestError`; an exception of the iterable itself is raised by the
        iteration, after the outcomes of what was read before it. Leaving the block
        cancels what is left, and waits until nothing of it runs.

        Args:
            prompts: Prompts as in `generate`, in any iterable or async iterable.
            limit: How many calls may be under way.
            ordered: Whether outcomes come in the order of the prompts; otherwise they
                come as they finish.
            options: As in `generate`, for every prompt.

        Raises:
            InvalidRequestError: An argument cannot be used.
            ConfigError: `prefer` names nobody.
        """
        async with operations.batch(
            self._switchboard, self._node, prompts, limit=limit, ordered=ordered, options=options
        ) as results:
            yield results

    async def generate_as(
        self,
        cls: type[T],
        prompt: Prompt,
        *,
        on_reply: Callable[[Reply], None] | None = None,
        **options: Unpack[CallOptions],
    ) -> T:
        """Ask for a value of a Python type.

        The schema of the type goes to the provider by its own means, as a tool that the
        model must call, or in words. The answer is checked; one that does not fit is
        sent back once, with its faults.

        Args:
            cls: An attrs class, a dataclass, a typed dictionary, or a type such as
                ``list[Item]``; see `OutputSchema.of`.
            prompt: As for `generate`.
            on_reply: Is called with each reply: the answer, and the repaired one.
            options: As for `generate`; ``output`` stands in place of the type's schema.

        Raises:
            StructuredOutputError: The answer does not fit, or was cut.
            TypeError: The type cannot be expressed in JSON.
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
        """
        request = to_request(prompt, options)
        return await operations.generate_as(self, cls, request, on_reply=on_reply)

    @asynccontextmanager
    async def stream_as(
        self, cls: type[T], prompt: Prompt, **options: Unpack[CallOptions]
    ) -> AsyncGenerator[operations.PartialStream[T], None]:
        """Ask for a value of a Python type, and take its parts as they are written.

        The guarantees are those of `stream`; there is no repair, since the parts have
        been seen.

        Args:
            cls: As for `generate_as`.
            prompt: As for `generate`.
            options: As for `generate_as`.

        Raises:
            StructuredOutputError: By the iteration: the answer does not fit, or was cut.
            TypeError: The type cannot be expressed in JSON.
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
        """
        async with operations.stream_as(self, cls, to_request(prompt, options)) as stream:
            yield stream

    async def run_tools(
        self,
        prompt: Prompt,
        *,
        max_rounds: int = 10,
        max_concurrency: int = 8,
        on_error: operations.ToolErrors = "tell",
        on_message: Callable[[Message], None] | None = None,
        **options: Unpack[CallOptions],
    ) -> operations.ToolRun:
        """Ask, run the tools that the model calls, tell it the results, until it answers.

        The calls of one turn run side by side, and none outlives the turn: when the
        caller is cancelled, so are they. A ``tool_choice`` that forces a call holds for
        the first round.

        Args:
            prompt: As for `generate`.
            max_rounds: The most times that the model is asked.
            max_concurrency: The most tools that run at once.
            on_error: What happens to the error of a tool, to arguments that do not fit,
                and to a tool that there is not: ``tell`` the model, or ``raise``.
            on_message: Is called with each message that joins the conversation.
            options: As for `generate`; ``tools`` are those to run.

        Raises:
            ToolRoundsExceededError: The model still calls tools after the last round.
            ToolCallError: With ``raise``: no such tool, or arguments that do not fit.
            Exception: With ``raise``: what the one tool that failed has raised; an
                exception group if several have.
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
        """
        return await operations.run_tools(
            self,
            to_request(prompt, options),
            max_rounds=max_rounds,
            max_concurrency=max_concurrency,
            on_error=on_error,
            on_message=on_message,
        )

    def _leaves(self) -> tuple[Node, ...]:
        """Give every provider under this node, each once."""
        return unique(self._node.providers())


def unique(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Give nodes in their order, each once."""
    return tuple({node.name: node for node in nodes}.values())
