"""What makes another provider or balancer of what a new configuration says, and what does not."""

from typing import Any

import attrs
import pytest
import trio

from trio_llm import (
    Config,
    LoadBalance,
    Provider,
    Race,
    Simulation,
    Timeouts,
    open_runtime,
)
from trio_llm.assembly.sameness import same_account, same_balancer, same_provider
from trio_llm.config import Balancer, check


async def test_several_keys_are_kept_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is added to a provider's ring leaves the actors of the others alone."""
    for name in ("KEY_A", "KEY_B", "KEY_C"):
        monkeypatch.setenv(name, f"sk-{name.lower()}-0123456789")

    def ring(*names: str) -> Config:
        return Config(providers={"lab": Provider("openai", api_key_envs=names)})

    async with open_runtime(ring("KEY_A", "KEY_B")) as llm:
        report = await llm.reload(ring("KEY_A", "KEY_B", "KEY_C"))
        assert report.kept == ("lab-1", "lab-2")
        assert (report.added, report.changed) == (("lab-3",), ("lab",))
        monkeypatch.setenv("KEY_B", "sk-another-0123456789")
        report = await llm.reload(ring("KEY_A", "KEY_B", "KEY_C"))
        assert (report.kept, report.changed) == (("lab-1", "lab-3"), ("lab-2", "lab"))
        assert len((await llm.reload(ring("KEY_A", "KEY_B", "KEY_C"))).kept) == 4


BASE = Provider("openai_compatible", "a", base_url="http://h/v1", api_key="k1-0123456", model="m")


def _named(value: dict[str, Any] | bool) -> str:
    """Name a case alike in every process, which the address of a function does not."""
    return "-".join(value) if isinstance(value, dict) else str(value)


async def _key() -> str:
    await trio.lowlevel.checkpoint()
    return "k"


@pytest.mark.parametrize(
    ("changes", "same", "account"),
    [
        ({}, True, True),
        ({"priority": 5}, True, True),
        ({"api_key": "k2-0123456"}, False, False),
        ({"base_url": "http://other/v1"}, False, False),
        ({"model": "n"}, False, True),
        ({"models": ("n",)}, False, True),
        ({"timeouts": Timeouts(idle=3.0)}, False, True),
        ({"headers": {"x-a": "b"}}, False, True),
        ({"mailbox": 4}, False, True),
        ({"hold_after_cancel": 1.0}, False, True),
        ({"errors": {"ServerError": {"cools": True}}}, False, True),
        ({"dialect": "anthropic"}, False, True),
        ({"api_key": _key}, False, False),
    ],
    ids=_named,
)
def test_what_makes_another_provider(changes: dict[str, Any], same: bool, account: bool) -> None:
    """Every setting that its actor is made of; its key and address make another account."""

    def resolved(provider: Provider) -> Any:
        return check(Config(default=provider)).providers["a"]

    one, other = resolved(BASE), resolved(attrs.evolve(BASE, **changes))
    assert same_provider(one, other) is same
    assert same_account(one, other) is account
    assert same_provider(other, resolved(attrs.evolve(BASE, **changes)))


def test_the_name_of_the_variable_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key counts by its value, wherever it was found."""
    monkeypatch.setenv("ONE", "k1-0123456")
    monkeypatch.setenv("OTHER", "k1-0123456")
    providers = [BASE, *(attrs.evolve(BASE, api_key=None, api_key_env=n) for n in ("ONE", "OTHER"))]
    found = [check(Config(default=each)).providers["a"] for each in providers]
    assert all(same_provider(found[0], each) for each in found)


def test_options_that_cannot_be_compared_make_another_provider() -> None:
    """Objects of the user's own that refuse to be compared never break a reload."""

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise TypeError("not comparable")

        __hash__ = None  # type: ignore[assignment]

    class Mine:
        def __init__(self, odd: object) -> None:
            self.odd = odd

        async def generate(self, request: object) -> str:
            raise NotImplementedError(request)

    def resolved(odd: object) -> Any:
        provider = Provider("custom", "a", cls=Mine, options={"odd": odd})
        return check(Config(default=provider)).providers["a"]

    odd = Odd()
    assert same_provider(resolved(odd), resolved(odd))
    assert not same_provider(resolved(odd), resolved(Odd()))


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (LoadBalance(("a", "b"), name="x"), True),
        (LoadBalance(("b", "a"), name="x"), False),
        (LoadBalance(("a",), name="x"), False),
        (LoadBalance(("a", "b"), name="x", mailbox=3), False),
        (LoadBalance(("a", "b"), name="x", strategy="random"), False),
        (LoadBalance(("a", "b"), name="x", models={"a": "m"}), False),
        (Race(("a", "b"), name="x"), False),
    ],
    ids=str,
)
def test_what_makes_another_balancer(other: Balancer, same: bool) -> None:
    """Its kind, its settings, and its members in their order."""
    providers = {name: Provider("simulated", simulation=Simulation()) for name in ("a", "b")}

    def resolved(balancer: Balancer) -> Any:
        return check(Config(providers=providers, default=balancer)).balancers["x"]

    one = LoadBalance(("a", "b"), name="x")
    assert same_balancer(resolved(one), resolved(other)) is same
