"""The recorded exchanges beside the checkout, read for the tests."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import attrs

from trio_llm.chat import Usage
from trio_llm.errors import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    MalformedResponseError,
    ModelNotFoundError,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)

DIALECT_OF_API = {"chat": "openai_chat", "messages": "anthropic", "ollama_chat": "ollama"}

ERRORS: dict[str, tuple[type[ProviderError], ...]] = {
    "authentication": (AuthenticationError,),
    "permission": (PermissionDeniedError,),
    "rate_limit": (RateLimitError,),
    "quota": (QuotaExceededError,),
    "model_not_found": (ModelNotFoundError,),
    "context_length": (ContextLengthError,),
    "content_filtered": (ContentFilterError,),
    "invalid_request": (InvalidRequestError,),
    "overloaded_server": (OverloadedError, ServerError),
    "malformed_response": (MalformedResponseError,),
}


@attrs.frozen
class Exchange:
    """One recorded exchange."""

    name: str
    dialect: str
    stream: bool
    status: int
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    error: tuple[type[ProviderError], ...] | None
    expect: dict[str, Any] | None = attrs.field(repr=False)


def corpus_path() -> Path:
    """Give where the corpus is, or would be."""
    beside = Path(__file__).parents[2].parent / "shared" / "wire-corpus"
    return Path(os.environ.get("TRIO_LLM_WIRE_CORPUS", beside))


def exchanges() -> list[Exchange]:
    """Give every exchange of the three dialects; none where the corpus is missing."""
    found: list[Exchange] = []
    root = corpus_path()
    for path in sorted(root.glob("*/*.json")):
        record = json.loads(path.read_bytes())
        if record.get("api") not in DIALECT_OF_API:
            continue
        response = record["response"]
        body = response.get("body")
        found.append(
            Exchange(
                name=f"{path.parent.name}/{path.stem}",
                dialect=DIALECT_OF_API[record["api"]],
                stream=record["stream"],
                status=response["status"],
                headers={name.lower(): value for name, value in response["headers"].items()},
                body=base64.b64decode(response["body_base64"])
                if body is None
                else body.encode("utf-8", "surrogatepass"),
                error=ERRORS.get(record.get("error_class") or ""),
                expect=record.get("expect"),
            )
        )
    return found


def expected_usage(exchange: Exchange) -> Usage | None:
    """Give the usage that our meaning makes of the provider's raw numbers."""
    raw = (exchange.expect or {}).get("usage")
    if not raw:
        return None
    read, written = raw.get("input", 0), raw.get("output", 0)
    cached, cache_write = raw.get("cached", 0), raw.get("cache_write", 0)
    reasoning = raw.get("reasoning", 0)
    if exchange.dialect == "anthropic":
        read += cached + cache_write
    elif "total" in raw and raw["total"] > read + written:
        # xAI, and Gemini behind this dialect: the total has reasoning that the output lacks.
        reasoning = reasoning or raw["total"] - read - written
        written = raw["total"] - read
    return Usage(read, written, cached, cache_write, reasoning)
