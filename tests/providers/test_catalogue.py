"""The catalogue of kinds: complete, consistent, found by their keys, and called where they are."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs
import pytest

from trio_llm import AuthenticationError, Config, Provider, load_config, open_runtime
from trio_llm.chat import Capability, EmbedRequest, ListModels, ModerateRequest
from trio_llm.config import check, environment
from trio_llm.config import provider as provider_module
from trio_llm.errors import ConfigError
from trio_llm.providers.catalogue import KINDS, DocumentedLimits, Kind, UrlPart
from trio_llm.testing.upstream import MemoryUpstream
from trio_llm.transport.library import httpx
from trio_llm.wire import DIALECTS, PLAIN

KEY = "k-0123456789abcdef"
PARTS = {
    "AZURE_OPENAI_ENDPOINT": "https://lab.openai.azure.com/",
    "CLOUDFLARE_ACCOUNT_ID": "0a1b2c",
}
KEYED = [(kind.name, name) for kind in KINDS.values() for name in kind.key_variables]
WIRED = [kind.name for kind in KINDS.values() if not kind.in_process]
CLOUD = [kind.name for kind in KINDS.values() if kind.key_required]


def _environ_of(kind: Kind, variable: str) -> dict[str, str]:
    """Give the least environment that sets a kind up."""
    needed = [name for part in kind.url_parts.values() for name in part.variables]
    return {variable: KEY, **{name: PARTS[name] for name in needed if name in PARTS}}


def test_the_kinds_that_are_promised() -> None:
    """The providers of the documentation have a kind each."""
    promised = (
        "openai anthropic gemini cohere huggingface nvidia ollama lmstudio openrouter "
        "cloudflare azure mistral groq deepseek xai together fireworks perplexity bedrock "
        "vllm llamacpp openai_compatible openai_responses simulated custom"
    )
    assert set(KINDS) == set(promised.split())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_an_entry_is_consistent(kind: Kind) -> None:
    """An entry is listed by its name, and what it names elsewhere is there."""
    assert KINDS[kind.name] is kind
    assert bool(kind.key_variables) == kind.key_required
    assert set(re.findall(r"{(\w+)}", kind.base_url or "")) == set(kind.url_parts)
    assert kind.base_url is None or not kind.base_url.endswith("/")
    assert not kind.key_required or kind.default_model is not None
    offers_vectors = Capability.EMBEDDING in kind.capabilities
    offers_judgement = Capability.MODERATION in kind.capabilities
    if not kind.key_required:
        return
    # The model of a conversation neither embeds nor judges.
    assert offers_vectors == (kind.embedding_model is not None)
    assert offers_judgement == (kind.moderation_model is not None)


@pytest.mark.parametrize("kind", WIRED)
def test_the_dialect_of_a_kind_is_registered(kind: str) -> None:
    """Every wire format that an entry names can be spoken."""
    assert KINDS[kind].dialect in DIALECTS


@pytest.mark.parametrize("kind", WIRED)
def test_the_dialect_of_a_kind_can_ask_for_what_it_offers(kind: str) -> None:
    """An entry promises no vectors or judgements that nobody could ask it for."""
    entry = KINDS[kind]
    operations = DIALECTS[entry.dialect or ""].operations
    for operation in (EmbedRequest, ModerateRequest):
        assert operation in operations or not operation.needs <= entry.capabilities


@pytest.mark.parametrize(("kind", "variable"), KEYED)
def test_a_set_key_is_enough(kind: str, variable: str) -> None:
    """With nothing but its variables set, a kind is configured, whole, and the default."""
    entry = KINDS[kind]
    environ = _environ_of(entry, variable)
    config = load_config(None, environ)
    expected = kind if entry.from_environment else "openai"
    assert set(config.providers) == {expected}
    plan = check(config, environ)
    provider = plan.providers[expected]
    assert plan.default == expected
    assert provider.key_variable == variable
    assert (provider.base_url or "{").count("{") == 0


def test_every_key_at_once_gives_every_kind_once() -> None:
    """A key that two kinds share configures the first of them only."""
    environ = dict(PARTS)
    for kind in KINDS.values():
        environ |= dict.fromkeys(kind.key_variables, KEY)
    config = load_config(None, environ)
    assert list(config.providers) == [name for name in CLOUD if name != "openai_responses"]


def test_of_several_key_variables_the_first_that_is_set_wins() -> None:
    """The order is that of the entry, and an empty variable counts as none."""
    both = {"GEMINI_API_KEY": "k-first", "GOOGLE_API_KEY": "k-second"}
    config = Config({"g": Provider("gemini")})
    for environ, expected in (
        (both, "k-first"),
        (both | {"GEMINI_API_KEY": " "}, "k-second"),
    ):
        key = check(config, environ).providers["g"].key
        assert key is not None
        assert getattr(key, "reveal")() == expected  # noqa: B009 - of one of two types


def test_no_key_is_reported_with_every_variable_that_could_hold_it() -> None:
    """The fault names all of them."""
    with pytest.raises(ConfigError) as caught:
        check(Config({"c": Provider("cohere")}), {})
    assert caught.value.faults == (
        (
            "providers.c.api_key_env: none of the environment variables COHERE_API_KEY, "
            "CO_API_KEY is set; export one or set api_key_env"
        ),
    )


@pytest.mark.parametrize(
    ("kind", "environ", "expected"),
    [
        (
            "cloudflare",
            {"CLOUDFLARE_ACCOUNT_ID": "0a1b"},
            "https://api.cloudflare.com/client/v4/accounts/0a1b/ai/v1",
        ),
        (
            "azure",
            {"AZURE_OPENAI_ENDPOINT": " https://lab.openai.azure.com/ "},
            "https://lab.openai.azure.com/openai/v1",
        ),
        ("bedrock", {}, "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1"),
        (
            "bedrock",
            {"AWS_DEFAULT_REGION": "eu-west-3"},
            "https://bedrock-runtime.eu-west-3.amazonaws.com/openai/v1",
        ),
        (
            "bedrock",
            {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-3"},
            "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1",
        ),
    ],
)
def test_the_parts_of_a_base_url_come_from_the_environment(
    kind: str, environ: Mapping[str, str], expected: str
) -> None:
    """What stands in braces is filled in, by the first variable that is set."""
    config = Config({"p": Provider(kind, api_key=KEY)})
    assert check(config, environ).providers["p"].base_url == expected


@pytest.mark.parametrize(
    ("kind", "dialect", "environ", "expected"),
    [
        (
            "cloudflare",
            "cloudflare_run",
            {"CLOUDFLARE_ACCOUNT_ID": "0a1b"},
            "https://api.cloudflare.com/client/v4/accounts/0a1b/ai",
        ),
        (
            "gemini",
            "openai_chat",
            {},
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("ollama", "anthropic", {}, "http://localhost:11434/v1"),
        ("ollama", "openai_chat", {"OLLAMA_HOST": "lab"}, "http://lab:11434/v1"),
        ("ollama", "ollama", {"OLLAMA_HOST": "lab"}, "http://lab:11434"),
        ("llamacpp", "anthropic", {}, "http://localhost:8080/v1"),
    ],
)
def test_another_dialect_may_be_spoken_elsewhere(
    kind: str, dialect: str, environ: Mapping[str, str], expected: str
) -> None:
    """With a dialect of one's own the base URL is that for the dialect."""
    config = Config({"p": Provider(kind, dialect=dialect, api_key=KEY)})
    assert check(config, environ).providers["p"].base_url == expected


