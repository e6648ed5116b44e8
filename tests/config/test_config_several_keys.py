"""One provider with several keys: what it becomes, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from trio_llm.config import (
    Config,
    Fallback,
    LoadBalance,
    Provider,
    Race,
    Secret,
    check,
    load_config,
)
from trio_llm.errors import ConfigError

ENVIRON = {"LAB_KEY_A": "k-aaaaaaaa", "LAB_KEY_B": "k-bbbbbbbb", "OPENAI_API_KEY": "k-own"}
TWO = ["LAB_KEY_A", "LAB_KEY_B"]


def _faults(config: Config, environ: dict[str, str] = ENVIRON) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        check(config, environ)
    return caught.value.faults


def test_a_provider_becomes_one_for_each_key() -> None:
    """Each has its own key and every other setting, under a balancer with the name of all."""
    shared = Provider("openai", model="m", max_concurrency=3, mailbox=7, api_key_envs=TWO)
    plan = check(Config({"lab": shared}), ENVIRON)
    assert plan.default == "lab"
    assert plan.order == ("lab-1", "lab-2", "lab")
    assert set(plan.providers) == {"lab-1", "lab-2"}
    for number, variable in enumerate(TWO, start=1):
        provider = plan.providers[f"lab-{number}"]
        assert provider.key == Secret(ENVIRON[variable])
        assert provider.key_variable == variable
        assert (provider.model, provider.settings.max_concurrency) == ("m", 3)
    balancer = plan.balancers["lab"]
    assert balancer.members == ("lab-1", "lab-2")
    assert isinstance(balancer.settings, LoadBalance)
    assert (balancer.settings.strategy, balancer.settings.mailbox) == ("round_robin", 7)
    assert balancer.passes_on


def test_a_single_key_in_a_list_makes_a_provider_of_one() -> None:
    """The names do not depend on how many keys there happen to be."""
    plan = check(Config({"lab": Provider("openai", api_key_envs=TWO[:1])}), ENVIRON)
    assert plan.order == ("lab-1", "lab")


def test_it_is_a_member_like_any_other() -> None:
    """By name with a weight, as the primary, nested in place, and as one of all providers."""
    shared = Provider("openai", api_key_envs=TWO)
    other = Provider("simulated")
    config = Config(
        {"lab": shared, "sim": other},
        {
            "spread": LoadBalance(
                ["lab", "sim"], strategy="weighted", weights={"lab": 3, "sim": 1}
            ),
            "first": Fallback(["sim", "lab"], primary="lab"),
            "nested": Race([Provider("groq", api_key_envs=TWO), "sim"]),
            "all": Fallback(),
        },
        "spread",
    )
    plan = check(config, ENVIRON)
    assert plan.balancers["spread"].weights == {"lab": 3, "sim": 1}
    assert plan.balancers["spread"].height == plan.balancers["lab"].height + 1 == 2
    assert not plan.balancers["spread"].passes_on
    assert plan.balancers["first"].primary == "lab"
    assert plan.balancers["nested"].members == ("groq", "sim")
    assert plan.balancers["groq"].members == ("groq-1", "groq-2")
    assert plan.balancers["all"].members == ("lab", "sim")
    for balancer in plan.balancers.values():
        place = plan.order.index(balancer.name)
        assert all(plan.order.index(member) < place for member in balancer.members)


def test_one_that_is_switched_off_stays_one() -> None:
    """Its keys are not asked for, and it is listed by its name."""
    off = Provider("openai", api_key_envs=["NOT_SET_AT_ALL"], enabled=False)
    plan = check(Config({"off": off, "sim": Provider("simulated")}), {})
    assert set(plan.providers) == {"off", "sim"}


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (
            {"api_key_envs": ["LAB_KEY_A", "LAB_KEY_C"]},
            (
                "providers.lab.api_key_envs[1]: environment variable LAB_KEY_C is not set; "
                "export it or take it out"
            ),
        ),
        (
            {"api_key_envs": ["LAB_KEY_A", "LAB_KEY_A"]},
            "providers.lab.api_key_envs[1]: the same as api_key_envs[0]; take it out",
        ),
        (
            {"api_key_envs": ["LAB_KEY_A", "sk-a key in its place"]},
            (
                "providers.lab.api_key_envs[1]: not the name of an environment variable; give the "
                "name, not the key itself"
            ),
        ),
        (
            {"api_key_envs": ["LAB_KEY_A", None]},
            (
                "providers.lab.api_key_envs[1]: expected the name of an environment variable, "
                "found nothing"
            ),
        ),
        (
            {"api_key_envs": "LAB_KEY_A"},
            "providers.lab.api_key_envs: expected a list of strings, found a string",
        ),
        (
            {"api_key_envs": TWO, "api_key_env": "LAB_KEY_A"},
            "providers.lab.api_key_envs: given together with api_key_env; give one",
        ),
        (
            {"api_key_envs": TWO, "api_key": "k"},
            "providers.lab.api_key: given together with api_key_envs; give one",
        ),
        (
            {"api_key_envs": ["LAB_KEY_A", "LAB_KEY_BROKEN"]},
            (
                "providers.lab.api_key_envs[1]: environment variable LAB_KEY_BROKEN: the key has "
                "white space or other letters than ASCII in it; copy it again"
            ),
        ),
    ],
)
def test_what_is_wrong_with_the_keys_is_a_fault(settings: dict[str, Any], fault: str) -> None:
    """It names the place, the variable where that is safe, and the remedy."""
    environ = ENVIRON | {"LAB_KEY_BROKEN": "two words"}
    assert _faults(Config({"lab": Provider("openai", **settings)}), environ) == (fault,)


def test_a_kind_without_a_wire_has_no_keys() -> None:
    """The setting is refused where nothing would read it."""
    assert _faults(Config({"sim": Provider("simulated", api_key_envs=TWO)})) == (
        (
            "providers.sim.api_key_envs: a provider of the kind simulated has no use for it; "
            "leave it out"
        ),
    )


def test_a_name_that_a_key_would_take_must_be_free() -> None:
    """Another provider of that name is a fault, and the fault names it."""
    config = Config({"lab": Provider("openai", api_key_envs=TWO), "lab-2": Provider("simulated")})
    assert _faults(config) == (
        (
            'providers.lab.api_key_envs[1]: the name "lab-2" is taken by providers.lab-2; rename '
            "one of them"
        ),
    )


def test_every_fault_of_every_key_is_listed_at_once() -> None:
    """Two keys that are missing are two faults."""
    assert len(_faults(Config({"lab": Provider("openai", api_key_envs=TWO)}), {})) == 2


def test_it_survives_saving(tmp_path: Path) -> None:
    """What is saved loads back equal, with the names of the variables alone."""
    config = Config({"lab": Provider("openai", api_key_envs=TWO)})
    config.save(tmp_path / "c.toml")
    text = (tmp_path / "c.toml").read_text()
    assert "k-aaaaaaaa" not in text
    assert load_config(tmp_path / "c.toml", ENVIRON) == config


def test_a_key_in_the_place_of_a_name_is_not_shown() -> None:
    """Neither the repr of the provider nor the fault has it in it."""
    provider = Provider("openai", api_key_envs=["LAB_KEY_A", "sk-live-0123456789"])
    assert "LAB_KEY_A" in repr(provider)
    assert "0123456789" not in repr(provider)
    assert "0123456789" not in "".join(_faults(Config({"lab": provider})))
