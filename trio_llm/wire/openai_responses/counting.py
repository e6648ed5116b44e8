"""Counting the tokens of a conversation before it is sent.

Source: ``POST /responses/input_tokens`` in OpenAI's SDK 3.52, which answers
``{"object": "response.input_tokens", "input_tokens": N}``.
"""

from typing import cast

from trio_llm.chat import CountRequest, Operation, TokenCount
from trio_llm.errors import MalformedResponseError
from trio_llm.wire.classify import classify_frame
from trio_llm.wire.dialect import Outgoing, ProgressDecoder
from trio_llm.wire.openai_chat.requests import with_version
from trio_llm.wire.openai_responses.names import DIALECT
from trio_llm.wire.openai_responses.requests import write_fields
from trio_llm.wire.quirks import Quirks
from trio_llm.wire.values import as_object, read_body, write_body

_COUNTED = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
"""Every field that the endpoint has; it refuses others."""


class InputTokens:
    """How the provider is asked for a count of tokens."""

    def __init__(self, quirks: Quirks) -> None:
        self._quirks = quirks

    def encode(self, operation: Operation, /, *, model: str) -> Outgoing:
        """Write the request; what has no influence on the count is left out."""
        count = cast("CountRequest", operation)
        request = count.request
        body = write_fields(request, model=model, quirks=self._quirks)
        body.update(request.extra.get(DIALECT, {}))
        body = {name: value for name, value in body.items() if name in _COUNTED}
        body.update(count.extra.get(DIALECT, {}))
        return Outgoing(with_version("/responses/input_tokens", self._quirks), write_body(body))

    def decode(self, body: bytes, operation: Operation, /) -> TokenCount:
        """Read a whole response of status 200."""
        del operation
        value = read_body(body)
        reply = as_object(value)
        if reply.get("error"):
            raise classify_frame(reply, phase="response")
        tokens = reply.get("input_tokens")
        if type(tokens) is not int or tokens < 0:
            raise MalformedResponseError("the response has no number of tokens", phase="response")
        return TokenCount(tokens=tokens, exact=True, raw=value)

    def decoder(self, operation: Operation, /) -> ProgressDecoder | None:
        """Say that there are no events."""
        del operation
        return None
