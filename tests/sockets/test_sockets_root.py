"""Paths that are not under the base URL, over real sockets and behind a prefix."""

import json

import pytest

from tests.sockets.socket_scenes import KEY, PATIENT, open_llm
from trio_llm import Provider
from trio_llm.testing.upstream import Behaviour, open_upstream

VECTORS = json.dumps([[0.5, 1.0], [0.0, 2.0]]).encode()
FEATURES = "/hf-inference/models/org/name/pipeline/feature-extraction"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", FEATURES),
        ("/v1", FEATURES),
        ("/gateway", f"/gateway{FEATURES}"),
        ("/gateway/v1", f"/gateway{FEATURES}"),
        ("/two/steps/v1/", f"/two/steps{FEATURES}"),
        ("/v1/gateway", f"/v1/gateway{FEATURES}"),
        ("/gateway/myv1", f"/gateway/myv1{FEATURES}"),
    ],
)
async def test_hugging_face_behind_a_prefix(path: str, expected: str) -> None:
    """Of the base URL only the kind's own path is cut; a gateway's prefix stays."""
    async with open_upstream(Behaviour(body=VECTORS)) as upstream:
        provider = Provider(
            "huggingface",
            "a",
            base_url=f"{upstream.url}{path}",
            embedding_model="org/name",
            api_key=KEY,
            timeouts=PATIENT,
        )
        async with open_llm(provider) as llm:
            result = await llm.embed(["a", "b"])
        assert result.vectors == ((0.5, 1.0), (0.0, 2.0))
        assert [served.path for served in upstream.served] == [expected]
