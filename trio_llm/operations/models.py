"""Which models there are, with what is known of them; and those of a local server."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, overload

import attrs
import trio

from trio_llm.chat import (
    DeleteModel,
    ListModels,
    ModelInfo,
    ModelList,
    Operation,
    OperationResult,
    PullModel,
    ShowModel,
)
from trio_llm.errors import (
    AllProvidersFailed,
    InvalidRequestError,
    LLMError,
    ProviderError,
    ProviderUnavailableError,
    StreamInterruptedError,
)
from trio_llm.ledger import PriceBook, installed_book
from trio_llm.operations.asking import Asking
from trio_llm.providers.kind import UNPRICED
from trio_llm.providers.node import Node
from trio_llm.providers.status import ProviderStatus
from trio_llm.switchboard import Switchboard

_LOOK_UPS: Final = 64
"""How many models are looked up without a checkpoint; one takes up to half a millisecond."""


@attrs.frozen(kw_only=True)
class ModelCatalogue(Sequence[ModelInfo]):
    """Models of one provider or of several; a sequence of `ModelInfo`.

    Attributes:
        models: The models, by provider in declared order, each in the provider's order.
        errors: By name, the providers that did not answer, and why.
    """

    models: tuple[ModelInfo, ...]
    errors: Mapping[str, LLMError] = attrs.field(factory=dict[str, LLMError])

    @overload
    def __getitem__(self, index: int) -> ModelInfo: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[ModelInfo, ...]: ...

    def __getitem__(self, index: int | slice) -> ModelInfo | tuple[ModelInfo, ...]:
        return self.models[index]

    def __len__(self) -> int:
        return len(self.models)

    def __iter__(self) -> Iterator[ModelInfo]:
        return iter(self.models)


async def list_models(board: Switchboard, nodes: Sequence[Node], place: str) -> ModelCatalogue:
    """Ask every provider for its list, all at once.

    One that has no list gives the model that its configuration names. What a list does
    not say of price and context window is looked up.

    Args:
        board: What opens and ends calls.
        nodes: The providers, each once.
        place: The name of what was asked, for the error.

    Raises:
        ProviderError: The one provider asked failed.
        AllProvidersFailed: All of several failed.
    """
    # Told before the first checkpoint: a reload may put others in their places.
    told = {node.name: _provider(board, node) for node in nodes}
    asking = Asking(board, board.concluded, at_once=max(1, len(nodes)))
    await asking.run([(node, ListModels()) for node in nodes])
    models: list[ModelInfo] = []
    errors: dict[str, LLMError] = {}
    for index, node in enumerate(nodes):
        outcome = asking.outcomes[index]
        if isinstance(outcome, ModelList):
            models += [attrs.evolve(model, provider=node.name) for model in outcome.models]
        elif _has_no_list(outcome):
            named = told[node.name].model
            models += [] if named is None else [ModelInfo(id=named, provider=node.name)]
        elif isinstance(outcome, LLMError):
            errors[node.name] = outcome
    if len(errors) == len(nodes):
        if len(nodes) == 1:
            raise errors[nodes[0].name]
        raise AllProvidersFailed(
            f"no provider of {place!r} gave its models", tuple(errors.values()), place
        )
    kinds = {name: status.kind for name, status in told.items()}
    whole = await completed(models, kinds)
    by_name = {node.name: node for node in nodes}
    return ModelCatalogue(
        models=tuple([_priced(model, by_name[model.provider]) for model in whole]), errors=errors
    )


def _priced(model: ModelInfo, node: Node) -> ModelInfo:
    """Add the price that the configuration says, or that of the user's own machines."""
    price = model.price or node.price(model.id)
    return model if price is model.price else attrs.evolve(model, price=price)


def _has_no_list(outcome: object) -> bool:
    causes = outcome.errors if isinstance(outcome, AllProvidersFailed) else (outcome,)
    return all(
        isinstance(cause, ProviderUnavailableError) and cause.code == "unsuitable"
        for cause in causes
    )


def _provider(board: Switchboard, node: Node) -> ProviderStatus:
    """Give the status of a provider; for one with several keys, that of the first."""
    status = node.status()
    return _provider(board, board.nodes[status.members[0]]) if status.members else status


async def completed(models: Sequence[ModelInfo], kinds: Mapping[str, str]) -> tuple[ModelInfo, ...]:
    """Fill in what the wire did not say.

    Args:
        models: With the names of their providers.
        kinds: The kinds of these.
    """
    incomplete = [model for model in models if model.price is None or model.context_window is None]
    if not any(kinds[model.provider] not in UNPRICED for model in incomplete):
        return tuple(models)
    book = await installed_book()
    whole: list[ModelInfo] = []
    for index, model in enumerate(models):
        if index % _LOOK_UPS == 0:
            await trio.lowlevel.checkpoint()
        whole.append(_with_listing(model, kinds[model.provider], book))
    return tuple(whole)


def _with_listing(model: ModelInfo, kind: str, book: PriceBook) -> ModelInfo:
    if model.price is not None and model.context_window is not None:
        return model
    listing = book.find(kind, model.id)
    if listing is None:
        return model
    return attrs.evolve(
        model,
        name=model.name or listing.name,
        price=model.price or listing.price,
        context_window=model.context_window or listing.context_window,
    )


async def show_model(board: Switchboard, node: Node, model: str) -> ModelInfo:
    """Ask one provider about one model.

    Raises:
        InvalidRequestError: It was a balancer that was asked, or the name is none.
        ProviderError: The provider failed, or knows no such model.
    """
    result = await _manage(board, node, ShowModel, model)
    if not isinstance(result, ModelList) or not result.models:
        raise TypeError("details of a model are a list of one")
    info = attrs.evolve(result.models[0], provider=node.name)
    return _priced((await completed([info], {node.name: node.status().kind}))[0], node)


async def delete_model(board: Switchboard, node: Node, model: str) -> None:
    """Have one provider delete a model.

    Raises:
        InvalidRequestError: It was a balancer that was asked, or the name is none.
        ProviderError: The provider failed, or knows no such model.
    """
    await _manage(board, node, DeleteModel, model)


def managing(
    node: Node, operation: type[ShowModel | PullModel | DeleteModel], model: str
) -> Operation:
    """Make an operation on a model of one provider.

    Raises:
        InvalidRequestError: The node is a balancer, or the name is none.
    """
    if node.height:
        raise InvalidRequestError(
            f"{node.name!r} is a balancer, and its members keep their models apart: "
            "ask one of them, by Runtime.provider(name)",
            phase="request",
        )
    try:
        return operation(model=model)
    except ValueError as error:
        raise InvalidRequestError(str(error), phase="request") from error


async def _manage(
    board: Switchboard, node: Node, operation: type[ShowModel | DeleteModel], model: str
) -> OperationResult:
    ask = board.open_call(node, managing(node, operation, model), streaming=False)
    return board.concluded(ask.payload.call, node, await board.outcome(node, ask))


def behind(error: LLMError) -> LLMError:
    """Give the error that broke a pull; it has no partial text that is worth more."""
    cause = error.__cause__
    if isinstance(error, StreamInterruptedError) and isinstance(cause, ProviderError):
        return cause.copy()
    return error
