"""The operations over HTTP: what is sent, in which pieces, and what is left open."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
import trio

from trio_llm import (
    Config,
    Endpoint,
    Fallback,
    MalformedResponseError,
    ModelNotFoundError,
    Provider,
    ProviderTimeoutError,
    Runtime,
    Timeouts,
)
from trio_llm.chat import Done
from trio_llm.providers.catalogue import KINDS
from trio_llm.providers.http import PULL_SILENCE
from trio_llm.testing import World, run
from trio_llm.transport import httpx

Answer = Callable[[str, Any], Awaitable[httpx.Response]]
HOUR = 3600.0


class _Lines(httpx.AsyncByteStream):
    """A body of lines, each after a pause; it knows whether it was closed."""

    def __init__(self, *lines: tuple[float, object]) -> None:
        self.lines = lines
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for pause, line in self.lines:
            await trio.sleep(pause)
            yield json.dumps(line).encode() + b"\n"

    async def aclose(self) -> None:
        """Be closed."""
        self.closed = True


def _provider(kind: str, **settings: Any) -> Provider:
    return Provider(kind, kind, api_key="sk-test-0123456789", **settings)


def _with(
    tree: Any, answer: Answer, does: Callable[[Runtime], Awaitable[Any]]
) -> tuple[Any, list[tuple[str, Any]]]:
    """Do something with a runtime whose servers give one answer; also give what was sent."""
    sent: list[tuple[str, Any]] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else None
        sent.append((f"{request.method} {request.url.path}", body))
        return await answer(request.url.path, body)

    async def scenario(world: World) -> Any:
        transport = httpx.MockTransport(handle)
        async with world.open(Config(default=tree), transport=transport) as llm:
            found = await does(llm)
            assert [status.in_flight for status in llm.status()] == [0] * len(llm.status())
        return found

    return run(scenario).value, sent


async def _embedded(_path: str, body: Any) -> httpx.Response:
    texts = body["input"]
    await trio.sleep(10.0 if len(texts) > 1000 else 1.0)
    vectors = [
        {"index": index, "embedding": [float(text), 1.0]} for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return httpx.Response(200, json={"data": vectors, "model": body["model"], "usage": usage})


def test_texts_go_in_requests_of_the_documented_size() -> None:
    """OpenAI takes so many texts at once, and the order holds though the last comes first."""
    most = KINDS["openai"].limits.embed_texts
    texts = [str(number) for number in range(most + 50)]
    found, sent = _with(_provider("openai"), _embedded, lambda llm: llm.embed(texts))
    assert [vector[0] for vector in found] == [float(text) for text in texts]
    assert found.usage.input_tokens == len(texts)
    assert sorted(len(body["input"]) for _, body in sent) == [50, most]
    assert {path for path, _ in sent} == {"POST /v1/embeddings"}


def test_the_limits_of_a_balancer_are_those_of_all_who_may_answer() -> None:
    """A member that takes fewer texts sets the size; one of another family does not."""
    pair = Fallback(
        [
            _provider("openai", embedding_model="same"),
            _provider("mistral", embedding_model="same"),
            _provider("cohere", embedding_model="another"),
        ]
    )
    most = min(KINDS[kind].limits.embed_texts for kind in ("openai", "mistral"))
    texts = ["1"] * (most + 1)
    _, sent = _with(pair, _embedded, lambda llm: llm.embed(texts))
    assert sorted(len(body["input"]) for _, body in sent) == [1, most]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"results": []}',
        b'{"results": [{"flagged": "no"}]}',
        b'{"results": [{}]}',
        b"<html>fine</html>",
    ],
)
def test_a_reply_that_judges_nothing_is_an_error(body: bytes) -> None:
    """No body of status 200 without a verdict comes out as safe."""

    async def answer(_path: str, _body: Any) -> httpx.Response:
        return httpx.Response(200, content=body)

    with pytest.raises(MalformedResponseError):
        _with(_provider("openai"), answer, lambda llm: llm.moderate("anything"))


def test_a_count_comes_from_the_endpoint_that_is_there() -> None:
    """Anthropic counts; a compatible server without the address gets an estimate."""

    async def counts(_path: str, _body: Any) -> httpx.Response:
        return httpx.Response(200, json={"input_tokens": 17})

    async def missing(_path: str, _body: Any) -> httpx.Response:
        return httpx.Response(404, json={"error": {"type": "not_found_error", "message": "?"}})

    async def count_twice(llm: Runtime) -> Any:
        await llm.count_tokens("hello")
        return await llm.count_tokens("hello")

    anthropic = _provider("anthropic")
    found, sent = _with(anthropic, counts, count_twice)
    assert (found.tokens, found.exact) == (17, True)
    assert [path for path, _ in sent] == ["POST /v1/messages/count_tokens"] * 2
    found, sent = _with(anthropic, missing, count_twice)
    assert (found.exact, len(sent)) == (False, 1)


def test_prices_of_listed_models_come_from_the_installed_book() -> None:
    """OpenAI's list has names alone; the rest is looked up, and the unknown stays unknown."""
    pytest.importorskip("genai_prices")

    async def answer(_path: str, _body: Any) -> httpx.Response:
        models = [{"id": "gpt-4o-mini", "object": "model"}, {"id": "mystery", "object": "model"}]
        return httpx.Response(200, json={"object": "list", "data": models})

    found, _ = _with(_provider("openai"), answer, lambda llm: llm.models())
    assert [model.id for model in found] == ["gpt-4o-mini", "mystery"]
    assert found[0].price.input == Decimal("0.15")
    assert found[0].context_window == 128_000
    assert (found[1].price, found[1].context_window) == (None, None)