@pytest.mark.parametrize(
    ("kind", "environ", "fault"),
    [
        (
            "cloudflare",
            {},
            "environment variable CLOUDFLARE_ACCOUNT_ID is not set; export it or set base_url",
        ),
        (
            "cloudflare",
            {"CLOUDFLARE_ACCOUNT_ID": "a/../b"},
            (
                "environment variable CLOUDFLARE_ACCOUNT_ID is not one word of letters and digits; "
                "correct it or set base_url"
            ),
        ),
        (
            "azure",
            {},
            "environment variable AZURE_OPENAI_ENDPOINT is not set; export it or set base_url",
        ),
        (
            "azure",
            {"AZURE_OPENAI_ENDPOINT": "lab.openai.azure.com"},
            (
                "environment variable AZURE_OPENAI_ENDPOINT: malformed URL; give one such as "
                "https://host:8080/v1"
            ),
        ),
        (
            "azure",
            {"AZURE_OPENAI_ENDPOINT": "https://me:hunter2@lab.example"},
            (
                "environment variable AZURE_OPENAI_ENDPOINT: a URL with a user or password in it; "
                "use api_key_env or headers"
            ),
        ),
    ],
)
def test_a_part_that_cannot_be_filled_is_a_fault(
    kind: str, environ: Mapping[str, str], fault: str
) -> None:
    """It names the variable and the remedy, and nothing of what was in it."""
    with pytest.raises(ConfigError) as caught:
        check(Config({"p": Provider(kind, api_key=KEY)}), environ)
    assert caught.value.faults == (f"providers.p.base_url: {fault}",)


