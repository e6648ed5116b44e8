"""Every fault by its path, and all of them at once."""

from collections.abc import Mapping
from typing import Any

import pytest

from trio_llm.config import (
    Config,
    CooldownSettings,
    Fallback,
    LoadBalance,
    Provider,
    Race,
    Secret,
    check,
    load_config,
)
from trio_llm.errors import ConfigError
from trio_llm.providers.catalogue import KINDS

SIM: dict[str, Any] = {"kind": "simulated"}
TWO: dict[str, Any] = {"a": SIM, "b": SIM}
KINDS_TEXT = ", ".join(KINDS)


def faults_of(source: Mapping[str, Any] | Config, **environ: str) -> tuple[str, ...]:
    """Give the faults of a configuration."""
    with pytest.raises(ConfigError) as caught:
        load_config(source, environ)
    return caught.value.faults


def provider(**settings: Any) -> dict[str, Any]:
    """Give a configuration of one simulated provider with further settings."""
    return {"providers": {"p": {"kind": "simulated", **settings}}}


def balancers(**tables: Any) -> dict[str, Any]:
    """Give a configuration of two providers and some balancers."""
    return {"providers": TWO, "balancers": tables, "default": "a"}


def wire(**settings: Any) -> dict[str, Any]:
    """Give a configuration of one provider behind a wire."""
    base = {"kind": "openai_compatible", "base_url": "http://host/v1", "model": "m"}
    return {"providers": {"p": {**base, **settings}}}


