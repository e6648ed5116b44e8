"""``trio-llm status``: who is configured, and what each would need; nobody is asked."""

import os
from collections.abc import Mapping
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.notices import say_if_simulated
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.terminal import Terminal
from trio_llm.config import Plan, ResolvedProvider, check, load_config
from trio_llm.config.shapes import shown_variable

EPILOG = examples(
    "trio-llm status",
    "trio-llm status -c trio_llm.toml --json | jq '.providers[].model'",
)


def status(context: typer.Context, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show the providers and balancers of a configuration; nothing is asked."""
    terminal = Terminal()

    async def command() -> ExitCode:
        loaded = load_config(config)
        say_if_simulated(loaded, config, terminal)
        plan = check(loaded)
        if as_json:
            terminal.document(plan_data(plan))
            return ExitCode.OK
        terminal.table(provider_table(plan))
        if plan.balancers:
            terminal.table(balancer_table(plan))
        terminal.table(Text.assemble("default: ", (plan.default, "bold")))
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def key_state(provider: ResolvedProvider, environ: Mapping[str, str]) -> tuple[str | None, bool]:
    """Give the variable that holds a provider's key, and whether it is set."""
    variable = provider.key_variable
    if variable is None:
        return None, False
    return shown_variable(variable), bool(environ.get(variable, "").strip())


def plan_data(plan: Plan) -> dict[str, Any]:
    """Give what a configuration came to, as plain values without any key."""
    return {
        "default": plan.default,
        "simulated": plan.config.simulated,
        "providers": [_provider_data(provider) for provider in plan.providers.values()],
        "balancers": [
            {
                "name": balancer.name,
                "kind": balancer.settings.kind,
                "strategy": getattr(balancer.settings, "strategy", None),
                "members": list(balancer.members),
            }
            for balancer in plan.balancers.values()
        ],
    }


def _provider_data(provider: ResolvedProvider) -> dict[str, Any]:
    variable, present = key_state(provider, os.environ)
    return {
        "name": provider.name,
        "kind": provider.kind.name,
        "enabled": provider.settings.enabled,
        "model": provider.model,
        "url": provider.base_url,
        "key_variable": variable,
        "key_set": present,
        "max_concurrency": provider.settings.max_concurrency,
    }


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


def balancer_table(plan: Plan) -> Table:
    """Give one row for each balancer."""
    table = Table(title="Balancers", title_justify="left")
    for heading in ("name", "kind", "strategy", "members"):
        table.add_column(heading, overflow="fold")
    for balancer in plan.balancers.values():
        table.add_row(
            Text(balancer.name, "bold"),
            balancer.settings.kind,
            getattr(balancer.settings, "strategy", "in order"),
            ", ".join(balancer.members),
        )
    return table
