"""The settings of a provider that say how it is spoken to: its dialect, and a version."""

from typing import Any

import pytest

from trio_llm.config import Config, Provider, check
from trio_llm.errors import ConfigError
from trio_llm.providers.catalogue import KINDS

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
