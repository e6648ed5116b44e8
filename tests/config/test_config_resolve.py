"""What a sound configuration resolves to."""

from pathlib import Path

import pytest

from tests.config.config_fixture_classes import Echo, Raw, Wrapped
from trio_llm.chat import Capability
from trio_llm.config import (
    Config,
    Fallback,
    LoadBalance,
    Provider,
    Race,
    Simulation,
    check,
)
from trio_llm.errors import ConfigError
from trio_llm.providers.catalogue import KINDS

ENVIRON = {"OPENAI_API_KEY": "k1", "ANTHROPIC_API_KEY": "k2"}
A = Provider("simulated")


def test_nested_objects_get_names() -> None:
    """Anonymous members are named by kind, balancers numbered, the default called default."""
    config = Config(
        default=Fallback(
            [
                Race([Provider("openai"), Provider("anthropic")]),
                Race([Provider("openai"), Provider("simulated", "mine")]),
            ]
        )
    )
    plan = check(config, ENVIRON)
    assert plan.default == "default"
    assert plan.balancers["default"].members == ("race-1", "race-2")
    assert plan.balancers["race-1"].members == ("openai", "anthropic")
    assert plan.balancers["race-2"].members == ("openai-2", "mine")
    assert [plan.balancers[name].height for name in ("race-1", "default")] == [1, 2]


def test_names_given_are_never_taken() -> None:
    """An anonymous object steps aside for a name that stands anywhere in the tree."""
    config = Config(
        {"simulated": A},
        default=Race([Provider("simulated", mailbox=9), Fallback(["simulated"], name="race-1")]),
    )
    plan = check(config, {})
    assert plan.balancers["default"].members == ("simulated-2", "race-1")


def test_a_shared_object_is_one_actor() -> None:
    """The same object in two balancers is one provider."""
    shared = Provider("simulated")
    other = Provider("simulated")
    plan = check(Config(default=Fallback([Race([shared, other]), shared])), {})
    assert list(plan.providers) == ["simulated", "simulated-2"]
    assert plan.balancers["default"].members == ("race-1", "simulated")


def test_members_come_before_balancers() -> None:
    """The order has every member before whoever asks it, whatever the declared order."""
    config = Config(
        {"a": A, "b": A},
        {"top": Fallback(["mid", "a"]), "mid": Race(["low", "b"]), "low": Race(["a", "b"])},
        "top",
    )
    plan = check(config, {})
    assert sorted(plan.order) == ["a", "b", "low", "mid", "top"]
    for name, balancer in plan.balancers.items():
        assert all(plan.order.index(member) < plan.order.index(name) for member in balancer.members)
    assert plan.balancers["top"].height == 3


def test_absent_members_are_all_enabled_providers() -> None:
    """A balancer that names no members has the enabled providers, low priority numbers first."""
    config = Config(
        {
            "late": Provider("simulated", priority=2),
            "off": Provider("simulated", enabled=False),
            "first": Provider("simulated", priority=-1),
            "tie": Provider("simulated", priority=2),
        },
        {"all": Race()},
    )
    assert check(config, {}).balancers["all"].members == ("first", "late", "tie")


@pytest.mark.parametrize(
    ("config", "default"),
    [
        (Config({"a": A}), "a"),
        (Config({"a": A, "b": A}), "default"),
        (Config({"a": A, "default": A}), "default"),
        (Config({"a": A, "b": A}, {"x": Race()}), "x"),
        (Config({"a": A}, {"x": Race(["y"]), "y": Race(["a"])}), "x"),
        (Config({"a": A}, {"x": Race(["a"]), "y": Race(["a"])}), "default"),
        (Config({"a": A, "b": A}, default="b"), "b"),
        (Config(default=Provider("simulated", "solo")), "solo"),
        (Config(default=Provider("simulated")), "default"),
    ],
)
def test_default(config: Config, default: str) -> None:
    """Without a default it is the outermost balancer, the only provider, or a fallback."""
    assert check(config, {}).default == default


def test_implicit_fallback_is_ordered_by_priority() -> None:
    """The fallback that nobody declared asks the enabled providers by priority."""
    config = Config({"a": Provider("simulated", priority=1), "b": A})
    plan = check(config, {})
    assert plan.balancers["default"].members == ("b", "a")
    assert isinstance(plan.balancers["default"].settings, Fallback)


def test_disabled_members_are_left_out() -> None:
    """A disabled member is not asked, needs no key, and a primary passes its turn on."""
    config = Config(
        {"a": Provider("openai", enabled=False), "b": A, "c": A},
        {
            "f": Fallback(["a", "b", "c"]),
            "g": Fallback(["a", "b", "c"], primary=2),
            "h": Fallback(["a", "b", "c"], primary="b"),
            "w": LoadBalance(["a", "b"], strategy="weighted", weights={"a": 1, "b": 0.5}),
        },
        "f",
    )
    plan = check(config, {})
    assert plan.balancers["f"].members == ("b", "c")
    assert [plan.balancers[name].primary for name in "fgh"] == ["b", "c", "b"]
    assert plan.balancers["w"].weights == {"b": 0.5}
    assert "a" in plan.providers


