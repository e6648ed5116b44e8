"""Vectors and verdicts over a real socket: what is broken is an error, and never a result."""

import json
from typing import Any

import pytest

from tests.sockets.socket_scenes import KEY, PATIENT, assert_at_rest, open_llm
from trio_llm import (
    AllProvidersFailed,
    ConnectionFailedError,
    Fallback,
    LoadBalance,
    MalformedResponseError,
    Provider,
    ProviderError,
    ServerError,
)
from trio_llm.testing.upstream import Behaviour, Fault, Upstream, open_upstream

VECTORS: dict[str, Any] = {
    "object": "list",
    "model": "m",
    "data": [{"index": 0, "embedding": [0.5, 1.0]}, {"index": 1, "embedding": [0.0, 2.0]}],
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}
VERDICTS: dict[str, Any] = {
    "id": "modr-1",
    "model": "m",
    "results": [
        {"flagged": False, "categories": {"hate": False}, "category_scores": {"hate": 0.1}},
        {"flagged": True, "categories": {"hate": True}, "category_scores": {"hate": 0.9}},
    ],
}
TEXTS = ["a", "b"]


def _provider(upstream: Upstream, name: str = "a", path: str = "elsewhere") -> Provider:
    # Under the name of a dialect, the upstream would take it for a conversation.
    return Provider(
        "openai",
        name,
        base_url=f"{upstream.url}/{path}",
        embedding_model="m",
        moderation_model="m",
        api_key=KEY,
        timeouts=PATIENT,
    )


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _vectors(*embeddings: Any) -> bytes:
    entries = [{"index": index, "embedding": one} for index, one in enumerate(embeddings)]
    return _json({**VECTORS, "data": entries})


def _verdicts(*results: Any) -> bytes:
    return _json({**VERDICTS, "results": results})


BROKEN_ANYWHERE = {
    "empty": Behaviour(body=b""),
    "garbage": Behaviour(body=b"\x00\xff\x13 garbage"),
    "a page": Behaviour(fault=Fault.HTML),
    "null": Behaviour(body=b"null"),
    "a number": Behaviour(body=b"7"),
    "an empty object": Behaviour(body=b"{}"),
    "an empty list": Behaviour(body=b"[]"),
    "nested without end": Behaviour(body=b"[" * 100_000),
    "an error in a 200": Behaviour(body=b'{"error": {"message": "no", "type": "server_error"}}'),
}