@pytest.mark.parametrize("kind", ["cloudflare", "azure"])
def test_a_base_url_of_ones_own_needs_no_parts(kind: str) -> None:
    """With base_url set, or the provider switched off, the variables are not asked for."""
    given = Provider(kind, api_key=KEY, base_url="https://gate.example/v1")
    off = Provider(kind, enabled=False)
    plan = check(Config({"given": given, "off": off}, default="given"), {})
    assert plan.providers["given"].base_url == "https://gate.example/v1"


def test_a_key_without_what_its_url_needs_configures_nothing() -> None:
    """A token that is set for another purpose does not stop an empty configuration."""
    environ = {"CLOUDFLARE_API_TOKEN": KEY, "AZURE_OPENAI_API_KEY": KEY}
    assert load_config(None, environ).simulated
    environ["GROQ_API_KEY"] = KEY
    assert set(load_config(None, environ).providers) == {"groq"}


def test_azure_is_told_by_its_path() -> None:
    """A deployment's path is the interface with versions, and its version can be set."""
    deployment = "https://lab.openai.azure.com/openai/deployments/gpt"
    config = Config(
        {
            "plain": Provider("azure", api_key=KEY),
            "classic": Provider("azure", api_key=KEY, base_url=deployment),
            "chosen": Provider(
                "azure", api_key=KEY, base_url=deployment, api_version="2025-01-01-preview"
            ),
        }
    )
    providers = check(config, PARTS).providers
    versions = {name: provider.quirks.version for name, provider in providers.items()}
    assert versions == {"plain": None, "classic": "2024-10-21", "chosen": "2025-01-01-preview"}
    assert {provider.quirks.key_header for provider in providers.values()} == {"api-key"}


@pytest.mark.parametrize(
    ("kind", "texts", "tokens"),
    [
        ("openai", 2048, 300_000),
        ("openai_responses", 2048, 300_000),
        ("azure", 2048, None),
        ("cohere", 96, None),
        ("gemini", 100, None),
        ("mistral", 256, 16_000),
        ("cloudflare", 100, None),
        ("perplexity", 512, 120_000),
        ("openai_compatible", 128, None),
    ],
)
def test_the_limits_of_a_batch_are_those_documented(
    kind: str, texts: int, tokens: int | None
) -> None:
    """The texts and tokens of one embedding request are what the provider's pages say."""
    limits = KINDS[kind].limits
    assert (limits.embed_texts, limits.embed_tokens) == (texts, tokens)


@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses"])
def test_what_openai_does_it_does_in_both_of_its_forms(dialect: str) -> None:
    """Only sound and stop strings belong to one of them."""
    chat, responses = KINDS["openai"], KINDS["openai_responses"]
    assert chat.capabilities - responses.capabilities == {Capability.AUDIO_INPUT}
    assert responses.limits == attrs.evolve(chat.limits, stop=None)
    for operation in (EmbedRequest, ModerateRequest, ListModels):
        assert operation in DIALECTS[dialect].operations


@pytest.mark.parametrize(
    ("kind", "dialect", "listed"),
    [
        ("cloudflare", None, False),
        ("cloudflare", "cloudflare_run", True),
        ("perplexity", None, True),
        ("perplexity", "openai_chat", False),
        ("bedrock", None, False),
        ("azure", None, True),
        ("openai", None, True),
    ],
)
def test_a_list_of_models_is_promised_where_there_is_one(
    kind: str, dialect: str | None, listed: bool
) -> None:
    """It goes by the address, which another dialect may have elsewhere."""
    config = Config({"p": Provider(kind, api_key=KEY, dialect=dialect)})
    provider = check(config, PARTS).providers["p"]
    assert provider.kind.lists_models(provider.base_url) is listed


