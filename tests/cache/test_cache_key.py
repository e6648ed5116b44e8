"""Two calls have one key exactly if one answer may serve both."""

from typing import Any

import attrs
import pytest

from trio_llm import (
    Config,
    Consensus,
    Fallback,
    LoadBalance,
    Message,
    Provider,
    Race,
    Request,
    Secret,
    Simulation,
    Timeouts,
    Tool,
)
from trio_llm.cache import key as key_module
from trio_llm.cache.key import fingerprint_of, key_of
from trio_llm.config import check
from trio_llm.config.schema import Member

SOUND = Request(messages=[Message("system", "be brief"), Message("user", "hello \udc00")])


class Mine:
    """A provider of one's own."""

    async def generate(self, _request: Request) -> str:
        """Answer."""
        return "mine"


class Yours(Mine):
    """Another one."""


def _print(member: Member, name: str | None = None, environ: Any = None) -> bytes:
    plan = check(Config(default=member), environ or {})
    return fingerprint_of(plan, plan.default if name is None else name)


def _openai(**more: Any) -> Provider:
    given: dict[str, Any] = {"model": "m", "api_key": Secret("k"), "base_url": "https://x.org/v1"}
    return Provider("openai", "o", **(given | more))


A, B = (Provider("simulated", name, simulation=Simulation(text="t")) for name in "ab")
BOTH = Fallback((A, B), name="f")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_openai(), _openai(api_key=Secret("another"))),
        (_openai(), _openai(headers={"X-Team": "secret"})),
        (_openai(), _openai(base_url="https://x.org/v1/")),
        (_openai(), _openai(timeouts=Timeouts(total=5.0), max_concurrency=1, priority=7)),
        (_openai(models=("p", "q")), _openai(models=("q", "p"))),
        (Provider("custom", "c", cls=Mine), Provider("custom", "c", cls=Mine())),
        (LoadBalance((A, B), name="l"), LoadBalance((A, B), name="l", affinity=True)),
        (Race((A, B), name="r"), Race((A, B), name="r", timeout=3.0, mailbox=9)),
    ],
)
def test_how_somebody_is_reached_is_no_part_of_it(one: Member, other: Member) -> None:
    """Keys, headers, limits and the like may change, and what is kept stays good."""
    assert _print(one) == _print(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (_openai(), _openai(model="n")),
        (_openai(), _openai(models=("n",))),
        (_openai(), _openai(base_url="https://y.org/v1")),
        (_openai(), _openai(dialect="openai_responses")),
        (_openai(), attrs.evolve(_openai(), kind="openai_compatible")),
        (_openai(), attrs.evolve(_openai(), name="p")),
        (A, attrs.evolve(A, simulation=Simulation(text="u"))),
        (Provider("custom", "c", cls=Mine), Provider("custom", "c", cls=Yours)),
        (BOTH, Fallback((B, A), name="f")),
        (BOTH, Fallback((A,), name="f")),
        (BOTH, Fallback((A, B), name="f", primary=1)),
        (BOTH, Fallback((A, B), name="f", models={"a": "n"})),
        (BOTH, Fallback((A, B), name="f", virtual_models={"v": {"a": "n"}})),
        (BOTH, Fallback((A, B), name="f", on_context_length=("b",))),
        (BOTH, Fallback((A, B), name="g")),
        (BOTH, Race((A, B), name="f")),
        (Race((A, B), name="f"), Race((A, B), name="f", strategy="weighted")),
        (BOTH, Fallback((A, attrs.evolve(B, model="n")), name="f")),
        (BOTH, Race((BOTH,), name="r")),
    ],
)
def test_who_is_asked_and_for_which_model_is_part_of_it(one: Member, other: Member) -> None:
    """What decides who answers, however deep it stands, makes another fingerprint."""
    assert _print(one) != _print(other)


def test_only_what_stands_under_an_endpoint_counts() -> None:
    """A change elsewhere in the tree leaves the fingerprints of the others alone."""
    inner = Fallback((A,), name="f")
    before = Race((inner, B), name="r")
    after = Race((inner, attrs.evolve(B, model="n")), name="r")
    for name in ("f", "a"):
        assert _print(before, name) == _print(after, name)
    for name in ("r", "b"):
        assert _print(before, name) != _print(after, name)


def test_the_judge_and_the_specialists_stand_under_it_too() -> None:
    """Who is asked besides the members can change the answer like a member."""
    race = Race((A, B), name="r", strategy="quality", judge="j", grace_period=1.0)

    def of(model: str) -> bytes:
        providers = {"j": Provider("simulated", model=model)}
        plan = check(Config(providers, default=race), {})
        return fingerprint_of(plan, "r")

    assert of("m") != of("n")


def test_several_keys_are_one_provider() -> None:
    """A key more or less changes nothing."""
    environ = {f"K{number}": f"key-{number}" for number in range(3)}

    def of(*names: str) -> bytes:
        return _print(
            Provider("openai", "o", model="m", api_key_envs=names), environ=environ, name="o"
        )

    assert of("K0", "K1") == of("K2", "K0", "K1") == of("K1")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"tags": {"a": "b"}}, True),
        ({"metadata": {"a": "b"}}, True),
        ({"max_attempts": 3}, True),
        ({"cache": "on"}, True),
        ({"on_interrupt": "restart"}, True),
        ({"temperature": 1.0}, True),
        ({"prefer": "b"}, False),
        ({"model": "n"}, False),
        ({"temperature": 0.5}, False),
        ({"user": "somebody else"}, False),
        ({"user": ""}, False),
        ({"seed": 1}, False),
        ({"continuation": True}, False),
        ({"tools": [Tool("t")]}, False),
        ({"extra": {"openai_chat": {"x": 1}}}, False),
    ],
    ids=str,
)
def test_what_changes_the_answer_changes_the_key(other: dict[str, Any], same: bool) -> None:
    """The request by its digest, and who is to be asked first."""
    request = attrs.evolve(SOUND, temperature=1)
    assert (key_of(bytes(32), request) == key_of(bytes(32), attrs.evolve(request, **other))) == same


def test_a_request_that_is_nested_too_deeply_has_no_key() -> None:
    """It goes to the provider, which may say what is wrong with it."""
    extra: dict[str, Any] = {}
    for _ in range(100_000):
        extra = {"a": extra}
    assert key_of(bytes(32), attrs.evolve(SOUND, extra={"openai_chat": extra})) is None


def test_the_keys_are_those_of_version_one() -> None:
    """What earlier versions have kept is found by the same keys: else raise the version.

    These values change with every change of the form: of the digest of a request, of the
    fingerprint, or of how they come together.
    """
    consensus = Consensus((_openai(), BOTH), name="c", models={"o": "m"})
    fingerprint = _print(consensus)
    request = attrs.evolve(
        SOUND, model="m", stop=("x",), tools=[Tool("t", "d")], user="u", prefer="o", seed=1
    )
    key = key_of(fingerprint, request)
    assert key is not None
    assert key_module.VERSION == 1
    assert (fingerprint.hex(), key.hex()) == (FINGERPRINT, KEY)


FINGERPRINT = "56200a1efd84b3f9b604620bbdb28dddb30f6522bfa1254e53f3030dd404ed01"
KEY = "c59ba9ff1fdc9e2a912be440434fdf6f5a0699a537cbbbde8fc5a4743c797835"
