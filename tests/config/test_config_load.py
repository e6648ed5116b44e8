"""Files, mappings and the environment."""

import json
from pathlib import Path
from typing import Any

import pytest

from trio_llm.chat import Capability
from trio_llm.config import (
    Config,
    Fallback,
    LoadBalance,
    Provider,
    Race,
    Retry,
    Secret,
    Timeouts,
    check,
    load_config,
    starter_toml,
)
from trio_llm.errors import ConfigError

KEYS = {"OPENROUTER_API_KEY": "k1", "OPENAI_API_KEY": "k2"}
TEXT = ["text_generation", "chat", "code_generation"]
LIST_FORM: dict[str, Any] = {
    "providers": [
        {
            "name": "openrouter",
            "type": "openrouter",
            "api_key_env": "OPENROUTER_API_KEY",
            "default_model": "some/model:free",
            "capabilities": [*TEXT, "translation", "summarization"],
        },
        {
            "name": "openai",
            "type": "openai",
            "api_key_env": "OPENAI_API_KEY",
            "default_model": "gpt-3.5-turbo",
            "timeout": 60,
            "capabilities": [*TEXT, "embedding", "moderation"],
        },
        {
            "name": "ollama",
            "type": "ollama",
            "base_url": "http://localhost:11434",
            "default_model": "llama2",
            "capabilities": TEXT,
        },
    ],
    "manager": {"fallback_enabled": True, "load_balancing": False},
}


def fault_of(path: Path) -> str:
    """Give the only fault of a file, and see that the error names the file."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert caught.value.source == str(path)
    (fault,) = caught.value.faults
    return fault


def written(path: Path, content: str | bytes) -> Path:
    """Write a file and give its path."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_toml(tmp_path: Path) -> None:
    """A TOML file gives the records that code would."""
    path = written(
        tmp_path / "c.toml",
        """
        default = "reliable"
        [providers.openai]
        kind = "openai"
        priority = 1
        timeouts = { connect = 5, first_token = 30 }
        retry = { attempts = 2 }
        [providers.spare]
        kind = "simulated"
        [balancers.fast]
        kind = "race"
        members = ["openai", "spare"]
        timeout = 5.0
        [balancers.reliable]
        kind = "fallback"
        members = ["fast", { kind = "simulated", name = "inline" }]
        max_retries = 3
        """,
    )
    assert load_config(path, KEYS) == Config(
        {
            "openai": Provider(
                "openai", priority=1, timeouts=Timeouts(first_token=30), retry=Retry(attempts=2)
            ),
            "spare": Provider("simulated"),
        },
        {
            "fast": Race(["openai", "spare"], timeout=5),
            "reliable": Fallback(["fast", Provider("simulated", "inline")], max_retries=3),
        },
        "reliable",
    )
    assert load_config(str(path), KEYS) == load_config(path, KEYS)


def test_json_in_the_shape_of_toml(tmp_path: Path) -> None:
    """A JSON file may have the shape of the TOML form."""
    table = {"providers": {"a": {"kind": "simulated"}}, "default": "a"}
    path = written(tmp_path / "c.json", json.dumps(table))
    assert load_config(path, {}) == Config({"a": Provider("simulated")}, default="a")


def test_config_and_mapping_pass() -> None:
    """A Config comes back as it is; a mapping is code, so a key may be in it."""
    config = Config({"a": Provider("simulated")})
    assert load_config(config, {}) is config
    loaded = load_config({"providers": {"a": {"kind": "openai", "api_key": "k"}}}, {})
    assert loaded.providers["a"].api_key == Secret("k")


def test_mapping_is_left_alone() -> None:
    """Loading does not change the mapping that it is given, even when it refuses it."""
    table = {"providers": {"a": {"kind": "simulated", "modl": "m"}}}
    with pytest.raises(ConfigError):
        load_config(table, {})
    assert table == {"providers": {"a": {"kind": "simulated", "modl": "m"}}}


