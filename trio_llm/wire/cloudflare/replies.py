"""Whole replies, as the client reads them."""

from typing import Any

from trio_llm.chat import Completion
from trio_llm.errors import MalformedResponseError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.cloudflare.names import DIALECT
from trio_llm.wire.openai_chat.replies import completion_of
from trio_llm.wire.values import as_list, as_object, as_text, read_body, rewrite


def decode_reply(body: bytes) -> Completion:
    """Read a whole response of status 200.

    Raises:
        ProviderError: An error inside the 200, classified; or `MalformedResponseError`.
    """
    value = read_body(body)
    result = result_of(value)
    # Newer models answer in OpenAI's form inside the envelope.
    reply = result if "choices" in result else _plain(result)
    completion = completion_of(reply, DIALECT)
    return Completion(
        message=completion.message,
        finish_reason=completion.finish_reason,
        raw_finish=completion.raw_finish,
        usage=completion.usage,
        model=completion.model,
        response_id=completion.response_id,
        raw=value,
    )


def result_of(value: Any) -> dict[str, Any]:
    """Take the result out of its envelope.

    Raises:
        ProviderError: The envelope says that there is none, classified; or
            `MalformedResponseError`.
    """
    envelope = as_object(value)
    if envelope.get("success") is False or envelope.get("errors") or envelope.get("error"):
        raise classify_frame(envelope, phase="response")
    result = envelope.get("result")
    if type(result) is not dict:
        raise MalformedResponseError("the response has no result", phase="response")
    return as_object(result)


def text_of(response: Any) -> str:
    """Give the text of ``response``, which is parsed already where it looked like JSON."""
    if type(response) is str:
        return response
    return "" if response is None else rewrite(response)


def calls_of(value: Any) -> list[dict[str, Any]]:
    """Give tool calls in OpenAI's form; the older models' have no function around them."""
    calls = [as_object(item) for item in as_list(value)]
    return [
        call
        if "function" in call
        else {
            "id": call.get("id"),
            "function": {"name": as_text(call.get("name")), "arguments": call.get("arguments")},
        }
        for call in calls
    ]


def _plain(result: dict[str, Any]) -> dict[str, Any]:
    if "response" not in result and "tool_calls" not in result:
        raise MalformedResponseError("the result has no response", phase="response")
    message = {
        **result,
        "content": text_of(result.get("response")),
        "tool_calls": calls_of(result.get("tool_calls")),
    }
    return {**result, "choices": [{"message": message, "finish_reason": None}]}