BROKEN_VECTORS = {
    **BROKEN_ANYWHERE,
    "half of the body": Behaviour(body=_json(VECTORS)[:60]),
    "one too few": Behaviour(body=_vectors([0.5, 1.0])),
    "one too many": Behaviour(body=_vectors([0.5, 1.0], [0.0, 2.0], [1.0, 1.0])),
    "none": Behaviour(body=_vectors()),
    "not a number": Behaviour(body=_vectors([0.5, float("nan")], [0.0, 2.0])),
    "infinite": Behaviour(body=_vectors([0.5, float("inf")], [0.0, 2.0])),
    "beyond a float": Behaviour(body=_vectors([0.5, 10**400], [0.0, 2.0])),
    "words": Behaviour(body=_vectors([0.5, "one"], [0.0, 2.0])),
    "truth": Behaviour(body=_vectors([0.5, True], [0.0, 2.0])),
    "two lengths": Behaviour(body=_vectors([0.5], [0.0, 2.0])),
    "no length": Behaviour(body=_vectors([], [])),
    "no base64": Behaviour(body=_vectors("???", "???")),
    "not-a-number as base64": Behaviour(body=_vectors("AADAfwAAgD8=", "AACAPwAAgD8=")),
    "part of a number as base64": Behaviour(body=_vectors("AADA", "AADA")),
    "the same index": Behaviour(
        body=_json({"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]})
    ),
}

BROKEN_VERDICTS = {
    **BROKEN_ANYWHERE,
    "half of the body": Behaviour(body=_json(VERDICTS)[:60]),
    "no results": Behaviour(body=_verdicts()),
    "one too few": Behaviour(body=_verdicts(VERDICTS["results"][0])),
    "one too many": Behaviour(body=_verdicts(*VERDICTS["results"], VERDICTS["results"][0])),
    "says nothing": Behaviour(body=_verdicts({}, {})),
    "null": Behaviour(body=_verdicts({"flagged": None}, {"flagged": None})),
    "a word": Behaviour(body=_verdicts({"flagged": "false"}, {"flagged": "false"})),
    "zero": Behaviour(body=_verdicts({"flagged": 0}, {"flagged": 0})),
    "a category in words": Behaviour(
        body=_verdicts({"categories": {"hate": "no"}}, {"categories": {"hate": "no"}})
    ),
    "no list": Behaviour(body=_json({"results": {"flagged": False}})),
}

CUT = [Fault.CLOSE, Fault.RESET, Fault.CLOSE_MIDWAY, Fault.RESET_MIDWAY]


async def test_vectors_in_order() -> None:
    """They are given in the order of their index, and their cost is told."""
    body = _json({**VECTORS, "data": VECTORS["data"][::-1]})
    async with (
        open_upstream(Behaviour(body=body)) as upstream,
        open_llm(_provider(upstream)) as llm,
    ):
        result = await llm.embed(TEXTS)
    assert result.vectors == ((0.5, 1.0), (0.0, 2.0))
    assert result.usage is not None
    assert result.usage.input_tokens == 4
    assert [served.path for served in upstream.served] == ["/elsewhere/embeddings"]


@pytest.mark.parametrize("case", BROKEN_VECTORS)
async def test_broken_vectors(case: str) -> None:
    """Whatever is wrong with any of them, none is given."""
    async with (
        open_upstream(BROKEN_VECTORS[case]) as upstream,
        open_llm(_provider(upstream)) as llm,
    ):
        with pytest.raises(ProviderError) as caught:
            await llm.embed(TEXTS)
        assert_at_rest(llm)
    expected = ServerError if case == "an error in a 200" else MalformedResponseError
    assert type(caught.value) is expected
    assert len(upstream.served) == 1


@pytest.mark.parametrize("fault", CUT)
async def test_vectors_that_are_cut(fault: Fault) -> None:
    """A connection that ends in the middle is a failed connection."""
    behaviour = Behaviour(body=_json(VECTORS), fault=fault)
    async with open_upstream(behaviour) as upstream, open_llm(_provider(upstream)) as llm:
        with pytest.raises(ConnectionFailedError):
            await llm.embed(TEXTS)
        assert_at_rest(llm)


async def test_verdicts() -> None:
    """Each text has its own, in their order."""
    behaviour = Behaviour(body=_json(VERDICTS))
    async with open_upstream(behaviour) as upstream, open_llm(_provider(upstream)) as llm:
        result = await llm.moderate(TEXTS)
    assert [verdict.flagged for verdict in result.verdicts] == [False, True]
    assert result.flagged
    assert result.categories == {"hate"}
    assert [served.path for served in upstream.served] == ["/elsewhere/moderations"]


@pytest.mark.parametrize("case", BROKEN_VERDICTS)
async def test_broken_verdicts(case: str) -> None:
    """An answer that is not wholly sound never means that a text is safe."""
    async with (
        open_upstream(BROKEN_VERDICTS[case]) as upstream,
        open_llm(_provider(upstream)) as llm,
    ):
        with pytest.raises(ProviderError) as caught:
            await llm.moderate(TEXTS)
        assert_at_rest(llm)
    expected = ServerError if case == "an error in a 200" else MalformedResponseError
    assert type(caught.value) is expected
    assert len(upstream.served) == 1


@pytest.mark.parametrize("fault", CUT)
async def test_verdicts_that_are_cut(fault: Fault) -> None:
    """A connection that ends in the middle never means that a text is safe."""
    behaviour = Behaviour(body=_json(VERDICTS), fault=fault)
    async with open_upstream(behaviour) as upstream, open_llm(_provider(upstream)) as llm:
        with pytest.raises(ConnectionFailedError):
            await llm.moderate(TEXTS)
        assert_at_rest(llm)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_a_moderation_that_is_refused(status: int) -> None:
    """An error status with verdicts in its body is an error."""
    behaviour = Behaviour(status=status, body=_json(VERDICTS))
    async with open_upstream(behaviour) as upstream, open_llm(_provider(upstream)) as llm:
        with pytest.raises(ProviderError) as caught:
            await llm.moderate(TEXTS)
    assert caught.value.status == status


@pytest.mark.parametrize("case", BROKEN_VERDICTS)
async def test_another_member_judges(case: str) -> None:
    """A fallback goes on to the next member; its verdicts are the only ones."""
    async with (
        open_upstream(BROKEN_VERDICTS[case]) as broken,
        open_upstream(Behaviour(body=_json(VERDICTS))) as sound,
        open_llm(Fallback((_provider(broken, "a"), _provider(sound, "b")))) as llm,
    ):
        result = await llm.moderate(TEXTS)
        assert result.provider == "b"
        assert [verdict.flagged for verdict in result.verdicts] == [False, True]
        assert len(broken.served) == len(sound.served) == 1


async def test_nobody_judges() -> None:
    """When all fail, it is said so."""
    async with open_upstream(Behaviour(body=_verdicts())) as upstream:
        members = (_provider(upstream, "a"), _provider(upstream, "b"))
        async with open_llm(Fallback(members)) as llm:
            with pytest.raises(AllProvidersFailed) as caught:
                await llm.moderate(TEXTS)
    assert [type(error) for error in caught.value.errors] == [MalformedResponseError] * 2


async def test_one_broken_part_of_many_texts() -> None:
    """Of texts that go in several requests, one failure gives no vectors at all."""

    def script(served: Any) -> Behaviour:
        texts = json.loads(served.body)["input"]
        entries = [[float(text), 1.0] for text in texts]
        return Behaviour(body=_vectors(*entries[:-1] if "2050" in texts else entries))

    async with open_upstream(script) as upstream, open_llm(_provider(upstream)) as llm:
        whole = await llm.embed([str(number) for number in range(2050)])
        assert whole.vectors == tuple((float(number), 1.0) for number in range(2050))
        with pytest.raises(MalformedResponseError):
            await llm.embed([str(number) for number in range(2060)])
        assert_at_rest(llm)
    sizes = sorted(len(json.loads(served.body)["input"]) for served in upstream.served)
    assert sizes == [2, 12, 2048, 2048]


async def test_a_load_balance_of_embedders() -> None:
    """Parts of one call go to several members, and come back in order."""

    def script(served: Any) -> Behaviour:
        texts = json.loads(served.body)["input"]
        return Behaviour(body=_vectors(*[[float(text), 1.0] for text in texts]))

    async with open_upstream(script) as upstream:
        members = (_provider(upstream, "a", "one"), _provider(upstream, "b", "two"))
        async with open_llm(LoadBalance(members)) as llm:
            result = await llm.embed([str(number) for number in range(5000)])
    assert result.vectors == tuple((float(number), 1.0) for number in range(5000))
    assert {served.path for served in upstream.served} == {"/one/embeddings", "/two/embeddings"}