def test_literal_key_in_a_file(tmp_path: Path) -> None:
    """A key in a file is refused wherever it stands, and not shown."""
    path = written(
        tmp_path / "c.toml",
        'default = { kind = "race", members = [{ kind = "openai", api_key = "sk-x" }] }',
    )
    assert fault_of(path) == (
        "default.members[0].api_key: a key does not belong into a file; "
        "export it and name the variable with api_key_env"
    )


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("c.yaml", "a: 1", "YAML is not read; write it as TOML"),
        ("c.YML", "a: 1", "YAML is not read; write it as TOML"),
        ("c.toml", b"a = '\xff'", "not UTF-8 at byte 5; save the file as UTF-8"),
        ("c.toml", "a = 1\nb = \n", "not TOML: Invalid value (at line 2, column 5)"),
        ("c.toml", "a = [1,\n", "not TOML: "),
        ("c.json", '{\n "a": }', "line 2, column 7: not JSON (Expecting value)"),
        ("c.json", "[1]", "expected an object with `providers`, found a list"),
        ("c.json", "[" * 100_000, "nested too deeply"),
        ("c.toml", "a = " + "[" * 100_000, "nested too deeply"),
        ("c.json", '{"a": ' + "1" * 5000 + "}", "a number in it has too many digits"),
        ("c.toml", "a = " + "1" * 5000, "a number in it has too many digits"),
    ],
)
def test_unreadable_file(tmp_path: Path, name: str, content: str | bytes, fault: str) -> None:
    """A file that is none of the forms says where it stops being one, or what to do."""
    assert fault_of(written(tmp_path / name, content)).startswith(fault)


def test_absent_file(tmp_path: Path) -> None:
    """A path to nothing, and one to a directory, are faults with a remedy."""
    assert fault_of(tmp_path / "none.toml").startswith("no such file; `trio-llm config init`")
    assert fault_of(tmp_path) == "a directory; give the path of a file"
    assert fault_of(tmp_path / "a\0b").startswith("cannot be read")


@pytest.mark.parametrize("header", ["Authorization", "x-api-key"])
def test_literal_key_in_a_header(tmp_path: Path, header: str) -> None:
    """A header that carries a key is a key, for `load_config` and for `save`; code may have it."""
    path = tmp_path / "llm.toml"
    house = Provider("ollama", model="m", headers={header: "Bearer sk-hidden", "x-team": "a"})
    path.write_text(
        f'[providers.p]\nkind = "ollama"\nmodel = "m"\nheaders.{header} = "Bearer sk-hidden"\n'
    )
    with pytest.raises(ConfigError, match="a key does not belong into a file") as caught:
        load_config(path)
    with pytest.raises(ConfigError, match="a key is never written to a file") as unsaved:
        Config(providers={"p": house}).save(tmp_path / "new.toml")
    for error in (caught.value, unsaved.value):
        assert error.faults[0].startswith(f"providers.p.headers.{header}: ")
        assert "hidden" not in str(error)
    assert check(Config(providers={"p": house})).default == "p"


@pytest.mark.parametrize("source", [5, b"llm.toml", ["llm.toml"]])
def test_source_of_a_wrong_type(source: Any) -> None:
    """What is neither a configuration nor a path is refused in words."""
    with pytest.raises(ConfigError) as caught:
        load_config(source)
    assert caught.value.faults[0].startswith("expected a Config, a mapping or the path of a file")


