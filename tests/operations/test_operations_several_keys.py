"""A provider with several keys is one provider: it is asked once, under its own name."""

import json
from typing import Any

import pytest
import trio

from trio_llm import Config, Fallback, Provider, Reply, open_runtime
from trio_llm.config.schema import Member
from trio_llm.operations import models as listing
from trio_llm.transport import httpx

KEYS = {"KEY_A": "k-aaaaaaaaaaaa", "KEY_B": "k-bbbbbbbbbbbb"}
ADDRESS = "https://lab.invalid/v1"


class _Server(httpx.AsyncBaseTransport):
    """Lists one model and answers; keeps which path was asked with which key."""

    def __init__(self, refused: str | None = None) -> None:
        self.refused = refused
        self.asked: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, or refuse the key."""
        await trio.lowlevel.checkpoint()
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.asked.append((request.url.path, key))
        if key == self.refused:
            return httpx.Response(401, json={"error": {"message": "wrong key"}})
        if request.method == "GET":
            return httpx.Response(200, json={"data": [{"id": "gpt-4o-mini"}]})
        choice = {"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
        return httpx.Response(
            200, json={"model": json.loads(await request.aread())["model"]} | {"choices": [choice]}
        )


def _lab(kind: str = "openai", address: str = ADDRESS) -> Provider:
    return Provider(kind, "lab", model="gpt-4o-mini", base_url=address, api_key_envs=list(KEYS))


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)


SOLO = Config(default=_lab())
AMONG = Config(providers={"lab": _lab(), "sim": Provider("simulated")})
BELOW = Config(default=Fallback((Fallback((_lab(),), name="inner"), Provider("simulated", "sim"))))


@pytest.mark.parametrize("config", [SOLO, AMONG, BELOW], ids=["solo", "among", "below"])
async def test_it_is_compared_once(config: Config) -> None:
    """One question is asked of it, with one of its keys, and the answer bears its name."""
    server = _Server()
    async with open_runtime(config, transport=server) as llm:
        found = await llm.compare("hello")
        assert list(found) == ["lab"] + ["sim"] * (config is not SOLO)
        assert isinstance(found["lab"], Reply)
        assert [path for path, _ in server.asked] == ["/v1/chat/completions"]
        assert [status.name for status in llm.status()][:2] == ["lab-1", "lab-2"]


@pytest.mark.parametrize("config", [SOLO, AMONG, BELOW], ids=["solo", "among", "below"])
async def test_its_models_are_listed_once(config: Config) -> None:
    """Each model is there once and says whose it is."""
    server = _Server()
    async with open_runtime(config, transport=server) as llm:
        for catalogue in (await llm.models(), await llm.models("lab")):
            assert [m.id for m in catalogue if m.provider == "lab"] == ["gpt-4o-mini"]
            assert {m.provider for m in catalogue} <= {"lab", "sim"}
        assert [path for path, _ in server.asked] == ["/v1/models"] * 2


async def test_a_bad_key_does_not_hide_its_models() -> None:
    """The list comes from the next key."""
    server = _Server(refused=KEYS["KEY_A"])
    async with open_runtime(SOLO, transport=server) as llm:
        assert [model.id for model in await llm.models()] == ["gpt-4o-mini"]
    assert [key for _, key in server.asked] == list(KEYS.values())


async def test_one_of_its_keys_may_be_named() -> None:
    """Whoever names one asks that one."""
    server = _Server()
    async with open_runtime(SOLO, transport=server) as llm:
        assert [model.provider for model in await llm.models("lab-2")] == ["lab-2"]
        assert list(await llm.compare("hello", providers=["lab-1", "lab-2"])) == ["lab-1", "lab-2"]
    assert [key for _, key in server.asked] == [KEYS["KEY_B"], *KEYS.values()]


async def test_what_its_models_cost_is_looked_up_by_its_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is looked up as the provider that it is, not as the balancer that stands for it."""
    kinds: dict[str, str] = {}

    async def completed(models: list[object], found: dict[str, str]) -> tuple[object, ...]:
        await trio.lowlevel.checkpoint()
        kinds.update(found)
        return tuple(models)

    monkeypatch.setattr(listing, "completed", completed)
    async with open_runtime(AMONG, transport=_Server()) as llm:
        await llm.models()
    assert kinds == {"lab": "openai", "sim": "simulated"}


@pytest.mark.parametrize(
    "tree",
    [
        Provider("azure", "lab", api_key="k", base_url=f"{ADDRESS}/openai/deployments/d"),
        Provider("cloudflare", "lab", api_key="k", base_url="https://cf.invalid/accounts/a/ai/v1"),
        Provider("bedrock", "lab", api_key="k"),
        Provider("perplexity", "lab", api_key="k", dialect="openai_chat"),
        _lab("azure", f"{ADDRESS}/openai/deployments/d"),
    ],
    ids=["azure", "cloudflare", "bedrock", "perplexity", "azure, several keys"],
)
async def test_an_address_without_a_list_gives_the_model_that_is_configured(tree: Member) -> None:
    """Nothing is sent there, since no list could come back."""
    server = _Server()
    async with open_runtime(Config(default=tree), transport=server) as llm:
        (model,) = await llm.models()
        named = llm.provider("lab" if not llm.status_of().members else "lab-1").status_of().model
    assert (model.provider, model.id) == ("lab", named)
    assert not server.asked


@pytest.mark.parametrize(
    ("kind", "settings", "path"),
    [
        ("azure", {"base_url": f"{ADDRESS}/openai/v1"}, "/v1/openai/v1/models"),
        ("bedrock", {"base_url": "https://mantle.invalid/v1"}, "/v1/models"),
        ("perplexity", {}, "/v1/models"),
        ("openai_responses", {}, "/v1/models"),
    ],
)
async def test_an_address_with_a_list_is_asked_for_it(
    kind: str, settings: dict[str, Any], path: str
) -> None:
    """Another address of the same kind may have one."""
    server = _Server()
    config = Config(default=Provider(kind, "lab", api_key="k", **settings))
    async with open_runtime(config, transport=server) as llm:
        assert [model.id for model in await llm.models()] == ["gpt-4o-mini"]
    assert [asked for asked, _ in server.asked] == [path]