CASES: dict[str, tuple[Mapping[str, Any], str]] = {
    "unknown member": (
        {
            "providers": {"anthropic": SIM, "b": SIM},
            "balancers": {"fast": {"kind": "race", "members": ["b", "antropic"]}},
        },
        'balancers.fast.members[1]: no provider named "antropic"; did you mean "anthropic"?',
    ),
    "unknown default": (
        {"providers": TWO, "default": "reliable"},
        'default: no provider named "reliable"; known are a, b',
    ),
    "unknown kind": (
        {"providers": {"p": {"kind": "olama"}}},
        'providers.p.kind: no kind "olama"; did you mean "ollama"?',
    ),
    "missing kind": (
        {"providers": {"p": {"model": "m"}}},
        f"providers.p.kind: a kind is missing; known are {KINDS_TEXT}",
    ),
    "kind of another type": (
        {"providers": {"p": {"kind": 5}}},
        "providers.p.kind: expected a string, found an integer",
    ),
    "balancer among providers": (
        {"providers": {**TWO, "p": {"kind": "race"}}},
        "providers.p: race is a kind of balancer; move it to `balancers`",
    ),
    "unknown kind of balancer": (
        balancers(x={"kind": "races", "members": ["a"]}),
        'balancers.x: no kind of balancer "races"; did you mean "race"?',
    ),
    "unknown strategy": (
        balancers(x={"kind": "load_balance", "strategy": "roundrobin", "members": ["a"]}),
        'balancers.x.strategy: no strategy "roundrobin"; did you mean "round_robin"?',
    ),
    "unknown key": (
        provider(max_concurency=3),
        'providers.p.max_concurency: unknown key; did you mean "max_concurrency"?',
    ),
    "unknown key in a nested table": (
        provider(timeouts={"conect": 3}),
        'providers.p.timeouts.conect: unknown key; did you mean "connect"?',
    ),
    "unknown key at the top": (
        {"providers": TWO, "defualt": "a"},
        'defualt: unknown key; did you mean "default"?',
    ),
    "unknown key in a nested member": (
        balancers(x={"kind": "race", "members": ["a", {"kind": "simulated", "modl": "m"}]}),
        'balancers.x.members[1].modl: unknown key; did you mean "model"?',
    ),
    "string for a number": (
        provider(timeouts={"connect": "5s"}),
        "providers.p.timeouts.connect: expected a number, found a string",
    ),
    "boolean for an integer": (
        provider(max_concurrency=True),
        "providers.p.max_concurrency: expected an integer, found a boolean",
    ),
    "boolean for a number": (
        provider(timeouts={"connect": True}),
        "providers.p.timeouts.connect: expected a number, found a boolean",
    ),
    "integer for a boolean": (
        provider(enabled=1),
        "providers.p.enabled: expected true or false, found an integer",
    ),
    "float for an integer": (
        provider(priority=1.5),
        "providers.p.priority: expected an integer, found a number",
    ),
    "number for a string": (
        provider(model=4),
        "providers.p.model: expected a string, found an integer",
    ),
    "number for a table": (
        provider(timeouts=5),
        "providers.p.timeouts: expected a table (in code, Timeouts), found an integer",
    ),
    "string for a list": (
        balancers(x={"kind": "race", "members": "a"}),
        "balancers.x.members: expected a list of members, found a string",
    ),
    "number for a member": (
        balancers(x={"kind": "race", "members": ["a", 5]}),
        "balancers.x.members[1]: expected a name or a table, found an integer",
    ),
    "list for the providers": (
        {"providers": "a", "default": {"kind": "simulated"}},
        "providers: expected a table, found a string",
    ),
    "string for a provider": (
        {"providers": {**TWO, "p": "openai"}},
        "providers.p: expected a table (in code, a Provider), found a string",
    ),
    "number for the default": (
        {"providers": TWO, "default": 3},
        "default: expected a name or a table, found an integer",
    ),
    "out of range": (
        provider(max_concurrency=0),
        "providers.p.max_concurrency: 0 is out of range; give 1 or more",
    ),
    "zero seconds": (
        provider(timeouts={"total": 0}),
        "providers.p.timeouts.total: 0 is out of range; give more than 0",
    ),
    "share over one": (
        provider(simulation={"failure_rate": 1.5}),
        "providers.p.simulation.failure_rate: 1.5 is out of range; give 0 or more and 1 or less",
    ),
    "not a number": (
        provider(timeouts={"idle": float("nan")}),
        "providers.p.timeouts.idle: not a number; give one",
    ),
    "a number too large": (
        provider(timeouts={"idle": 10**400}),
        "providers.p.timeouts.idle: too large; give a number that a float can hold",
    ),
    "cooldown upside down": (
        provider(cooldown={"initial": 10, "maximum": 5}),
        "providers.p.cooldown.maximum: less than initial; give as much or more",
    ),
    "unknown error class": (
        provider(simulation={"fail_with": "RateLimit"}),
        (
            'providers.p.simulation.fail_with: no error class "RateLimit"; '
            'did you mean "RateLimitError"?'
        ),
    ),
    "unknown capability": (
        provider(capabilities=["chat", "vison"]),
        'providers.p.capabilities[1]: no capability "vison"; did you mean "vision"?',
    ),
    "capability of another type": (
        provider(capabilities=[3]),
        "providers.p.capabilities[0]: expected a string, found an integer",
    ),
    "an option without a name": (
        {"providers": {"p": {"kind": "custom", "class": "x:Y", "options": {1: 2}}}},
        "providers.p.options: a key in it is no string",
    ),
    "a header without a name": (
        wire(headers={"x team": "lab"}),
        "providers.p.headers: a key in it cannot be the name of a header",
    ),
    "an infinite weight": (
        balancers(
            x={
                "kind": "load_balance",
                "strategy": "weighted",
                "members": ["a"],
                "weights": {"a": float("inf")},
            }
        ),
        "balancers.x.weights.a: inf is out of range; give a finite number",
    ),
    "empty list of members": (
        balancers(x={"kind": "race", "members": []}),
        "balancers.x.members: an empty list; name a member, or leave the key out for all providers",
    ),
    "name taken twice": (
        balancers(a={"kind": "race", "members": ["b"]}),
        'balancers.a: the name "a" is taken by providers.a; rename one of them',
    ),
    "name with a slash": (
        {"providers": {"x/y": SIM}},
        'providers."x/y": the name "x/y" cannot be used; give one without "/" and line breaks',
    ),
    "name unlike its key": (
        provider(name="q"),
        'providers.p.name: "q" is not the key "p"; leave `name` out',
    ),
    "member named twice": (
        balancers(x={"kind": "race", "members": ["a", "b", "a"]}),
        'balancers.x.members[2]: "a" is already members[0]; name it once',
    ),
    "no enabled member": (
        {
            "providers": {"a": SIM, "b": {"kind": "simulated", "enabled": False}},
            "balancers": {"x": {"kind": "race", "members": ["b"]}},
            "default": "a",
        },
        "balancers.x.members: none of them is enabled; enable one, or name another",
    ),
    "default not enabled": (
        {"providers": {"a": {"kind": "simulated", "enabled": False}}, "default": "a"},
        "default: the provider is not enabled; enable it, or name another",
    ),
    "nothing at all": ({}, "providers: none is enabled; configure or enable one"),
    "cycle": (
        balancers(
            x={"kind": "race", "members": ["a", "y"]},
            y={"kind": "fallback", "members": ["z"]},
            z={"kind": "race", "members": ["x"]},
        ),
        "balancers.x.members: a cycle: x -> y -> z -> x; take one of them out",
    ),
    "member of itself": (
        balancers(x={"kind": "race", "members": ["a", "x"]}),
        "balancers.x.members: a cycle: x -> x; take one of them out",
    ),
    "missing key variable": (
        {"providers": {"p": {"kind": "openai"}}},
        (
            "providers.p.api_key_env: environment variable OPENAI_API_KEY is not set; "
            "export it or set api_key_env"
        ),
    ),
    "missing variable of one's own": (
        wire(api_key_env="HOUSE_API_KEY"),
        (
            "providers.p.api_key_env: environment variable HOUSE_API_KEY is not set; "
            "export it or set api_key_env"
        ),
    ),
    "base URL missing": (
        {"providers": {"p": {"kind": "openai_compatible", "model": "m"}}},
        "providers.p.base_url: missing; the kind openai_compatible needs the server's URL",
    ),
    "base URL malformed": (
        wire(base_url="localhost:8080"),
        "providers.p.base_url: malformed URL; give one such as https://host:8080/v1",
    ),
    "base URL with an empty label in its host": (
        wire(base_url="http://a..b/v1"),
        "providers.p.base_url: malformed URL; give one such as https://host:8080/v1",
    ),
    "base URL with a label that is too long": (
        wire(base_url=f"http://{'a' * 64}/v1"),
        "providers.p.base_url: malformed URL; give one such as https://host:8080/v1",
    ),
    "base URL with a port out of range": (
        wire(base_url="http://host:99999"),
        "providers.p.base_url: malformed URL; give one such as https://host:8080/v1",
    ),
    "base URL with a password": (
        wire(base_url="http://me:hunter2@host/v1"),
        "providers.p.base_url: a URL with a user or password in it; use api_key_env or headers",
    ),
    "base URL with a query": (
        wire(base_url="http://host/v1?key=hunter2"),
        "providers.p.base_url: a URL with a query or fragment; give it without",
    ),
    "model missing": (
        {"providers": {"p": {"kind": "vllm"}}},
        "providers.p.model: missing; the kind vllm has no model of its own",
    ),
    "certificates missing": (
        wire(verify="/nowhere/ca.pem"),
        'providers.p.verify: no file "/nowhere/ca.pem"; give the path of a PEM file',
    ),
    "header with a line break": (
        wire(headers={"x-team": "a\r\nb"}),
        "providers.p.headers.x-team: the value has letters that a header cannot carry",
    ),
    "setting that nothing reads": (
        provider(base_url="http://host"),
        "providers.p.base_url: a provider of the kind simulated has no use for it; leave it out",
    ),
    "weights without the strategy": (
        balancers(x={"kind": "load_balance", "members": ["a", "b"], "weights": {"a": 1}}),
        'balancers.x.weights: read by the strategy "weighted" alone; set it, or leave weights out',
    ),
    "weight for a stranger": (
        balancers(
            x={
                "kind": "load_balance",
                "strategy": "weighted",
                "members": ["a", "b"],
                "weights": {"a": 1, "b": 1, "c": 1},
            }
        ),
        'balancers.x.weights.c: no member named "c"; known are a, b',
    ),
    "weight forgotten": (
        balancers(
            x={
                "kind": "load_balance",
                "strategy": "weighted",
                "members": ["a", "b"],
                "weights": {"a": 1},
            }
        ),
        "balancers.x.weights.b: missing; give every member a weight, 0 for only in need",
    ),
    "weight below zero": (
        balancers(
            x={
                "kind": "load_balance",
                "strategy": "weighted",
                "members": ["a"],
                "weights": {"a": -1},
            }
        ),
        "balancers.x.weights.a: -1 is out of range; give 0 or more",
    ),
    "weights all zero": (
        balancers(
            x={
                "kind": "load_balance",
                "strategy": "weighted",
                "members": ["a", "b"],
                "weights": {"a": 0, "b": 0},
            }
        ),
        "balancers.x.weights: all are 0; give one member more",
    ),
    "primary out of range": (
        balancers(x={"kind": "fallback", "members": ["a", "b"], "primary": 2}),
        "balancers.x.primary: 2 is out of range; give 0 to 1",
    ),
    "primary unknown": (
        balancers(x={"kind": "fallback", "members": ["a", "b"], "primary": "c"}),
        'balancers.x.primary: no member named "c"; known are a, b',
    ),
    "custom class missing": (
        {"providers": {"p": {"kind": "custom"}}},
        "providers.p.class: missing; name the class as package.module:Class",
    ),
    "custom class without colon": (
        {"providers": {"p": {"kind": "custom", "class": "Echo"}}},
        'providers.p.class: "Echo" is no class; write it as package.module:Class',
    ),
    "custom module missing": (
        {"providers": {"p": {"kind": "custom", "class": "nowhere_at_all:Echo"}}},
        (
            'providers.p.class: cannot import "nowhere_at_all" (ModuleNotFoundError: '
            "No module named 'nowhere_at_all'); is it installed?"
        ),
    ),
    "custom class not in its module": (
        {
            "providers": {
                "p": {"kind": "custom", "class": "tests.config.config_fixture_classes:Ecko"}
            }
        },
        (
            'providers.p.class: no class "Ecko" in "tests.config.config_fixture_classes"; '
            "correct the name"
        ),
    ),
    "custom class without the method": (
        {
            "providers": {
                "p": {"kind": "custom", "class": "tests.config.config_fixture_classes:Mute"}
            }
        },
        "providers.p.class: Mute has no method `async def generate(self, request)`",
    ),
    "custom class that does not take the options": (
        {
            "providers": {
                "p": {
                    "kind": "custom",
                    "class": "tests.config.config_fixture_classes:Echo",
                    "options": {"suffix": "!"},
                }
            }
        },
        (
            "providers.p.class: the options do not fit the arguments of Echo: "
            "got an unexpected keyword argument 'suffix'"
        ),
    ),
}


