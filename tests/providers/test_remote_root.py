"""Where paths begin that are not under the base URL."""

import math

import pytest

from trio_llm.policy import TimeLimits
from trio_llm.providers.catalogue import KINDS
from trio_llm.providers.http import Remote


@pytest.mark.parametrize(
    ("kind", "base_url", "root"),
    [
        ("huggingface", "https://router.huggingface.co/v1", "https://router.huggingface.co"),
        (
            "huggingface",
            "https://router.huggingface.co/together/v1",
            "https://router.huggingface.co",
        ),
        ("huggingface", "https://gateway:8443/hf/v1", "https://gateway:8443/hf"),
        ("huggingface", "https://gateway/hf", "https://gateway/hf"),
        ("openai_compatible", "https://gateway/hf/v1", "https://gateway/hf/v1"),
    ],
)
def test_the_root_of_a_provider(kind: str, base_url: str, root: str) -> None:
    """At the kind's own server it is the server's; elsewhere what is before the kind's path."""
    remote = Remote(
        name="a",
        dialect="openai_chat",
        base_url=base_url,
        usual_url=KINDS[kind].base_url or "",
        key=None,
        limits=TimeLimits(1, 1, 1, math.inf),
        headers={},
        proxy=None,
        verify=True,
        close_deadline=1,
    )
    assert remote.root == root
