"""Cohere's models and vectors over a real socket, at the paths that it has for them."""

import json

from tests.sockets.socket_scenes import KEY, PATIENT, member, open_llm
from trio_llm import Provider
from trio_llm.chat import Embeddings, EmbedRequest, ListModels, ModelList
from trio_llm.testing.upstream import Behaviour, open_upstream

MODELS = json.dumps({"models": [{"name": "m-1", "endpoints": ["chat"]}]}).encode()
VECTORS = json.dumps({"embeddings": {"float": [[0.5, 1.0], [0.0, 2.0]]}}).encode()


async def test_the_list_of_models() -> None:
    """It is asked for with a GET, of the first version, in one page."""
    async with (
        open_upstream(Behaviour(body=MODELS)) as upstream,
        open_llm(member(upstream, dialect="cohere")) as llm,
    ):
        result = await llm.perform(ListModels())
        assert isinstance(result, ModelList)
        assert [info.id for info in result.models] == ["m-1"]
        (served,) = upstream.served
        assert (served.method, served.path) == ("GET", "/v1/models?page_size=1000")


async def test_vectors() -> None:
    """They come in the order of the texts, from the second version."""
    async with open_upstream(Behaviour(body=VECTORS)) as upstream:
        # Under the name of a dialect, the upstream would take it for a conversation.
        url = f"{upstream.url}/elsewhere"
        provider = Provider("cohere", "a", base_url=url, api_key=KEY, timeouts=PATIENT)
        async with open_llm(provider) as llm:
            result = await llm.perform(EmbedRequest(texts=("a", "b"), purpose="query"))
        assert isinstance(result, Embeddings)
        assert result.vectors == ((0.5, 1.0), (0.0, 2.0))
        (served,) = upstream.served
        assert (served.method, served.path) == ("POST", "/elsewhere/v2/embed")
        assert json.loads(served.body)["input_type"] == "search_query"