@pytest.mark.parametrize(("source", "fault"), CASES.values(), ids=list(CASES))
def test_a_fault_alone(source: Mapping[str, Any], fault: str) -> None:
    """A configuration with one fault gives exactly that sentence, place first."""
    assert faults_of(source) == (fault,)


def test_all_faults_at_once() -> None:
    """Unknown keys, wrong values, missing keys, unknown names and cycles come in one error."""
    faults = faults_of(
        {
            "defualt": "x",
            "providers": {
                "openai": {"kind": "openai", "modl": "m", "mailbox": 0},
                "lab": {"kind": "vlm"},
            },
            "balancers": {
                "x": {"kind": "race", "members": ["openai", "y", "labb"]},
                "y": {"kind": "fallback", "members": ["x"], "primary": 7},
            },
        }
    )
    assert [fault.split(": ")[0] for fault in faults] == [
        "providers.openai.modl",
        "defualt",
        "providers.openai.mailbox",
        "providers.openai.api_key_env",
        "providers.lab.kind",
        "balancers.x.members[2]",
        "balancers.y.primary",
        "balancers.x.members",
    ]


def test_every_cycle_is_shown() -> None:
    """Two cycles that share a balancer are two faults."""
    faults = faults_of(
        balancers(
            x={"kind": "race", "members": ["y", "z"]},
            y={"kind": "race", "members": ["x"]},
            z={"kind": "race", "members": ["x"]},
        )
    )
    assert sorted(fault.split(";")[0] for fault in faults) == [
        "balancers.x.members: a cycle: x -> y -> x",
        "balancers.x.members: a cycle: x -> z -> x",
    ]