def _pulling(*lines: tuple[float, object]) -> tuple[_Lines, Answer]:
    body = _Lines(*lines)

    async def answer(_path: str, _body: Any) -> httpx.Response:
        return httpx.Response(200, stream=body, headers={"content-type": "application/x-ndjson"})

    return body, answer


_QUICK = Timeouts(first_token=5.0, idle=5.0, total=60.0)


def _ollama() -> Provider:
    return Provider("ollama", "ollama", timeouts=_QUICK)


async def _pull(llm: Endpoint) -> list[int | None]:
    async with llm.pull_model("llama3.2") as pulling:
        steps = [step.completed async for step in pulling]
        assert isinstance(pulling.result, Done)
        return steps


def test_a_pull_may_take_hours_and_be_silent_for_minutes() -> None:
    """The limits of an answer are not those of a download."""
    layer = {"status": "pulling", "digest": "sha256:0", "total": 9}
    body, answer = _pulling(
        (PULL_SILENCE - 1, {"status": "pulling manifest"}),
        *[(PULL_SILENCE - 1, {**layer, "completed": number}) for number in range(1, 10)],
        (PULL_SILENCE - 1, {"status": "success"}),
    )
    steps, sent = _with(_ollama(), answer, _pull)
    assert [step for step in steps if step] == list(range(1, 10))
    assert sent == [("POST /api/pull", {"model": "llama3.2", "stream": True})]
    assert body.closed


def test_a_pull_that_is_silent_for_too_long_ends() -> None:
    """There is a limit all the same."""
    body, answer = _pulling((1, {"status": "pulling manifest"}), (HOUR, {"status": "success"}))
    with pytest.raises(ProviderTimeoutError):
        _with(_ollama(), answer, _pull)
    assert body.closed


def test_a_pull_that_is_left_early_closes_its_connection() -> None:
    """Leaving the block closes the response before anything else happens."""
    body, answer = _pulling((1, {"status": "pulling manifest"}), (HOUR, {"status": "success"}))

    async def leave(llm: Runtime) -> float:
        async with llm.pull_model("llama3.2") as pulling:
            await anext(pulling)
        assert body.closed
        return trio.current_time()

    assert _with(_ollama(), answer, leave)[0] == 1.0


def test_a_model_that_does_not_exist_is_told_by_its_class() -> None:
    """Ollama says so in the middle of a stream of status 200."""
    lines = ({"status": "pulling manifest"}, {"error": "model 'llama3.2' not found"})
    body, answer = _pulling(*[(1.0, line) for line in lines])
    with pytest.raises(ModelNotFoundError, match="not found"):
        _with(_ollama(), answer, _pull)
    assert body.closed
