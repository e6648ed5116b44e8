"""What is no conversation: vectors, verdicts, counts and models."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Unpack

from trio_llm import operations
from trio_llm.chat import Embeddings, ModelInfo, Moderation, PullModel, TokenCount
from trio_llm.endpoint.asking import Asking, unique
from trio_llm.errors import LLMError
from trio_llm.operations import ModelCatalogue
from trio_llm.prompt import (
    CallOptions,
    EmbedOptions,
    OperationOptions,
    Prompt,
    to_embed_request,
    to_moderate_request,
    to_request,
)
from trio_llm.streaming import PullStream


class Operating(Asking):
    """The operations on texts and models."""

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
        return await operations.embed(self._switchboard, self._look_up(), request)

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
        return await operations.moderate(self._switchboard, self._look_up(), request)

    async def count_tokens(self, prompt: Prompt, **options: Unpack[CallOptions]) -> TokenCount:
        """Count the input tokens of a prompt without sending it to a model.

        Exact where the provider counts; otherwise an estimate, which says so, from the
        size of the text and from what earlier answers of the same model were billed.

        Args:
            prompt: As in `generate`.
            options: As in `generate`.

        Raises:
            ProviderError: The provider's count failed.
            AllProvidersFailed: That of every member of a balancer failed.
            InvalidRequestError: The prompt or an argument cannot be used.
        """
        request = to_request(prompt, options)
        return await operations.count_tokens(self._switchboard, self._look_up(), request)

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
        return await operations.show_model(self._switchboard, self._look_up(), model)

    async def delete_model(self, model: str) -> None:
        """Have a local server delete a model.

        Raises:
            ProviderError: The provider failed, has no such model, or manages none.
            InvalidRequestError: This is a balancer.
        """
        await operations.delete_model(self._switchboard, self._look_up(), model)

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
        board, node = self._switchboard, self._look_up()
        operation = operations.managing(node, PullModel, model)
        async with board.streamed(node, operation) as (ask, answer):
            call = ask.payload.call

            def failed(error: LLMError) -> LLMError:
                return board.finished(call, node, operations.behind(error))

            yield PullStream(ask, answer, partial(board.concluded, call, node), failed)