def test_code_and_file_give_the_same_faults() -> None:
    """What is built in code goes through the same check, with the same paths."""
    built = Config(
        providers={"a": Provider("simulated", mailbox=0)},
        balancers={
            "x": Race(["a", "b"], timeout=-1),
            "y": LoadBalance(["a"], strategy="best"),
        },
        default="z",
    )
    written = {
        "providers": {"a": {"kind": "simulated", "mailbox": 0}},
        "balancers": {
            "x": {"kind": "race", "members": ["a", "b"], "timeout": -1},
            "y": {"kind": "load_balance", "members": ["a"], "strategy": "best"},
        },
        "default": "z",
    }
    assert faults_of(built) == faults_of(written)
    assert len(faults_of(built)) == 5


def test_paths_into_nested_objects() -> None:
    """A fault deep in a nested tree is named by its way from the default."""
    config = Config(
        default=Fallback(
            [
                Provider("simulated"),
                Race([Provider("simulated", cooldown=CooldownSettings(initial=-1)), "nobody"]),
            ]
        )
    )
    assert faults_of(config) == (
        "default.members[1].members[0].cooldown.initial: -1 is out of range; give 0 or more",
        (
            'default.members[1].members[1]: no provider named "nobody"; '
            "known are default, simulated, race-1, simulated-2"
        ),
    )


