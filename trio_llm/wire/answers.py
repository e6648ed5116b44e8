"""The body of a success, where that is an object and may be an error all the same."""

from typing import Any

from trio_llm.errors import MalformedResponseError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.values import as_object, read_body


def read_answer(body: bytes) -> dict[str, Any]:
    """Read the fields of an answer.

    Raises:
        ProviderError: An error inside the 200, classified; or `MalformedResponseError`.
    """
    value = read_body(body)
    if type(value) is not dict:
        raise MalformedResponseError("the response is no object", phase="response")
    fields = as_object(value)
    if fields.get("error") or fields.get("type") == "error":
        raise classify_frame(fields, phase="response")
    return fields
