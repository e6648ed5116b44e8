"""The one check of a configuration, whether it was built in code or loaded."""

import os
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from trio_llm.config.accounting import Budget
from trio_llm.config.census import Census, Place, occurrences
from trio_llm.config.faults import Faults
from trio_llm.config.members import Membership, named_besides, unknown_name
from trio_llm.config.plan import Plan, ResolvedBalancer, ResolvedProvider
from trio_llm.config.provider import resolve_provider
from trio_llm.config.rules import (
    faults_of,
    is_sequence,
    is_table,
    quoted,
    suggestion,
    under,
)
from trio_llm.config.schema import BALANCERS, Fallback, Provider
from trio_llm.config.several_keys import KeyRing, split_keys
from trio_llm.config.tree import Config


def _value_faults(config: Config, places: list[Place], faults: Faults) -> None:
    faults.extend(faults_of(config, ""))
    if is_table(config.budgets):
        for name, budget in config.budgets.items():
            if isinstance(budget, Budget):  # pyright: ignore[reportUnnecessaryIsInstance]
                faults.extend(faults_of(budget, under("budgets", str(name))))
    for place in places:
        faults.extend(faults_of(place.node, place.path))
        if not isinstance(place.node, Provider):
            continue
        cooldown = place.node.cooldown
        path = under(place.path, "cooldown")
        if not faults.touch(path) and cooldown.maximum < cooldown.initial:
            faults.add(under(path, "maximum"), "less than initial; give as much or more")


def _by_priority(config: Config) -> tuple[str, ...]:
    if not is_table(config.providers):
        return ()
    # A fault in a priority is reported elsewhere; it must not stop the sorting.
    enabled = [
        (provider.priority if type(provider.priority) is int else 0, rank, name)
        for rank, (name, provider) in enumerate(config.providers.items())
        if isinstance(provider, Provider) and provider.enabled is not False  # pyright: ignore[reportUnnecessaryIsInstance]
    ]
    return tuple(name for _, _, name in sorted(enabled))


def _broken(config: Config) -> frozenset[str]:
    return frozenset(
        str(key)
        for table in (config.providers, config.balancers)
        if is_table(table)
        for key, entry in table.items()
        if not isinstance(entry, (Provider, *BALANCERS))
    )