def test_a_broken_entry_is_one_fault() -> None:
    """Who refers to an entry that is no provider or balancer is not blamed for it."""
    faults = faults_of(
        {
            "providers": {"a": SIM, "b": "openai"},
            "balancers": {
                "x": {"kind": "races", "members": ["a"]},
                "y": {"kind": "race", "members": ["x", "b"]},
                "z": {"members": ["a"]},
                "w": 5,
                "v": {"kind": "openai"},
            },
            "default": "x",
        }
    )
    assert faults == (
        "providers.b: expected a table (in code, a Provider), found a string",
        'balancers.x: no kind of balancer "races"; did you mean "race"?',
        "balancers.z: a kind is missing; known are race, hedge, fallback, load_balance, consensus",
        (
            "balancers.w: expected a table (in code, one of Race, Hedge, Fallback, "
            "LoadBalance, Consensus), found an integer"
        ),
        "balancers.v: openai is a kind of provider; move it to `providers`",
    )


def test_provider_object_among_balancers() -> None:
    """A Provider that stands in the table of balancers is sent to the other one."""
    config = Config(
        {"a": Provider("simulated")},
        {"x": Provider("openai")},  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
        "x",
    )
    assert faults_of(config) == (
        "balancers.x: openai is a kind of provider; move it to `providers`",
    )


def test_kind_of_balancer_nested_in_a_provider() -> None:
    """A nested Provider with the kind of a balancer is told so."""
    config = Config(default=Race([Provider("race")]))
    assert faults_of(config) == (
        "default.members[0].kind: race is a kind of balancer; use its class",
    )


def test_one_name_for_two_nested_objects() -> None:
    """Two different nested objects may not share a name."""
    config = Config(
        default=Race([Provider("simulated", "s"), Provider("simulated", "s", mailbox=9)])
    )
    assert faults_of(config)[0] == (
        'default.members[1]: the name "s" is taken by default.members[0]; rename one of them'
    )


def test_key_and_variable_together() -> None:
    """A key in code and a variable for it contradict each other."""
    config = Config({"p": Provider("openai", api_key="k", api_key_env="K_Y")})
    assert faults_of(config) == ("providers.p.api_key: given together with api_key_env; give one",)


def test_instance_takes_no_options() -> None:
    """An instance of a custom class is complete; options beside it would be ignored."""

    class Own:
        async def generate(self, request: object) -> str:
            return str(request)

    config = Config({"p": Provider("custom", cls=Own(), options={"a": 1})})
    assert faults_of(config) == (
        "providers.p.class: an instance takes no options; give the class, or leave options out",
    )


def test_dict_in_place_of_a_record() -> None:
    """In code a record is wanted where a file has a table, and the fault says so."""
    settings: Any = {"attempts": 1}
    faults = faults_of(Config({"p": Provider("simulated", retry=settings)}))
    assert faults == ("providers.p.retry: expected Retry(...), found a dict",)


def test_check_names_its_source() -> None:
    """The error says where the configuration came from and how many faults it has."""
    with pytest.raises(ConfigError, match=r"^lab\.toml: 1 fault\n  - providers: none is enabled"):
        check(Config(), {}, source="lab.toml")


def test_key_of_a_wrong_type() -> None:
    """A key must be a string or a callable."""
    config = Config({"p": Provider("openai", api_key=5)})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert faults_of(config) == (
        "providers.p.api_key: expected a string, or an async callable that gives one",
    )


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel"])
def test_key_that_no_header_can_carry(key: str) -> None:
    """A key that cannot be sent is refused before the first call, and not shown."""
    (fault,) = faults_of(Config({"p": Provider("openai", api_key=Secret(key))}))
    assert fault.startswith("providers.p.api_key: the key ")
    assert not key or key not in fault