def test_provider_takes_after_its_kind() -> None:
    """What the settings leave open comes from the catalogue."""
    provider = check(Config({"p": Provider("openai", models=["gpt-x"])}), ENVIRON).providers["p"]
    kind = KINDS["openai"]
    assert (provider.kind, provider.base_url) == (kind, kind.base_url)
    assert provider.model == kind.default_model
    assert provider.models == {"gpt-x", kind.default_model}
    assert provider.capabilities == kind.capabilities


def test_capabilities_are_narrowed() -> None:
    """Declared capabilities replace those of the kind, as words or as members of the enum."""
    config = Config(
        {
            "words": Provider("simulated", capabilities=["chat"]),
            "set": Provider("simulated", capabilities={Capability.VISION, Capability.CHAT}),
        }
    )
    plan = check(config, {})
    assert plan.providers["words"].capabilities == {Capability.CHAT}
    assert plan.providers["set"].settings.capabilities == (Capability.CHAT, Capability.VISION)


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, "http://localhost:11434"),
        ({"OLLAMA_URL": "https://lab/ollama/"}, "https://lab/ollama"),
        ({"OLLAMA_URL": "http://one", "OLLAMA_HOST": "two"}, "http://one"),
        ({"OLLAMA_HOST": "lab"}, "http://lab:11434"),
        ({"OLLAMA_HOST": "lab:80"}, "http://lab:80"),
        ({"OLLAMA_HOST": ":8000"}, "http://localhost:8000"),
        ({"OLLAMA_HOST": "0.0.0.0"}, "http://127.0.0.1:11434"),  # noqa: S104 - what servers are told
        ({"OLLAMA_HOST": "[::1]"}, "http://[::1]:11434"),
        ({"OLLAMA_HOST": "::1"}, "http://[::1]:11434"),
        ({"OLLAMA_HOST": "lab:"}, "http://lab:11434"),
        ({"OLLAMA_HOST": "lab/ollama"}, "http://lab:11434/ollama"),
    ],
)
def test_ollama_address(environ: dict[str, str], url: str) -> None:
    """Ollama's own variables move its address, in all their forms."""
    plan = check(Config({"p": Provider("ollama")}), environ)
    assert plan.providers["p"].base_url == url


def test_bad_address_in_the_environment() -> None:
    """A malformed address names the variable that holds it."""
    with pytest.raises(ConfigError, match=r"environment variable OLLAMA_HOST: malformed URL"):
        check(Config({"p": Provider("ollama")}), {"OLLAMA_HOST": "lab:port"})


def test_optional_key_is_taken_when_named() -> None:
    """A server that needs no key is sent one when a variable for it is named."""
    config = Config(
        {
            "open": Provider("vllm", model="m"),
            "locked": Provider("vllm", model="m", api_key_env="LAB_KEY"),
        }
    )
    plan = check(config, {"LAB_KEY": "k"})
    assert plan.providers["open"].key is None
    assert plan.providers["locked"].key is not None


def test_key_by_callable() -> None:
    """A callable is kept as it is, to be asked at run time."""

    async def key() -> str:
        return "k"

    plan = check(Config({"p": Provider("openai", api_key=key)}), {})
    assert plan.providers["p"].key is key


@pytest.mark.parametrize(
    "cls", ["tests.config.config_fixture_classes:Echo", Echo, Echo("x"), Raw(), Wrapped]
)
def test_custom_class(cls: object) -> None:
    """A custom class is found by name, or taken as the class or instance that it is."""
    plan = check(Config({"p": Provider("custom", cls=cls)}), {})
    assert plan.providers["p"].custom is (Echo if isinstance(cls, str) else cls)


def test_simulation_has_defaults() -> None:
    """A simulated provider without settings behaves as `Simulation` says."""
    plan = check(Config({"p": A, "q": Provider("simulated", simulation=Simulation(0.5))}), {})
    assert plan.providers["p"].simulation == Simulation()
    assert plan.providers["q"].simulation.latency == 0.5


def test_file_of_certificates(tmp_path: Path) -> None:
    """A file of certificates that exists is accepted."""
    file = tmp_path / "ca.pem"
    file.write_text("")
    check(Config({"p": Provider("openai", verify=str(file))}), ENVIRON)


def test_check_reads_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an environment of its own the check reads that of the process."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert check(Config({"p": Provider("openai")})).providers["p"].key is not None


def test_kinds_are_consistent() -> None:
    """Every kind is listed by its own name, and none is named like a balancer."""
    assert all(name == kind.name for name, kind in KINDS.items())
    assert not {"race", "fallback", "load_balance"} & set(KINDS)
