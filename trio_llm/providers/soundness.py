"""What a backend's result must be before it counts as an answer.

The rules hold for every backend, a user's own class included. A result that breaks
one is the failure of that attempt, so that a balancer can ask its next member.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

from trio_llm.chat import (
    AnyRequest,
    Completion,
    CountRequest,
    DeleteModel,
    Done,
    Embeddings,
    EmbedRequest,
    ListModels,
    Message,
    ModelList,
    ModerateRequest,
    Moderation,
    Operation,
    OperationResult,
    PullModel,
    Request,
    ShowModel,
    TokenCount,
    Verdict,
)
from trio_llm.errors import ContentFilterError, MalformedResponseError
from trio_llm.providers.figures import whole, with_sound_figures

R = TypeVar("R", bound=Completion | OperationResult)

_RESULTS: Final[Mapping[type[Operation], type[OperationResult]]] = MappingProxyType(
    {
        EmbedRequest: Embeddings,
        ModerateRequest: Moderation,
        CountRequest: TokenCount,
        ListModels: ModelList,
        ShowModel: ModelList,
        PullModel: Done,
        DeleteModel: Done,
    }
)


def demand_sound(request: AnyRequest, result: R) -> R:
    """See that a result answers its request; give it with its figures as accounts take them.

    Raises:
        ContentFilterError: The provider answered with a refusal and nothing else.
        MalformedResponseError: The result is of another class than the request asks
            for, a vector or verdict is missing, vectors differ in length, details
            are not of one model, or a figure is none: see `with_sound_figures`.
    """
    if isinstance(request, Request):
        if not isinstance(result, Completion):
            raise _malformed(f"a request was answered with {type(result).__name__}")
        _check_message(result.message)
        _refuse_filtered(result)
        return with_sound_figures(result)
    expected = _RESULTS.get(type(request), OperationResult)
    if not isinstance(result, expected):
        raise _malformed(f"{request.what}: the answer is {type(result).__name__}")
    if isinstance(request, EmbedRequest) and isinstance(result, Embeddings):
        _check_vectors(request, result.vectors)
    elif isinstance(request, ModerateRequest) and isinstance(result, Moderation):
        if len(result.verdicts) != len(request.texts):
            raise _malformed(f"{len(result.verdicts)} verdicts came for {len(request.texts)} texts")
        _check_verdicts(result.verdicts)
    elif isinstance(request, ShowModel) and isinstance(result, ModelList):
        if len(result.models) != 1:
            raise _malformed(f"details of {len(result.models)} models came for one")
    elif isinstance(result, TokenCount):
        whole("tokens", result.tokens)
    return with_sound_figures(result)


def _check_message(message: object) -> None:
    if not isinstance(message, Message):
        raise _malformed(f"message is {type(message).__name__}, and not a Message")


def _check_verdicts(verdicts: Sequence[object]) -> None:
    for index, verdict in enumerate(verdicts):
        if not isinstance(verdict, Verdict) or type(verdict.flagged) is not bool:
            raise _malformed(f"verdict {index} does not say whether the text is flagged")


def _check_vectors(request: EmbedRequest, vectors: Sequence[Sequence[float]]) -> None:
    if len(vectors) != len(request.texts):
        raise _malformed(f"{len(vectors)} vectors came for {len(request.texts)} texts")
    wanted = request.dimensions or request.length or len(next(iter(vectors), ()))
    for index, vector in enumerate(vectors):
        if len(vector) != wanted or not wanted:
            raise _malformed(
                f"vector {index} has {len(vector)} dimensions, and {wanted or 'some'} were expected"
            )


def _refuse_filtered(completion: Completion) -> None:
    """Turn a refusal inside a success that delivered nothing into its error."""
    message = completion.message
    if completion.finish_reason == "content_filter" and not (message.text or message.tool_calls):
        raise ContentFilterError(
            "the provider refused the content", code=completion.raw_finish, phase="response"
        )


def _malformed(message: str) -> MalformedResponseError:
    return MalformedResponseError(message, phase="response")
