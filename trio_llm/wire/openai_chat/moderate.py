"""Moderation, in OpenAI's form and in Mistral's."""

import math
from typing import Any

from trio_llm.chat import ModerateRequest, Moderation, Operation, OperationResult, Verdict
from trio_llm.errors import MalformedResponseError
from trio_llm.wire.dialect import Outgoing, ProgressDecoder
from trio_llm.wire.openai_chat.charged import charged_of
from trio_llm.wire.openai_chat.names import DIALECT
from trio_llm.wire.openai_chat.replies import raise_failure, usage_of
from trio_llm.wire.openai_chat.requests import with_version
from trio_llm.wire.quirks import PLAIN, Quirks
from trio_llm.wire.values import as_list, as_name, as_object, read_body, write_body


class ModerateCodec:
    """``POST /moderations``.

    A text counts as judged only if the provider says ``flagged``, or, as Mistral
    does, whether each category applies; anything less is a malformed response.

    Args:
        quirks: In what the provider differs.
        dialect: The name under which its own fields are found.
    """

    def __init__(self, quirks: Quirks = PLAIN, dialect: str = DIALECT) -> None:
        self._quirks = quirks
        self._dialect = dialect

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request."""
        asked = _as_moderation(operation)
        body: dict[str, Any] = {"model": model} if model else {}
        body["input"] = list(asked.texts)
        body.update(asked.extra.get(self._dialect, {}))
        return Outgoing(with_version("/moderations", self._quirks), write_body(body))

    def decode(self, body: bytes, operation: Operation, /) -> OperationResult:
        """Read the response.

        Raises:
            ProviderError: An error inside the 200, classified; or
                `MalformedResponseError`, also when a text has no verdict.
        """
        asked = _as_moderation(operation)
        value = read_body(body)
        reply = as_object(value)
        raise_failure(reply, "results")
        results = as_list(reply.get("results"))
        if len(results) != len(asked.texts):
            raise _malformed(f"there are {len(results)} verdicts for {len(asked.texts)} texts")
        return Moderation(
            verdicts=tuple([_verdict(as_object(item), i) for i, item in enumerate(results)]),
            usage=usage_of(reply.get("usage")),
            model=as_name(reply.get("model")),
            raw=value,
            charged=charged_of(reply.get("usage")),
        )

    def decoder(self, _operation: Operation, /) -> ProgressDecoder | None:
        """Give nothing: verdicts come all at once."""
        return None


def _as_moderation(operation: Operation) -> ModerateRequest:
    if not isinstance(operation, ModerateRequest):
        msg = f"expected a ModerateRequest, not {type(operation).__name__}"
        raise TypeError(msg)
    return operation


def _verdict(result: dict[str, Any], index: int) -> Verdict:
    # OpenAI leaves a category null that its older model does not know.
    stated = as_object(result.get("categories")).items()
    categories = {name: applies for name, applies in stated if applies is not None}
    if not all(type(applies) is bool for applies in categories.values()):
        raise _malformed(f"verdict {index} has a category that neither applies nor does not")
    flagged = result.get("flagged")
    if flagged is None and categories:
        flagged = any(categories.values())
    if type(flagged) is not bool:
        raise _malformed(f"verdict {index} says neither yes nor no")
    return Verdict(flagged, categories, _scores(result.get("category_scores")))


def _scores(value: Any) -> dict[str, float]:
    return {
        name: float(score)
        for name, score in as_object(value).items()
        if type(score) is float or (type(score) is int and score in (0, 1))
        if math.isfinite(score)
    }


def _malformed(message: str) -> MalformedResponseError:
    return MalformedResponseError(message, phase="response")
