"""The tree of who is asked, with what each does."""

from collections.abc import Iterator

from rich.text import Text
from rich.tree import Tree

from trio_llm.cli.safeguards import safeguards
from trio_llm.cli.strategies import in_words
from trio_llm.config import Plan

_ADVISERS = {
    "judge": "judges the answers",
    "embedder": "gives the vectors",
    "on_context_length": "takes what is too long",
    "on_content_filter": "takes what was refused",
}
"""What those do who are asked besides the members, by setting."""


def call_tree(plan: Plan, name: str, *, remark: str = "") -> Tree:
    """Give the tree of who is asked, from one name down.

    Args:
        plan: What the configuration came to.
        name: Who stands at the root.
        remark: Why it is asked.
    """
    return _grown(plan, name, remark, told=set())


def _grown(plan: Plan, name: str, remark: str, told: set[str]) -> Tree:
    tree = Tree(_label(plan, name, remark, told))
    balancer = plan.balancers.get(name)
    if balancer is not None:
        for member in balancer.members:
            tree.add(_grown(plan, member, "", told))
        for setting, names in balancer.advisers.items():
            for each in names:
                tree.add(_grown(plan, each, _ADVISERS[setting], told))
    return tree


def apart(plan: Plan) -> list[str]:
    """Give the names that the default never asks, outermost only, in declared order."""
    reached = set(_below(plan, plan.default))
    names = [name for name in (*plan.balancers, *plan.providers) if name not in reached]
    inner = {inside for name in names for inside in _below(plan, name) if inside != name}
    return [name for name in names if name not in inner]


def _below(plan: Plan, name: str) -> Iterator[str]:
    yield name
    balancer = plan.balancers.get(name)
    if balancer is None:
        return
    for each in (*balancer.members, *(a for names in balancer.advisers.values() for a in names)):
        yield from _below(plan, each)


def _label(plan: Plan, name: str, remark: str, told: set[str]) -> Text:
    """Say who it is; what more there is to say of a provider stands where it first comes up."""
    label = Text(name, "bold" if name in plan.balancers else "")
    if name in plan.providers:
        provider = plan.providers[name]
        said = " ".join(filter(None, (provider.kind.name, provider.model)))
        label.append(f" ({said})", "dim")
        if not provider.settings.enabled:
            label.append(" (disabled)", "dim")
        facts = [] if name in told else [*safeguards(provider.settings)]
        told.add(name)
        if remark:
            label.append(f", {remark}", "magenta")
    else:
        headline, *facts = in_words(plan.balancers[name])
        said = ", ".join(filter(None, (plan.balancers[name].settings.kind, remark)))
        label.append(f" ({said})", "cyan").append(f" {headline}")
    return label.append(f"\n{' · '.join(facts)}", "dim") if facts else label
