"""What takes more than one request: comparing, many prompts, typed answers, tools."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar, Unpack

from trio_llm import operations
from trio_llm.chat import Message, Reply
from trio_llm.endpoint.asking import Asking
from trio_llm.errors import LLMError
from trio_llm.operations import BatchResults, Prompts
from trio_llm.prompt import CallOptions, Prompt, to_request

T = TypeVar("T")


class AskingSeveralTimes(Asking):
    """The operations that ask a node again and again, or several nodes."""

    async def compare(
        self,
        prompt: Prompt,
        *,
        providers: Sequence[str] | None = None,
        **options: Unpack[CallOptions],
    ) -> dict[str, Reply | LLMError]:
        """Ask several providers the same, all at once, and keep every outcome.

        Each of them is asked indeed: nothing is taken from the cache, nor put there.

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
        cancels what is left, and waits until nothing of it runs. After a reload, what
        is read is asked by the new plan. The cache serves each prompt as in `generate`.

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
            self._switchboard,
            self._look_up().name,
            self._inquire,
            prompts,
            limit=limit,
            ordered=ordered,
            options=options,
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
            options: As for `generate`; ``output`` stands in place of the type's schema,
                and ``max_attempts`` holds for each of the two questions.

        Raises:
            StructuredOutputError: The answer does not fit, or was cut.
            TypeError: The type cannot be expressed in JSON.
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
            InvalidRequestError: The prompt or an argument cannot be used.
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
            InvalidRequestError: The prompt or an argument cannot be used.
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
            options: As for `generate`; ``tools`` are those to run, and ``max_attempts``
                holds for each round.

        Raises:
            ToolRoundsExceededError: The model still calls tools after the last round.
            ToolCallError: With ``raise``: no such tool, or arguments that do not fit.
            Exception: With ``raise``: what the one tool that failed has raised; an
                exception group if several have.
            ProviderError: The one provider asked failed.
            AllProvidersFailed: Every member of a balancer failed.
            InvalidRequestError: The prompt or an argument cannot be used, or there is no
                tool to run.
        """
        return await operations.run_tools(
            self,
            to_request(prompt, options),
            max_rounds=max_rounds,
            max_concurrency=max_concurrency,
            on_error=on_error,
            on_message=on_message,
        )