def test_a_deployment_has_no_list_of_models() -> None:
    """Nor has a gateway to Cloudflare, whatever stands before the end of its path."""
    deployment = "https://lab.openai.azure.com/openai/deployments/gpt"
    assert not KINDS["azure"].lists_models(deployment)
    gateway = "https://gateway.ai.cloudflare.com/v1/a/g/workers-ai/v1"
    assert not KINDS["cloudflare"].lists_models(gateway)
    assert KINDS["bedrock"].lists_models("https://bedrock-mantle.us-east-1.api.aws/v1")


class _Listener(httpx.AsyncBaseTransport):
    """Refuses every key, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer 401."""
        self.requests.append(request)
        return httpx.Response(401, json={"error": {"message": "wrong key"}}, request=request)


@pytest.mark.parametrize("kind", CLOUD)
async def test_a_kind_is_called_where_it_is_and_with_its_key(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request goes to an address under the base URL, with the key in one header."""
    for name, value in _environ_of(KINDS[kind], KINDS[kind].key_variables[0]).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    listener = _Listener()
    config = Config({"p": Provider(kind)})
    async with open_runtime(config, transport=listener) as llm:
        with pytest.raises(AuthenticationError):
            await llm.generate("hello")
    (request,) = listener.requests
    base_url = check(config).providers["p"].base_url
    assert str(request.url).startswith(f"{base_url}/")
    carriers = [name for name, value in request.headers.items() if KEY in value]
    assert len(carriers) == 1
    assert KEY not in str(request.url)


@pytest.mark.parametrize(
    ("settings", "path", "version"),
    [
        ({"kind": "anthropic"}, "/messages", "2023-06-01"),
        ({"kind": "anthropic", "api_version": "2026-10-21"}, "/messages", "2026-10-21"),
        (
            {"kind": "llamacpp", "dialect": "anthropic", "api_version": "2026-10-21"},
            "/messages",
            "2026-10-21",
        ),
        ({"kind": "openrouter", "dialect": "openai_responses"}, "/responses", None),
        ({"kind": "azure", "api_version": "preview"}, "/chat/completions", "preview"),
        ({"kind": "azure"}, "/chat/completions", None),
        (
            {"kind": "azure", "base_url": "https://lab.example/openai/deployments/gpt"},
            "/chat/completions",
            "2024-10-21",
        ),
    ],
)
async def test_the_dialect_and_the_version_are_those_of_the_request(
    settings: dict[str, Any], path: str, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is configured is what goes on the wire, the version in a header or the query."""
    for name, value in PARTS.items():
        monkeypatch.setenv(name, value)
    listener = _Listener()
    provider = Provider(api_key=KEY, **settings)
    async with open_runtime(Config({"p": provider}), transport=listener) as llm:
        with pytest.raises(AuthenticationError):
            await llm.generate("hello")
    (request,) = listener.requests
    assert request.url.path.endswith(path)
    header = request.headers.get("anthropic-version")
    assert (header or request.url.params.get("api-version")) == version


async def test_one_entry_is_all_that_a_further_provider_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An entry added to the catalogue is found by its key, called, and answers, streamed too."""
    upstream = MemoryUpstream()
    entry = Kind(
        "newcomer",
        base_url=upstream.base_url("openai_chat").replace("upstream.invalid", "{place}.invalid"),
        key_variables=("NEWCOMER_API_KEY",),
        default_model="novice-1",
        url_parts={"place": UrlPart(("NEWCOMER_PLACE",))},
    )
    for module in (provider_module, environment):
        monkeypatch.setattr(module, "KINDS", MappingProxyType({entry.name: entry}))
    monkeypatch.setenv("NEWCOMER_API_KEY", KEY)
    monkeypatch.setenv("NEWCOMER_PLACE", "upstream")
    async with open_runtime(transport=upstream) as llm:
        reply = await llm.generate("hello")
        assert (reply.provider, reply.text) == ("newcomer", "Hello, world")
        async with llm.stream("hello") as stream:
            async for _event in stream:
                pass
        assert stream.reply.text == "Hello, world"
    assert [served.model for served in upstream.served] == ["novice-1", "novice-1"]


def test_the_defaults_of_an_entry_are_the_plainest() -> None:
    """An entry says only in what its provider differs."""
    plain: dict[str, Any] = {"quirks": PLAIN, "limits": DocumentedLimits()}
    assert {name: getattr(Kind("plain"), name) for name in plain} == plain
