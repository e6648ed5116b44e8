"""Vectors and the models of an Ollama server."""

import json
from typing import Any

import pytest

from trio_llm.chat import (
    Capability,
    CountRequest,
    DeleteModel,
    Done,
    Embeddings,
    EmbedRequest,
    ListModels,
    ModelInfo,
    ModelList,
    PullModel,
    PullProgress,
    ShowModel,
    Usage,
)
from trio_llm.errors import (
    MalformedResponseError,
    ModelNotFoundError,
    ProviderError,
    ServerError,
    StreamInterruptedError,
)
from trio_llm.wire import DIALECTS, OperationCodec

OLLAMA = DIALECTS["ollama"]
EMBED = OLLAMA.operations[EmbedRequest]
LIST = OLLAMA.operations[ListModels]
SHOW = OLLAMA.operations[ShowModel]
PULL = OLLAMA.operations[PullModel]
DELETE = OLLAMA.operations[DeleteModel]
TWO = EmbedRequest(texts=("a", "b"))
PULLED = PullModel(model="m")


def test_what_the_server_does() -> None:
    """There is neither a count of tokens nor moderation."""
    assert set(OLLAMA.operations) == {EmbedRequest, ListModels, ShowModel, PullModel, DeleteModel}
    assert CountRequest not in OLLAMA.operations


@pytest.mark.parametrize(
    ("codec", "operation", "method", "path", "body"),
    [
        (EMBED, TWO, "POST", "/api/embed", {"model": "m", "input": ["a", "b"]}),
        (
            EMBED,
            EmbedRequest(texts="a", dimensions=3, extra={"ollama": {"truncate": False}}),
            "POST",
            "/api/embed",
            {"model": "m", "input": ["a"], "dimensions": 3, "truncate": False},
        ),
        (LIST, ListModels(), "GET", "/api/tags", None),
        (SHOW, ShowModel(model="m"), "POST", "/api/show", {"model": "m"}),
        (PULL, PULLED, "POST", "/api/pull", {"model": "m", "stream": True}),
        (DELETE, DeleteModel(model="m"), "DELETE", "/api/delete", {"model": "m"}),
    ],
)
def test_what_is_sent(
    codec: OperationCodec, operation: Any, method: str, path: str, body: Any
) -> None:
    """Each operation has its method, its path and its body; an extra field joins it."""
    outgoing = codec.encode(operation, model="m")
    assert (outgoing.method, outgoing.path, outgoing.from_root) == (method, path, False)
    assert (json.loads(outgoing.body) if outgoing.body else None) == body


def test_vectors_come_in_the_order_of_the_texts() -> None:
    """A number may be whole; the count of tokens is the usage."""
    body = b'{"model":"m","embeddings":[[1,0.5],[-2.5,3]],"prompt_eval_count":7}'
    result = EMBED.decode(body, TWO)
    assert isinstance(result, Embeddings)
    assert result.vectors == ((1.0, 0.5), (-2.5, 3.0))
    assert (result.model, result.usage) == ("m", Usage(7))


def test_a_missing_count_is_no_usage() -> None:
    """Older servers do not count."""
    assert EMBED.decode(b'{"embeddings":[[1],[2]]}', TWO).usage is None


@pytest.mark.parametrize(
    "vectors",
    [
        "null",
        "[]",
        "[[1]]",
        "[[1],[2],[3]]",
        "[[1],[]]",
        "[[1],[1,2]]",
        '[[1],["2"]]',
        "[[1],[null]]",
        "[[1],[true]]",
        "[[1],[NaN]]",
        "[[1],[1e999]]",
        "[[1],[1" + "0" * 400 + "]]",
    ],
)
def test_vectors_that_are_none_are_malformed(vectors: str) -> None:
    """Missing, uneven and impossible ones are never handed on."""
    with pytest.raises(MalformedResponseError):
        EMBED.decode(b'{"embeddings":%b}' % vectors.encode(), TWO)


def test_models_on_the_disk() -> None:
    """Size, family and digest; an entry without a name is no model."""
    entry = {
        "name": "llama3.2:latest",
        "model": "llama3.2:latest",
        "modified_at": "2026-01-01T00:00:00Z",
        "size": 2019393189,
        "digest": "a80c",
        "details": {"format": "gguf", "family": "llama", "parameter_size": "3.2B"},
    }
    older = {"name": "old", "size": "x", "details": None}
    body = json.dumps({"models": [entry, {"size": 1}, older, 3]}).encode()
    result = LIST.decode(body, ListModels())
    assert isinstance(result, ModelList)
    details = {
        "format": "gguf",
        "family": "llama",
        "parameter_size": "3.2B",
        "digest": "a80c",
        "modified_at": "2026-01-01T00:00:00Z",
    }
    assert result.models == (
        ModelInfo(id="llama3.2:latest", size=2019393189, details=details),
        ModelInfo(id="old"),
    )


def show(**fields: Any) -> ModelInfo:
    """Give what is read of one description."""
    result = SHOW.decode(
        json.dumps({"details": {}, **fields}).encode(), ShowModel(model="llama3.2")
    )
    assert isinstance(result, ModelList)
    return result.models[0]


def test_the_window_is_named_after_the_architecture() -> None:
    """A vision model has several, of which only its own counts."""
    facts = {
        "clip.context_length": 77,
        "general.architecture": "llama",
        "llama.context_length": 131072,
    }
    assert show(model_info=facts).context_window == 131072
    assert show(model_info={"qwen.context_length": 9}).context_window == 9
    assert show(model_info={"general.architecture": "x"}).context_window is None


