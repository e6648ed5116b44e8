"""``trio-llm status``: who is configured, and how each is asked; nobody is asked."""

import os
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from trio_llm.cli.call_tree import apart, call_tree
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.outline import key_state, plan_data
from trio_llm.cli.safeguards import safeguards, stand_in_words
from trio_llm.cli.strategies import in_words
from trio_llm.cli.terminal import Terminal
from trio_llm.config import Plan, ResolvedProvider, check, load_config

EPILOG = examples(
    "trio-llm status",
    "trio-llm status --tree",
    "trio-llm status -c trio_llm.toml --json | jq '.balancers[].in_words'",
)


def status(
    context: typer.Context,
    config: ConfigPath = None,
    tree: Annotated[
        bool,
        typer.Option("--tree", help="Draw who asks whom: the default at the root, members below."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the providers and balancers of a configuration, their strategies and safeguards.

    Nothing is asked.
    """
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        plan = check(loaded)
        if as_json:
            terminal.document(plan_data(plan))
            return ExitCode.OK
        if tree:
            terminal.table(call_tree(plan, plan.default))
            for name in apart(plan):
                terminal.table(call_tree(plan, name, remark="asked by its name alone"))
        else:
            _show_tables(plan, terminal)
        stand_in = stand_in_words(plan.config.degradation)
        if stand_in is not None:
            terminal.table(Text(f"when nobody can answer: {stand_in}"))
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def _show_tables(plan: Plan, terminal: Terminal) -> None:
    terminal.table(provider_table(plan))
    guarded = safeguard_table(plan)
    if guarded.row_count:
        terminal.table(guarded)
    if plan.balancers:
        terminal.table(balancer_table(plan))
    terminal.table(Text.assemble("default: ", (plan.default, "bold")))


def _key_cell(provider: ResolvedProvider) -> Text:
    variable, present = key_state(provider, os.environ)
    if variable is None:
        return Text("none needed", "dim")
    if present:
        return Text.assemble(variable, (" set", "green"))
    style = "red" if provider.kind.key_required else "dim"
    return Text.assemble(variable, (" not set", style))


def provider_table(plan: Plan) -> Table:
    """Give one row for each provider."""
    table = Table(title="Providers", title_justify="left")
    for heading in ("name", "kind", "model", "key", "url", "places"):
        table.add_column(
            heading, overflow="fold", justify="right" if heading == "places" else "left"
        )
    for provider in plan.providers.values():
        enabled = provider.settings.enabled
        name = (
            Text(provider.name, "bold") if enabled else Text(f"{provider.name} (disabled)", "dim")
        )
        table.add_row(
            name,
            provider.kind.name,
            Text(provider.model or "", ""),
            _key_cell(provider),
            Text(provider.base_url or "in this process", "" if provider.base_url else "dim"),
            str(provider.settings.max_concurrency),
        )
    return table


def safeguard_table(plan: Plan) -> Table:
    """Give one row for each provider of which there is more to say than is usual."""
    table = Table(title="Limits and safeguards", title_justify="left")
    table.add_column("name", overflow="fold")
    table.add_column("what is set", overflow="fold")
    for provider in plan.providers.values():
        words = safeguards(provider.settings)
        if words:
            table.add_row(Text(provider.name, "bold"), Text("\n".join(words)))
    return table


def balancer_table(plan: Plan) -> Table:
    """Give one row for each balancer."""
    table = Table(title="Balancers", title_justify="left")
    for heading in ("name", "kind", "strategy", "members"):
        table.add_column(heading, overflow="fold")
    for balancer in plan.balancers.values():
        table.add_row(
            Text(balancer.name, "bold"),
            balancer.settings.kind,
            Text("\n".join(in_words(balancer))),
            Text(", ".join(balancer.members)),
        )
    return table
