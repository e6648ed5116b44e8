"""``trio-llm config``: write a first configuration, show what one came to, check it."""

from pathlib import Path
from typing import Annotated, Any

import attrs
import typer
from rich.table import Table
from rich.text import Text

from trio_llm.cli.amounts import price_data
from trio_llm.cli.call_tree import call_tree
from trio_llm.cli.exits import ExitCode, finish
from trio_llm.cli.options import AsJson, ConfigPath, debug_of, examples
from trio_llm.cli.outline import key_state, plan_data, safeguard_data
from trio_llm.cli.terminal import Terminal
from trio_llm.config import Plan, ResolvedProvider, load_config, starter_toml
from trio_llm.config import check as plan_of
from trio_llm.config.rules import is_sequence, is_table

DEFAULT_PATH = Path("trio_llm.toml")

config_app = typer.Typer(
    name="config",
    no_args_is_help=True,
    help="Write a first configuration, show what one came to, or check it.",
    epilog=examples("trio-llm config init", "trio-llm config show -c trio_llm.toml"),
)


@config_app.command(
    epilog=examples("trio-llm config init", "trio-llm config init llm.toml --force")
)
def init(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="The file to write.")] = DEFAULT_PATH,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented configuration that runs without a key."""
    terminal = Terminal()

    async def command() -> ExitCode:
        try:
            # "x" leaves no moment between the look and the writing.
            with path.open("w" if force else "x", encoding="utf-8") as file:
                file.write(starter_toml())
        except FileExistsError:
            terminal.fail(f"{path} is there already; --force replaces it")
            return ExitCode.USAGE
        except OSError as error:
            terminal.fail(f"{path} cannot be written: {error.strerror}")
            return ExitCode.USAGE
        terminal.table(Text(f"wrote {path}"))
        terminal.hint(f'try it: trio-llm ask -c {path} "What is an actor?"')
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


@config_app.command(epilog=examples("trio-llm config show", "trio-llm config show --json"))
def show(context: typer.Context, config: ConfigPath = None, as_json: AsJson = False) -> None:
    """Show what a configuration came to: the tree of who is asked, and every setting."""
    terminal = Terminal()

    async def command() -> ExitCode:
        plan = plan_of(load_config(config))
        if as_json:
            terminal.document(plan_data(plan) | {"settings": settings_data(plan)})
            return ExitCode.OK
        source = "the environment" if config is None else str(config)
        terminal.table(Text.assemble("from ", (source, "bold")))
        terminal.table(call_tree(plan, plan.default))
        for table in settings_tables(plan):
            terminal.table(table)
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


@config_app.command("check", epilog=examples("trio-llm config check -c trio_llm.toml"))
def check_file(context: typer.Context, config: ConfigPath = None) -> None:
    """Check a configuration and list everything that is wrong with it; nothing is asked."""
    terminal = Terminal()

    async def command() -> ExitCode:
        plan = plan_of(load_config(config))
        source = "the environment" if config is None else str(config)
        providers, balancers = len(plan.providers), len(plan.balancers)
        terminal.table(
            Text.assemble(
                ("ok", "green"),
                f": {source}: {_count(providers, 'provider')}, {_count(balancers, 'balancer')}, "
                f"default {plan.default}",
            )
        )
        return ExitCode.OK

    finish(command, terminal, debug=debug_of(context))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def settings_data(plan: Plan) -> dict[str, dict[str, Any]]:
    """Give every provider's settings as plain values; keys and the like are not in it."""
    return {name: _settings_of(provider) for name, provider in plan.providers.items()}


def _settings_of(provider: ResolvedProvider) -> dict[str, Any]:
    settings = provider.settings
    variable, _ = key_state(provider, {})
    shown: dict[str, Any] = {
        "kind": provider.kind.name,
        "model": provider.model,
        "models": sorted(provider.models),
        "base_url": provider.base_url,
        "dialect": provider.dialect,
        "api_version": provider.quirks.version,
        "structured_output": None if provider.kind.in_process else provider.quirks.output,
        "api_key_env": variable,
        "enabled": settings.enabled,
        "priority": settings.priority,
        "max_concurrency": settings.max_concurrency,
        "mailbox": settings.mailbox,
        "timeouts": attrs.asdict(settings.timeouts),
        "retry": attrs.asdict(settings.retry),
        **safeguard_data(provider),
        "price": price_data(provider.price),
        "continues": provider.continues,
        "errors": {cls.__name__: attrs.asdict(blame) for cls, blame in provider.blames.items()},
        "capabilities": sorted(capability.value for capability in provider.capabilities),
        # The values of headers and options, and a proxy's address, may hold a secret.
        "headers": sorted(settings.headers),
        "options": sorted(settings.options),
        "proxy": settings.proxy is not None,
        "verify": settings.verify,
    }
    if provider.kind.name == "simulated":
        shown["simulation"] = attrs.asdict(provider.simulation)
    return shown


def settings_tables(plan: Plan) -> list[Table]:
    """Give a table of settings for each provider; what is empty is left out."""
    tables: list[Table] = []
    for name, settings in settings_data(plan).items():
        table = Table(title=name, title_justify="left", show_header=False, box=None, padding=(0, 2))
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(overflow="fold")
        for key, value in settings.items():
            if value not in (None, [], {}, False) or key == "enabled":
                table.add_row(key, Text(_shown(value)))
        tables.append(table)
    return tables


def _shown(value: Any) -> str:
    if is_table(value):
        return ", ".join(
            f"{key} {_shown(entry)}" for key, entry in value.items() if entry not in (None, {})
        )
    if is_sequence(value):
        return ", ".join(_shown(entry) for entry in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
