"""The recorded exchanges beside the checkout, and what each of them asks."""

import base64
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs

from trio_llm.chat import (
    CountRequest,
    EmbedRequest,
    ListModels,
    ModerateRequest,
    Operation,
    PullModel,
    Request,
    ShowModel,
)
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
from trio_llm.wire.values import as_list, as_object

CONVERSATIONS = {
    "chat": "openai_chat",
    "responses": "openai_responses",
    "messages": "anthropic",
    "generate": "gemini",
    "chat2": "cohere",
    "ollama_chat": "ollama",
}
"""Which dialect reads which recorded interface."""

OPERATIONS = {
    "embeddings": "openai_chat",
    "embed": "cohere",
    "models": "openai_chat",
    "moderations": "openai_chat",
    "count_tokens": "anthropic",
    "ollama_tags": "ollama",
    "ollama_show": "ollama",
    "ollama_pull": "ollama",
}
"""The same for what is asked besides a conversation."""

OWN_DIALECT = {
    "anthropic": "anthropic",
    "cohere": "cohere",
    "gemini": "gemini",
    "vertex": "gemini",
    "ollama": "ollama",
}
"""Providers whose operations are in a dialect of their own."""

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

_ENDPOINTS = (
    (EmbedRequest, "POST", r"/(embeddings|embed)$|:(embedContent|batchEmbedContents|predict)$"),
    (ModerateRequest, "POST", r"/moderations$"),
    (CountRequest, "POST", r"/count_tokens$|:countTokens$"),
    (ListModels, "GET", r"/models$|/api/tags$"),
    (ShowModel, "GET", r"/v\d\w*/models/[^/:]+$"),
    (ShowModel, "POST", r"/api/show$"),
    (PullModel, "POST", r"/api/pull$"),
)
"""Operation, method and end of the path: some recordings are filed under another's name."""


@attrs.frozen
class Exchange:
    """One recorded exchange; `dialect` is ``None`` where nobody here speaks its shape."""

    name: str
    api: str
    dialect: str | None
    operation: Operation | None
    stream: bool
    status: int
    asked: dict[str, Any] = attrs.field(repr=False)
    headers: dict[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    error: tuple[type[ProviderError], ...] | None
    expect: dict[str, Any] | None = attrs.field(repr=False)

    @property
    def provider(self) -> str:
        """Whose it is."""
        return self.name.partition("/")[0]


def corpus_path() -> Path:
    """Give where the corpus is, or would be."""
    beside = Path(__file__).parents[2].parent / "shared" / "wire-corpus"
    return Path(os.environ.get("TRIO_LLM_WIRE_CORPUS", beside))


def recordings() -> list[Exchange]:
    """Give every recorded exchange; none where the corpus is missing."""
    records = [
        (f"{path.parent.name}/{path.stem}", json.loads(path.read_bytes()))
        for path in sorted(corpus_path().glob("*/*.json"))
    ]
    return [_exchange(name, record) for name, record in records if "api" in record]


def _exchange(name: str, record: dict[str, Any]) -> Exchange:
    response, request = record["response"], as_object(record.get("request"))
    body = response.get("body")
    asked, expect = as_object(request.get("body")), as_object(record.get("expect"))
    provider, api = name.partition("/")[0], record["api"]
    dialect, operation = CONVERSATIONS.get(api), None
    if api in OPERATIONS:
        kind = _kind(request) if request else EmbedRequest
        own = OWN_DIALECT.get(provider, OPERATIONS[api])
        if kind is not None:
            dialect, operation = own, _operation(kind, asked, expect)
        elif response["status"] != 200:
            # Whatever was asked: an error is read without knowing it.
            dialect = own
    elif api == "other" and response["status"] != 200:
        dialect = OWN_DIALECT.get(provider)
    return Exchange(
        name=name,
        api=api,
        dialect=dialect,
        operation=operation,
        stream=record["stream"],
        status=response["status"],
        asked=asked,
        headers={name.lower(): value for name, value in response["headers"].items()},
        body=base64.b64decode(response["body_base64"])
        if body is None
        else body.encode("utf-8", "surrogatepass"),
        error=ERRORS.get(record.get("error_class") or ""),
        expect=record.get("expect"),
    )


def _kind(request: dict[str, Any]) -> type[Operation] | None:
    parts = urlsplit(str(request["url"]))
    if parts.hostname == "huggingface.co":
        # The hub's own interface, which is not one for asking models.
        return None
    for kind, method, ending in _ENDPOINTS:
        if request["method"].upper() == method and re.search(ending, parts.path):
            return kind
    return None


def _operation(kind: type[Operation], asked: dict[str, Any], expect: dict[str, Any]) -> Operation:
    model = asked.get("model") or asked.get("name") or "m"
    if kind is EmbedRequest:
        lists = [as_list(asked.get(name)) for name in ("input", "texts", "requests")]
        number = max(len(given) for given in lists) or expect.get("n_vectors", 1)
        return EmbedRequest(model=model, texts=[f"text {index}" for index in range(number)])
    if kind is ModerateRequest:
        number = len(as_list(asked.get("input"))) or 1
        return ModerateRequest(model=model, texts=["text"] * number)
    if kind is CountRequest:
        return CountRequest(model=model, request=Request(messages="text"))
    return ListModels() if kind is ListModels else kind(model=model)
