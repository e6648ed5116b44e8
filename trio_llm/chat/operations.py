"""What can be asked of a provider besides a conversation.

Every one of these travels the same road as a `Request`: through the mailboxes,
leases, retries and records of the same actors.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, TypeAlias

import attrs

from trio_llm.chat.capability import Capability
from trio_llm.chat.reply import Completion
from trio_llm.chat.request import Request
from trio_llm.chat.results import OperationResult, PullProgress
from trio_llm.chat.stream import Delta

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _to_texts(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _check_texts(_operation: object, attribute: "attrs.Attribute[Any]", texts: Any) -> None:
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            msg = f"{attribute.name}[{index}] must be a string, not {type(text).__name__}"
            raise TypeError(msg)


def _check_name(model: object) -> None:
    if not isinstance(model, str) or not model:
        msg = f"model must be the name of a model, not {model!r}"
        raise ValueError(msg)


@attrs.frozen(kw_only=True)
class Operation:
    """The root of everything that can be asked besides a conversation.

    Args:
        model: Which model; ``None`` means the provider's own for this operation.
        prefer: The provider or balancer that a fallback tries first.
        max_attempts: The most physical attempts; ``None`` means the configured number.
        extra: Further fields by dialect name, merged into the request body.
        tags: Labels for events and accounting; never sent.
    """

    what: ClassVar[str] = "operations"
    """What a provider offers that can do it, in words."""
    needs: ClassVar[frozenset[Capability]] = frozenset()
    """The capabilities that a provider must have."""
    needs_model: ClassVar[bool] = True
    """Whether it is about one model, so that one must be named."""

    model: str | None = None
    prefer: str | None = None
    max_attempts: int | None = None
    extra: Mapping[str, Mapping[str, Any]] = _NOTHING
    tags: Mapping[str, str] = _NOTHING


def model_family(model: str) -> str:
    """Give the name under which vectors of a model can be compared.

    The same model has many names: with its maker before it (``openai/...``), with
    a place behind it (``...:latest``, ``...@default``), in either case of letters.
    """
    name = model.lower().rsplit("/", 1)[-1]
    return name.partition("@")[0].removesuffix(":latest").removesuffix(":free")


@attrs.frozen(kw_only=True)
class EmbedRequest(Operation):
    """Texts to be turned into vectors, in one request.

    Args:
        texts: What to embed, in order.
        dimensions: The length of the vectors, where the model lets one choose.
        purpose: What they are for: ``document`` or ``query`` in a search,
            ``classification`` or ``clustering``; providers without such a
            distinction are not told.
        family: The model family that may answer; vectors of two families cannot
            be compared. Set by the endpoint.
        length: The length that vectors must have when `dimensions` does not say it:
            that of earlier ones. Set by the endpoint of a balancer.
        user: An opaque identifier of the end user.
    """

    what: ClassVar[str] = "embeddings"
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.EMBEDDING})

    texts: tuple[str, ...] = attrs.field(converter=_to_texts, validator=_check_texts)
    dimensions: int | None = None
    purpose: Literal["query", "document", "classification", "clustering"] | None = None
    family: str | None = None
    length: int | None = None
    user: str | None = None


@attrs.frozen(kw_only=True)
class ModerateRequest(Operation):
    """Texts to be judged.

    Args:
        texts: What to judge, in order.
    """

    what: ClassVar[str] = "moderation"
    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.MODERATION})

    texts: tuple[str, ...] = attrs.field(converter=_to_texts, validator=_check_texts)


@attrs.frozen(kw_only=True)
class CountRequest(Operation):
    """A conversation whose tokens are to be counted before it is sent.

    Args:
        request: What would be sent.
    """

    what: ClassVar[str] = "token counting"

    request: Request


@attrs.frozen(kw_only=True)
class ListModels(Operation):
    """Asks which models there are."""

    what: ClassVar[str] = "a list of models"
    needs_model: ClassVar[bool] = False


@attrs.frozen(kw_only=True)
class ShowModel(Operation):
    """Asks about one model."""

    what: ClassVar[str] = "details of a model"

    def __attrs_post_init__(self) -> None:
        _check_name(self.model)


@attrs.frozen(kw_only=True)
class PullModel(Operation):
    """Has a local server fetch a model; streamed, its events are `PullProgress`."""

    what: ClassVar[str] = "pulling of models"

    def __attrs_post_init__(self) -> None:
        _check_name(self.model)


@attrs.frozen(kw_only=True)
class DeleteModel(Operation):
    """Has a local server delete a model."""

    what: ClassVar[str] = "deletion of models"

    def __attrs_post_init__(self) -> None:
        _check_name(self.model)


OPERATIONS: Final[frozenset[type[Operation]]] = frozenset(
    {
        EmbedRequest,
        ModerateRequest,
        CountRequest,
        ListModels,
        ShowModel,
        PullModel,
        DeleteModel,
    }
)
"""Every operation."""

_WORDS: Final[Mapping[type, str]] = MappingProxyType(
    {
        Request: "chat",
        EmbedRequest: "embed",
        ModerateRequest: "moderate",
        CountRequest: "count_tokens",
        ListModels: "list_models",
        ShowModel: "show_model",
        PullModel: "pull_model",
        DeleteModel: "delete_model",
    }
)


def operation_of(request: "AnyRequest") -> str:
    """Give the word for what is asked: ``chat``, ``embed``, ``moderate``, ``list_models``, ..."""
    return _WORDS.get(type(request), type(request).__name__)


AnyRequest: TypeAlias = Request | Operation
AnyEvent: TypeAlias = Delta | PullProgress
AnyResult: TypeAlias = Completion | OperationResult
