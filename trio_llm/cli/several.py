"""Whom ``trio-llm ask`` asks: a name of the configuration, or several for this call."""

from collections.abc import Collection
from typing import Final

import attrs

from trio_llm.cli.options import unknown_word
from trio_llm.config import Balancer, Config, Consensus, Fallback, Hedge, Race, check
from trio_llm.config.rules import quoted, suggestion
from trio_llm.errors import ConfigError

HEDGE_DELAY: Final = 1.0
"""Seconds before a hedge; a process of one call has seen too little for a percentile."""

RACES: Final = ("first_wins", "weighted", "quality")
"""How a race can be decided."""

VOTES: Final = ("majority", "similarity")
"""How a consensus can count, where nothing else is said of the members."""


@attrs.frozen(kw_only=True)
class Whom:
    """What was said of whom to ask; at most one of the first five.

    Attributes:
        via: A provider or balancer of the configuration.
        race: Members of a race, with commas between them.
        hedge: Members of a hedge.
        consensus: Members of a consensus.
        fallback: Members of a fallback.
        strategy: How the race is decided, or the consensus counts.
        delay: Seconds after which the hedge starts.
    """

    via: str | None = None
    race: str | None = None
    hedge: str | None = None
    consensus: str | None = None
    fallback: str | None = None
    strategy: str | None = None
    delay: float | None = None

    def problem(self) -> str | None:
        """Say what does not go together, or is no known word."""
        ways = ("via", "race", "hedge", "consensus", "fallback")
        given = [f"--{way}" for way in ways if getattr(self, way) is not None]
        if len(given) > 1:
            listed = f"{', '.join(given[:-1])} and {given[-1]}"
            return f"{listed} exclude each other; give one of them"
        if self.delay is not None and self.hedge is None:
            return "--delay is that of a hedge; give --hedge too, or leave it out"
        if self.strategy is None:
            return None
        if self.race is not None:
            return unknown_word("--strategy", "way to decide a race", self.strategy, RACES)
        if self.consensus is not None:
            return unknown_word("--strategy", "way to count votes", self.strategy, VOTES)
        return "--strategy is that of a race or a consensus; give --race or --consensus too"

    def applied(self, config: Config) -> Config:
        """Give the configuration in which the default is who was named.

        A name of the configuration (`via`) changes nothing: it is asked by that name.

        Raises:
            ConfigError: A member is unknown, or named twice, or there is none.
        """
        for option in ("race", "hedge", "consensus", "fallback"):
            names = getattr(self, option)
            if names is not None:
                return _with_default(config, self._balancer(option, names), f"--{option}")
        return config

    def _balancer(self, option: str, names: str) -> Balancer:
        members = tuple(member.strip() for member in names.split(",") if member.strip())
        if option == "race":
            return Race(members, strategy=self.strategy or RACES[0])
        if option == "hedge":
            delay = HEDGE_DELAY if self.delay is None else self.delay
            # The caps are shares of many calls; this is one, and was asked for.
            return Hedge(members, delay=delay, max_extra_calls=1.0, max_extra_cost=1.0)
        if option == "consensus":
            return Consensus(members, strategy=self.strategy or VOTES[0])
        return Fallback(members)


def _with_default(config: Config, balancer: Balancer, option: str) -> Config:
    plan = check(config)
    problem = _member_problem(balancer.members or (), plan.order)
    if problem is not None:
        raise ConfigError([f"{option}: {problem}"], "call")
    balancers = dict(config.balancers)
    if plan.default in plan.balancers and plan.default not in balancers:
        # It has been there as the default alone, and may be a member now.
        balancers[plan.default] = plan.balancers[plan.default].settings
    name = balancer.kind
    while name in plan.order:
        name += "-"
    default = attrs.evolve(balancer, name=name)
    return attrs.evolve(config, balancers=balancers, default=default)


def _member_problem(members: Collection[object], known: Collection[str]) -> str | None:
    seen: list[str] = []
    for member in map(str, members):
        if member not in known:
            return f"no provider named {quoted(member)}; {suggestion(member, known)}"
        if member in seen:
            return f"{quoted(member)} is named twice; name it once"
        seen.append(member)
    return None if seen else "it names nobody; give names with commas between them"
