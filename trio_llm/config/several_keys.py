"""One provider with several keys: a provider for each, under a load balancer."""

from collections.abc import Mapping

import attrs

from trio_llm.config.census import Census
from trio_llm.config.faults import Faults
from trio_llm.config.plan import ResolvedBalancer, ResolvedProvider
from trio_llm.config.rules import quoted, under
from trio_llm.config.schema import LoadBalance
from trio_llm.config.secret import Secret
from trio_llm.config.shapes import key_problem, shown_variable


@attrs.frozen
class KeyRing:
    """What a provider with several keys becomes.

    Attributes:
        balancer: The load balancer that bears its name.
        members: One provider for each key, by name, in the order of the keys.
    """

    balancer: ResolvedBalancer
    members: Mapping[str, ResolvedProvider]


def split_keys(
    whole: ResolvedProvider, path: str, environ: Mapping[str, str], census: Census, faults: Faults
) -> KeyRing:
    """Make one provider for each key; what is wrong with them goes to `faults`.

    Args:
        whole: The provider, whole but for a key.
        path: Its place in the configuration.
        environ: The environment variables.
        census: Everyone who has a name already.
        faults: Where faults go.
    """
    members: dict[str, ResolvedProvider] = {}
    variables = whole.settings.api_key_envs
    for index, variable in enumerate(variables):
        place = under(under(path, "api_key_envs"), index)
        name = f"{whole.name}-{index + 1}"
        key = environ.get(variable, "").strip()
        problem = key_problem(key)
        if variable in variables[:index]:
            faults.add(place, f"the same as api_key_envs[{variables.index(variable)}]; take it out")
        elif not key:
            faults.add(
                place,
                f"environment variable {shown_variable(variable)} is not set; export it or "
                "take it out",
            )
        elif problem is not None:
            faults.add(place, f"environment variable {shown_variable(variable)}: {problem}")
        if name in census.places:
            taken = census.places[name].path
            faults.add(place, f"the name {quoted(name)} is taken by {taken}; rename one of them")
        members[name] = attrs.evolve(
            whole,
            name=name,
            key=Secret(key),
            key_variable=variable,
        )
    balancer = ResolvedBalancer(
        name=whole.name,
        members=tuple(members),
        weights=dict.fromkeys(members, 1.0),
        primary=next(iter(members), ""),
        height=1,
        settings=LoadBalance(tuple(members), mailbox=whole.settings.mailbox),
        passes_on=True,
    )
    return KeyRing(balancer, members)
