"""Whether what a new configuration says of an actor is what it already is.

Compared is everything that an actor is made of, keys by their value. What only says
where a key comes from, or who is tried first, makes no other actor.
"""

from typing import Final

import attrs

from trio_llm.config import Config, Provider, ResolvedBalancer, ResolvedProvider, Secret

_ASIDE: Final = frozenset(
    {
        "name",  # the resolved one counts
        "priority",  # it makes the order in a balancer's members
        "api_key",  # the resolved one counts, by its value
        "api_key_env",
        "api_key_envs",
        "cls",  # the class or instance itself counts, however it was named
    }
)
_BY_NAME: Final = frozenset({"name", "members"})


def same_provider(one: ResolvedProvider, other: ResolvedProvider) -> bool:
    """Whether two descriptions are of the same provider, to the last setting.

    A custom provider is the same only if its class or instance is the same object.
    """
    resolved = [
        field.name
        for field in attrs.fields(ResolvedProvider)
        if field.name not in {"settings", "custom", "key_variable"}
    ]
    settings = [field.name for field in attrs.fields(Provider) if field.name not in _ASIDE]
    return (
        one.custom is other.custom
        and _alike(one, other, resolved)
        and _alike(one.settings, other.settings, settings)
    )


def same_account(one: ResolvedProvider, other: ResolvedProvider) -> bool:
    """Whether two descriptions of one name are of one account at one place.

    What its server has said of it (to wait, that its quota is used up) then holds for
    both, whatever else differs.
    """
    return one.name == other.name and _same_place(one, other)


def same_key(one: ResolvedProvider, other: ResolvedProvider) -> bool:
    """Whether two descriptions ask one place for one model with one key, by any name.

    Of several keys each is known by its number, and that changes with those before it.
    """
    return isinstance(one.key, Secret) and _alike(one, other, ["model"]) and _same_place(one, other)


def same_balancer(one: ResolvedBalancer, other: ResolvedBalancer) -> bool:
    """Whether two descriptions are of the same balancer; members count by their names."""
    resolved = ["name", "members", "weights", "primary", "advisers", "passes_on"]
    settings = [
        field.name for field in attrs.fields(type(one.settings)) if field.name not in _BY_NAME
    ]
    return (
        type(one.settings) is type(other.settings)
        and _alike(one, other, resolved)
        and _alike(one.settings, other.settings, settings)
    )


def same_surroundings(one: Config, other: Config) -> bool:
    """Whether two configurations give every actor the same from outside."""
    return _alike(one, other, ["close_deadline", "restart"])


def _same_place(one: ResolvedProvider, other: ResolvedProvider) -> bool:
    return _class_of(one.custom) is _class_of(other.custom) and _alike(
        one, other, ["kind", "base_url", "key"]
    )


def _class_of(custom: object) -> type:
    return custom if isinstance(custom, type) else type(custom)


def _alike(one: object, other: object, names: list[str]) -> bool:
    try:
        return all(_equal(getattr(one, name), getattr(other, name)) for name in names)
    except Exception:  # noqa: BLE001 - options may hold objects of the user's own
        return False  # what cannot be compared may have changed


def _equal(one: object, other: object) -> bool:
    return one is other or bool(one == other)
