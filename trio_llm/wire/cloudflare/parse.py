"""Requests, as the server's side reads them."""

import re
from urllib.parse import unquote

from trio_llm.wire.cloudflare.names import DIALECT
from trio_llm.wire.dialect import Incoming
from trio_llm.wire.fields import read_request_body
from trio_llm.wire.openai_chat.parse import parse_request
from trio_llm.wire.values import write_body

_RUN = re.compile(r"/run/([^?]+)")


def parse_run(path: str, body: bytes) -> Incoming:
    """Read a request; the model is in its path, or else in its body.

    Raises:
        InvalidRequestError: The body is no request of this dialect, or no model is named.
    """
    found = _RUN.search(path)
    if found is None:
        return parse_request(path, body, DIALECT)
    fields = read_request_body(body)
    model = unquote(found[1])
    return parse_request(path, write_body({**fields, "model": model}), DIALECT)
