"""The settings of a provider that say how it is spoken to: its dialect, and a version."""

from pathlib import Path
from typing import Any

import attrs
import pytest

from trio_llm import open_runtime
from trio_llm.config import Config, Provider, check, load_config
from trio_llm.errors import AuthenticationError, ConfigError
from trio_llm.providers.catalogue import KINDS
from trio_llm.transport import httpx

KEY = "k-0123456789"


def _faults(kind: str, **settings: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        check(Config({"p": Provider(kind, **settings)}), {})
    return caught.value.faults


def test_a_dialect_takes_the_place_of_the_kinds() -> None:
    """The provider is spoken to in it; without it the kind decides."""
    config = Config(
        {
            "plain": Provider("llamacpp"),
            "other": Provider("llamacpp", dialect="anthropic"),
            "inside": Provider("simulated"),
        }
    )
    plan = check(config, {})
    dialects = {name: provider.dialect for name, provider in plan.providers.items()}
    assert dialects == {"plain": "openai_chat", "other": "anthropic", "inside": None}


def test_a_dialect_must_be_one_of_those_there_are() -> None:
    """An unknown word is a fault with a suggestion, and another type is named."""
    assert _faults("llamacpp", dialect="antropic") == (
        'providers.p.dialect: no dialect "antropic"; did you mean "anthropic"?',
    )
    assert _faults("llamacpp", dialect=5) == (
        "providers.p.dialect: expected a string, found an integer",
    )


@pytest.mark.parametrize("setting", ["dialect", "api_version"])
def test_a_provider_in_this_process_is_not_spoken_to(setting: str) -> None:
    """Settings of the wire are refused where there is no wire."""
    assert _faults("simulated", **{setting: "anthropic"}) == (
        f"providers.p.{setting}: a provider of the kind simulated has no use for it; leave it out",
    )


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("anthropic", {"api_key": KEY}),
        ("azure", {"api_key": KEY, "base_url": "https://lab.example/openai/v1"}),
        ("openai_compatible", {"base_url": "https://gate.example/v1", "model": "m"}),
        ("llamacpp", {"dialect": "anthropic"}),
    ],
)
def test_a_version_goes_to_the_dialect(kind: str, settings: dict[str, Any]) -> None:
    """It is in the quirks that the dialect reads, and the kind's own are kept."""
    config = Config({"p": Provider(kind, api_version="2026-10-21", **settings)})
    quirks = check(config, {}).providers["p"].quirks
    assert quirks.version == "2026-10-21"
    assert quirks.key_header == KINDS[kind].quirks.key_header


@pytest.mark.parametrize("kind", ["openai", "gemini", "groq", "ollama"])
def test_a_version_that_nothing_reads_is_refused(kind: str) -> None:
    """The fault names the setting and the kind."""
    settings = {} if kind == "ollama" else {"api_key": KEY}
    assert _faults(kind, api_version="2026-10-21", **settings) == (
        f"providers.p.api_version: a provider of the kind {kind} has no use for it; leave it out",
    )


@pytest.mark.parametrize("version", ["", "2024 10 21", "1&key=x", "v\n1"])
def test_a_version_must_fit_into_a_header_and_a_query(version: str) -> None:
    """White space and signs with a meaning there are faults."""
    assert _faults("anthropic", api_key=KEY, api_version=version) == (
        "providers.p.api_version: no version; give one such as 2024-10-21",
    )


@pytest.mark.parametrize(
    ("kind", "settings", "setting"),
    [
        ("groq", {}, "embedding_model"),
        ("groq", {}, "moderation_model"),
        ("openai", {"capabilities": ["chat"]}, "embedding_model"),
        ("openai", {"dialect": "anthropic"}, "embedding_model"),
    ],
)
def test_a_model_for_what_it_does_not_do_is_refused(
    kind: str, settings: dict[str, Any], setting: str
) -> None:
    """A model that embeds or moderates needs a provider that is asked to."""
    assert _faults(kind, api_key=KEY, **{setting: "m"}, **settings) == (
        f"providers.p.{setting}: a provider of the kind {kind} has no use for it; leave it out",
    )


def test_a_declared_ability_has_a_use_for_its_model() -> None:
    """With the capability declared, the same setting is read."""
    words = ["chat", "embedding"]
    config = Config({"p": Provider("groq", api_key=KEY, capabilities=words, embedding_model="m")})
    assert "m" in check(config, {}).providers["p"].operation_models.values()


@pytest.mark.parametrize("way", ["native", "tool", "prompt"])
def test_how_a_shape_is_asked_for_can_be_said(way: Any, tmp_path: Path) -> None:
    """It takes the place of the kind's own way, leaves the rest, and is saved and loaded."""
    settings = Provider("deepseek", api_key_env="DEEPSEEK_API_KEY", structured_output=way)
    config = Config({"p": settings})
    path = tmp_path / "saved.toml"
    config.save(path)
    environ = {"DEEPSEEK_API_KEY": KEY}
    loaded = load_config(path, environ)
    assert loaded == config
    quirks = check(loaded, environ).providers["p"].quirks
    assert quirks == attrs.evolve(KINDS["deepseek"].quirks, output=way)


def test_without_it_the_kind_decides_how_a_shape_is_asked_for() -> None:
    """So every entry of the catalogue keeps its own way."""
    config = Config({"p": Provider("deepseek", api_key=KEY), "q": Provider("openai", api_key=KEY)})
    plan = check(config, {})
    for provider in plan.providers.values():
        assert provider.quirks.output == provider.kind.quirks.output


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("json", 'no way to ask "json"; known are native, tool, prompt'),
        ("promt", 'no way to ask "promt"; did you mean "prompt"?'),
        (True, "expected a string, found a boolean"),
    ],
)
def test_there_are_three_ways_to_ask_for_a_shape(value: Any, fault: str) -> None:
    """Another word, or another type, is a fault with the remedy."""
    assert _faults("llamacpp", structured_output=value) == (
        f"providers.p.structured_output: {fault}",
    )


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("simulated", {}), ("llamacpp", {"capabilities": ["chat"]})],
)
def test_a_way_that_nothing_reads_is_refused(kind: str, settings: dict[str, Any]) -> None:
    """A provider in this process answers by its own means, and one without shapes has none."""
    (fault,) = _faults(kind, structured_output="tool", **settings)
    assert fault.startswith("providers.p.structured_output: a provider of the kind ")
    assert fault.endswith(f"{kind} has no use for it; leave it out")


@pytest.mark.parametrize(
    ("way", "asked"),
    [("native", "response_format"), ("tool", "tool_choice"), ("prompt", "fits the JSON schema")],
)
async def test_a_shape_is_asked_for_in_the_way_that_is_said(way: Any, asked: str) -> None:
    """The request has the one form and none of the others."""
    sent: list[str] = []

    async def refuse(request: httpx.Request) -> httpx.Response:
        sent.append((await request.aread()).decode())
        return httpx.Response(401, json={"error": {"message": "wrong key"}})

    provider = Provider(
        "openai_compatible",
        model="m",
        base_url="https://lab.invalid/v1",
        structured_output=way,
    )
    transport = httpx.MockTransport(refuse)
    async with open_runtime(Config(default=provider), transport=transport) as llm:
        with pytest.raises(AuthenticationError):
            await llm.generate_as(list[int], "hello")
    forms = ("response_format", "tool_choice", "fits the JSON schema")
    assert [form for form in forms if form in sent[0]] == [asked]
