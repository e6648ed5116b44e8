"""An error under a status of 200 is an error of the right class, in every dialect."""

import json
from itertools import product
from typing import Any

import pytest

from trio_llm.errors import (
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)
from trio_llm.wire import DIALECTS

ERRORS: list[tuple[Any, type[ProviderError]]] = [
    ({"error": {"message": "Rate limit.", "code": "rate_limit_exceeded"}}, RateLimitError),
    ({"error": {"message": "Spent.", "type": "insufficient_quota"}}, QuotaExceededError),
    ({"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}}, OverloadedError),
    ({"type": "error", "error": {"type": "overloaded_error", "message": ""}}, OverloadedError),
    ({"error": "model 'x' not found"}, ModelNotFoundError),
    ({"error": ["it broke"]}, ServerError),
    ({"code": "x", "error": "You have used all available credits."}, QuotaExceededError),
]


def _read(name: str, body: bytes, size: int) -> None:
    decoder = DIALECTS[name].decoder()
    for start in range(0, len(body), size):
        decoder.feed(body[start : start + size])
    decoder.close()


def _stream(name: str, value: Any, *, named: bool) -> bytes:
    text = json.dumps(value)
    if name == "ollama":
        return f"{text}\n".encode()
    return f"{'event: error' if named else 'id: 1'}\ndata: {text}\n\n".encode()


@pytest.mark.parametrize(
    ("name", "value", "error"), [(name, *row) for name, row in product(DIALECTS, ERRORS)]
)
def test_an_error_in_place_of_an_answer(name: str, value: Any, error: type[ProviderError]) -> None:
    """Whole, as the first event of a stream, or as a bare body where a stream should be."""
    dialect = DIALECTS[name]
    bare = json.dumps(value).encode()
    with pytest.raises(ProviderError) as caught:
        dialect.decode(bare)
    assert type(caught.value) is error
    for body in (bare, *[_stream(name, value, named=named) for named in (False, True)]):
        with pytest.raises(ProviderError) as caught:
            _read(name, body, 1)
        assert type(caught.value) is error
        assert caught.value.retry_after is None


NO_ANSWERS = [b"", b" \n", b"null", b"[]", b"3", b'"x"', b"{}", b'{"error": null}', b"<html>no"]


@pytest.mark.parametrize(("name", "body"), list(product(DIALECTS, NO_ANSWERS)))
def test_nothing_is_no_answer(name: str, body: bytes) -> None:
    """A success that says nothing is malformed, whole or where a stream should be."""
    with pytest.raises(MalformedResponseError):
        DIALECTS[name].decode(body)
    with pytest.raises(MalformedResponseError):
        _read(name, body, 99)