def test_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark at the start of a file does no harm."""
    path = written(tmp_path / "c.toml", b'\xef\xbb\xbf[providers.a]\nkind = "simulated"\n')
    assert list(load_config(path, {}).providers) == ["a"]


def test_list_form(tmp_path: Path) -> None:
    """The JSON form with a list of providers loads as a fallback over all of them."""
    path = written(tmp_path / "providers.json", json.dumps(LIST_FORM))
    config = load_config(path, KEYS)
    plan = check(config, KEYS)
    assert plan.default == "default"
    assert plan.balancers["default"].members == ("openrouter", "openai", "ollama")
    assert config.default == Fallback()
    assert config.providers["openai"].model == "gpt-3.5-turbo"
    assert config.providers["openai"].timeouts == Timeouts(total=60)
    abilities = plan.providers["openai"].capabilities
    assert {Capability.EMBEDDING, Capability.TOOLS, Capability.VISION} <= abilities
    assert Capability.IMAGE_GENERATION not in abilities


@pytest.mark.parametrize(
    ("manager", "default"),
    [
        ({}, Fallback()),
        ({"load_balancing": True}, LoadBalance()),
        ({"fallback_enabled": False, "load_balancing": True}, LoadBalance()),
        ({"fallback_enabled": False}, "openrouter"),
    ],
)
def test_list_form_manager(manager: dict[str, bool], default: object) -> None:
    """The two switches of the list form choose the default."""
    assert load_config({**LIST_FORM, "manager": manager}, KEYS).default == default


def test_list_form_faults() -> None:
    """The list form's own faults come together with those of the check."""
    table = {
        "providers": [
            {"name": "a", "type": "simulated"},
            {"name": "a", "type": "simulated"},
            {"default_model": "m"},
            "openai",
            {"name": "b", "type": "opnai"},
        ],
        "manager": {"load_balance": True, "fallback_enabled": "yes"},
    }
    with pytest.raises(ConfigError) as caught:
        load_config(table, {})
    assert caught.value.faults == (
        'providers[1].name: "a" is taken; rename one of them',
        "providers[2].name: missing; give the provider a name",
        "providers[3]: expected an object, found a string",
        'manager.load_balance: unknown key; did you mean "load_balancing"?',
        "manager.fallback_enabled: expected true or false, found a string",
        'providers.b.kind: no kind "opnai"; did you mean "openai"?',
    )


def test_environment_with_keys() -> None:
    """Every kind whose key variable is set is used, in the order of the catalogue."""
    environ = {"GROQ_API_KEY": "g", "OPENAI_API_KEY": "o", "OLLAMA_HOST": "lab", "XAI_API_KEY": ""}
    config = load_config(None, environ)
    plan = check(config, environ)
    assert list(config.providers) == ["openai", "groq", "ollama"]
    assert plan.balancers["default"].members == ("openai", "groq", "ollama")
    assert isinstance(plan.balancers["default"].settings, Fallback)
    assert not config.simulated


def test_environment_with_one_key() -> None:
    """A single provider needs no balancer."""
    config = load_config(None, {"ANTHROPIC_API_KEY": "k"})
    assert check(config, {"ANTHROPIC_API_KEY": "k"}).default == "anthropic"


def test_environment_without_keys() -> None:
    """Without any key the providers are simulated, and the configuration says so."""
    config = load_config(None, {})
    assert config.simulated
    assert check(config, {}).balancers["default"].members == ("sim-1", "sim-2", "sim-3")
    assert len({item.simulation for item in config.providers.values()}) == 3


def test_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the environment is that of the process."""
    monkeypatch.setenv("MISTRAL_API_KEY", "k")
    assert "mistral" in load_config().providers


def test_simulated() -> None:
    """A configuration is simulated only when every enabled provider is."""
    real, simulated = Provider("openai"), Provider("simulated")
    assert Config(default=Race([simulated])).simulated
    assert not Config({"a": simulated}, default=Race([real])).simulated
    assert not Config().simulated


def test_starter_loads(tmp_path: Path) -> None:
    """The starter file loads without any key."""
    path = written(tmp_path / "trio-llm.toml", starter_toml())
    assert check(load_config(path, {}), {}).default == "reliable"


def test_starter_loads_with_every_comment_taken_off(tmp_path: Path) -> None:
    """The examples that the starter file has in comments are sound as well."""
    lines = [
        line[2:] if line.startswith("# ") and ("=" in line or line[2] == "[") else line
        for line in starter_toml().splitlines()
    ]
    path = written(tmp_path / "trio-llm.toml", "\n".join(lines))
    variables = ("OPENAI_API_KEY", "HOUSE_API_KEY", "GROQ_KEY_1", "GROQ_KEY_2")
    config = load_config(path, dict.fromkeys(variables, "k"))
    assert {"openai", "keys", "local", "house"} <= set(config.providers)
    assert "spread" in config.balancers