@attrs.define
class _Check:
    """The work on one configuration."""

    config: Config
    environ: Mapping[str, str]
    faults: Faults
    census: Census = attrs.field(init=False)

    def run(self) -> Plan | None:
        """Find every fault; give the plan, which is good only if there are none."""
        config = self.config
        seen = list(occurrences(config.providers, config.balancers, config.default))
        # An object under two keys is two; one that is nested twice is one.
        once: dict[tuple[str | None, int], Place] = {}
        for place in seen:
            once.setdefault((place.key, id(place.node)), place)
        places = list(once.values())
        _value_faults(config, places, self.faults)
        self.census = Census(_broken(config))
        self.census.take(places, self.faults)
        membership = Membership(self.census, _by_priority(config), self.faults)
        default = self._default(membership)
        named = self.census.places
        providers: dict[str, ResolvedProvider] = {}
        rings: dict[str, KeyRing] = {}
        for name, place in named.items():
            if isinstance(place.node, Provider):
                if place.key is not None and place.path.startswith("balancers."):
                    continue
                resolved = resolve_provider(name, place.path, place.node, self.environ, self.faults)
                if resolved is None:
                    continue
                if self._has_several_keys(resolved, place.path):
                    rings[name] = split_keys(
                        resolved, place.path, self.environ, self.census, self.faults
                    )
                    providers |= rings[name].members
                else:
                    providers[name] = resolved
            else:
                membership.add(name, place)
        self._look_at_default(default, membership)
        self._look_at_budgets(providers, rings)
        order = membership.order()
        balancers: dict[str, ResolvedBalancer] = {
            name: ring.balancer for name, ring in rings.items()
        }
        heights = {name: balancer.height for name, balancer in balancers.items()}
        if self.faults.lines:
            return None
        for name in order:
            settings = named[name].node
            if not isinstance(settings, Provider):
                balancers[name] = membership.resolve(name, settings, heights)
                heights[name] = balancers[name].height
        if default is None:
            return None
        whole_order = tuple(
            each
            for name in order
            for each in (*(rings[name].members if name in rings else ()), name)
        )
        return Plan(
            MappingProxyType(providers), MappingProxyType(balancers), whole_order, default, config
        )

    def _look_at_budgets(
        self, providers: Mapping[str, ResolvedProvider], rings: Mapping[str, KeyRing]
    ) -> None:
        """Find names of providers that there are not, which would limit nobody."""
        if not is_table(self.config.budgets):
            return
        for budget_name, budget in self.config.budgets.items():
            if not isinstance(budget, Budget) or budget.per != "provider":  # pyright: ignore[reportUnnecessaryIsInstance]
                continue
            for index, name in enumerate(budget.only if is_sequence(budget.only) else ()):
                place = under(under(under("budgets", str(budget_name)), "only"), index)
                if name in rings:
                    keys = ", ".join(rings[name].members)
                    problem = f"{quoted(name)} has several keys, each with an account: {keys}"
                    self.faults.add(place, f"{problem}; name these")
                elif isinstance(name, str) and name not in providers:  # pyright: ignore[reportUnnecessaryIsInstance]
                    hint = suggestion(name, tuple(providers))
                    self.faults.add(place, f"no provider named {quoted(name)}; {hint}")

    def _has_several_keys(self, resolved: ResolvedProvider, path: str) -> bool:
        sound = not self.faults.touch(under(path, "api_key_envs"))
        enabled = resolved.settings.enabled is not False
        return bool(
            enabled and sound and not resolved.kind.in_process and resolved.settings.api_key_envs
        )

    def _default(self, membership: Membership) -> str | None:
        """Give the name of the default; make one where there is none."""
        given = self.config.default
        named = self.census.places
        if given is not None:
            return self.census.name_of(given) if self.census.has(given) else None
        if "default" in named:
            return "default"
        balancers = [name for name, place in named.items() if not isinstance(place.node, Provider)]
        inner = {
            self.census.name_of(member)
            for name in balancers
            for member in getattr(named[name].node, "members", None) or ()
            if self.census.has(member)
        }.union(*(named_besides(named[name].node) for name in balancers))
        outer = [name for name in balancers if name not in inner]
        if len(outer) == 1:
            return outer[0]
        enabled = membership.everyone
        if len(enabled) == 1 and not balancers:
            return enabled[0]
        if enabled:
            named["default"] = Place("default", Fallback(enabled))
            return "default"
        return None

    def _look_at_default(self, default: str | None, membership: Membership) -> None:
        given = self.config.default
        if "default" in self.faults.places:
            return
        if isinstance(given, str) and not (self.census.has(given) or self.census.is_broken(given)):
            self.faults.add("default", unknown_name(given, self.census))
        elif default is not None and not membership.is_enabled(default):
            self.faults.add("default", "the provider is not enabled; enable it, or name another")
        elif default is None and not self.faults.lines:
            self.faults.add("providers", "none is enabled; configure or enable one")


def examine(config: Config, environ: Mapping[str, str], faults: Faults) -> Plan | None:
    """Check a configuration; everything that is wrong goes to `faults`."""
    return _Check(config, environ, faults).run()


def check(
    config: Config,
    environ: Mapping[str, str] | None = None,
    *,
    source: str = "configuration",
) -> Plan:
    """Check a configuration and give what the runtime builds from it.

    Args:
        config: Built in code, or loaded.
        environ: The environment variables; ``None`` means those of the process.
        source: Where it came from, for the error.

    Raises:
        ConfigError: It cannot be used; the error lists every fault with its path.
    """
    faults = Faults()
    plan = examine(config, os.environ if environ is None else environ, faults)
    faults.raise_if_any(source)
    assert plan is not None  # noqa: S101 - without a plan there is a fault
    return plan
