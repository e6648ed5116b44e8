"""NVIDIA: problem documents in place of errors, and purposes for vectors."""

import json
from typing import Any

import pytest

from tests.wire.wire_chat import refused, sent
from tests.wire.wire_operations import asked
from trio_llm.chat import EmbedRequest
from trio_llm.errors import (
    AuthenticationError,
    ModelNotFoundError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
)
from trio_llm.wire.presets import NVIDIA


@pytest.mark.parametrize(
    ("status", "title", "detail", "cls"),
    [
        (401, "Unauthorized", "Header of type `authorization` was missing", AuthenticationError),
        (403, "Forbidden", "Authorization failed", AuthenticationError),
        (403, "Forbidden", "This account may not do that", PermissionDeniedError),
        (
            404,
            "Not Found",
            "Function 'a1b2': Not found for account 'c3d4'",
            ModelNotFoundError,
        ),
        (402, "Payment Required", "Cloud credits expired", QuotaExceededError),
    ],
)
def test_nvidia_answers_with_problem_documents(
    status: int, title: str, detail: str, cls: type[ProviderError]
) -> None:
    """There is no ``error``; a bad key is 403, and a model the account lacks is 404."""
    error = refused(status, {"status": status, "title": title, "detail": detail})
    assert type(error) is cls
    assert detail in error.message


@pytest.mark.parametrize(("purpose", "word"), [(None, "passage"), ("query", "query")])
def test_nvidia_must_be_told_what_vectors_are_for(purpose: Any, word: str) -> None:
    """Passages and queries are embedded differently there."""
    body = json.loads(asked(EmbedRequest(texts="a", purpose=purpose), quirks=NVIDIA).body)
    assert body["input_type"] == word


def test_nvidia_refuses_fields_that_it_does_not_list() -> None:
    """Labels are left out."""
    body = sent(quirks=NVIDIA, user="u", metadata={"a": "b"})
    assert body.keys() == {"model", "messages"}
