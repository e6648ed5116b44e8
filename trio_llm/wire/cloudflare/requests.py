"""Requests, as the client writes them."""

from trio_llm.chat import Request
from trio_llm.wire.cloudflare.names import DIALECT, run_path
from trio_llm.wire.dialect import Outgoing
from trio_llm.wire.openai_chat.requests import request_body
from trio_llm.wire.quirks import Quirks
from trio_llm.wire.values import write_body


def encode_request(
    request: Request, *, model: str, stream: bool, max_tokens: int | None, quirks: Quirks
) -> Outgoing:
    """Write a request: the model is in the path, the rest is as in OpenAI's form.

    Raises:
        InvalidRequestError: The dialect cannot express a part of it.
    """
    body = request_body(
        request, model=model, stream=stream, max_tokens=max_tokens, quirks=quirks, dialect=DIALECT
    )
    # Usage comes unasked.
    for name in ("model", "stream_options"):
        body.pop(name, None)
    for message in body["messages"]:
        if message["content"] is None:
            # The schemas of its models want a string in every message.
            message["content"] = ""
    return Outgoing(run_path(model), write_body(body))