def test_abilities_are_this_librarys_words() -> None:
    """Unknown ones are skipped; none stated is not the same as none there."""
    abilities = show(capabilities=["completion", "vision", "insert", 3]).capabilities
    assert abilities is not None
    assert {Capability.CHAT, Capability.VISION, Capability.STRUCTURED_OUTPUT} <= abilities
    assert Capability.TOOLS not in abilities
    assert show(capabilities=["embedding"]).capabilities == frozenset({Capability.EMBEDDING})
    assert show(capabilities=[]).capabilities == frozenset()
    assert show().capabilities is None


def test_a_description_keeps_the_name_that_was_asked_for() -> None:
    """The server does not repeat it."""
    info = show(license="long", details={"family": "llama"}, modified_at="2026")
    assert info.id == "llama3.2"
    assert info.details == {"family": "llama", "modified_at": "2026"}


def test_deleting_gives_nothing() -> None:
    """The response is empty, or an object without an error."""
    for body in (b"", b"\n", b"{}"):
        assert DELETE.decode(body, DeleteModel(model="m")) == Done(raw=None)


PULL_LINES = (
    b'{"status":"pulling manifest"}\n'
    b'{"status":"pulling aa","digest":"sha256:aa","total":100}\n'
    b'{"status":"pulling aa","digest":"sha256:aa","total":100,"completed":40}\n'
    b'{"status":"verifying sha256 digest"}\n'
)
SUCCESS = b'{"status":"success"}\n'
EVENTS = [
    PullProgress("pulling manifest"),
    PullProgress("pulling aa", "sha256:aa", 100),
    PullProgress("pulling aa", "sha256:aa", 100, 40),
    PullProgress("verifying sha256 digest"),
]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_pull_reports_its_progress(size: int) -> None:
    """However it is split: an event for each line, and success as the result."""
    decoder = PULL.decoder(PULLED)
    assert decoder is not None
    body = PULL_LINES + SUCCESS
    events = [
        event
        for start in range(0, len(body), size)
        for event in decoder.feed(body[start : start + size])
    ]
    assert events == EVENTS
    assert decoder.finished
    assert decoder.close() == Done(status="success")


def test_a_pull_without_events_is_read_whole() -> None:
    """The same lines come, and only the last of them matters."""
    assert PULL.decode(PULL_LINES + SUCCESS, PULLED) == Done(status="success")
    assert PULL.decode(SUCCESS.rstrip(), PULLED) == Done(status="success")


@pytest.mark.parametrize("body", [PULL_LINES, PULL_LINES + SUCCESS[:9]])
def test_a_pull_that_is_cut_is_no_success(body: bytes) -> None:
    """Without the last line nobody knows whether the model is there."""
    with pytest.raises(StreamInterruptedError):
        PULL.decode(body, PULLED)
    decoder = PULL.decoder(PULLED)
    assert decoder is not None
    assert decoder.feed(body) == EVENTS
    assert not decoder.finished
    with pytest.raises(StreamInterruptedError):
        decoder.close()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("pull model manifest: file does not exist", ModelNotFoundError),
        ("write /root/.ollama: no space left on device", ServerError),
    ],
)
def test_an_error_ends_a_pull_under_a_200(words: str, wanted: type[ProviderError]) -> None:
    """The events before it come first; a model that the registry lacks is not found."""
    body = PULL_LINES + json.dumps({"error": words}).encode() + b"\n"
    with pytest.raises(wanted, match=words):
        PULL.decode(body, PULLED)
    decoder = PULL.decoder(PULLED)
    assert decoder is not None
    assert decoder.feed(body) == EVENTS
    assert decoder.finished
    with pytest.raises(wanted, match=words):
        decoder.close()


@pytest.mark.parametrize("body", [b"", b"\n\n", b"[]\n", b"<html>\n", b'{"digest":"x"}\n'])
def test_no_pull_stream_is_malformed(body: bytes) -> None:
    """Emptiness and other JSON are no progress."""
    with pytest.raises(MalformedResponseError):
        PULL.decode(body, PULLED)


def test_odd_counts_of_bytes_are_left_out() -> None:
    """A number that is none says nothing."""
    decoder = PULL.decoder(PULLED)
    assert decoder is not None
    line = b'{"status":"x","digest":3,"total":"1","completed":-1}\n'
    assert decoder.feed(line) == [PullProgress("x")]


@pytest.mark.parametrize("codec", [EMBED, LIST, SHOW, PULL, DELETE])
def test_an_error_inside_a_200_is_raised(codec: OperationCodec) -> None:
    """One sentence under ``error`` is all that there ever is."""
    with pytest.raises(ModelNotFoundError, match="not found"):
        codec.decode(b'{"error":"model \'m\' not found"}', TWO)


@pytest.mark.parametrize("codec", [EMBED, LIST, SHOW])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b'{"models":{},"details":[]}'])
def test_what_is_no_answer_is_malformed(codec: OperationCodec, body: bytes) -> None:
    """Emptiness, pages and other JSON are none of the three."""
    with pytest.raises(MalformedResponseError):
        codec.decode(body, TWO)


@pytest.mark.parametrize("codec", [EMBED, LIST, SHOW, DELETE])
def test_only_a_pull_is_streamed(codec: OperationCodec) -> None:
    """The others answer in one piece."""
    assert codec.decoder(TWO) is None
