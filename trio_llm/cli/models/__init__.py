"""``trio-llm models``: which models there are, and the models of a local server."""

import typer

from trio_llm.cli.models import listing, managing
from trio_llm.cli.options import examples

models_app = typer.Typer(
    name="models",
    no_args_is_help=True,
    help="List models; pull, show and remove those of a local server.",
    epilog=examples("trio-llm models list", "trio-llm models pull llama3.2"),
)
models_app.command("list", epilog=listing.EPILOG)(listing.list_models)
models_app.command("show", epilog=examples("trio-llm models show llama3.2"))(managing.show)
models_app.command("pull", epilog=managing.PULL_EPILOG)(managing.pull)
models_app.command("rm", epilog=examples("trio-llm models rm llama3.2"))(managing.remove)
