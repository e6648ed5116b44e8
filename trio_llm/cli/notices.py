"""What must be said before anything else."""

from pathlib import Path

from trio_llm.cli.terminal import Terminal
from trio_llm.config import Config


def say_if_simulated(config: Config, path: Path | None, terminal: Terminal) -> None:
    """Say that no model is asked, where that is so; meant for the first line of output.

    Args:
        config: The configuration.
        path: Its file; ``None`` when the environment decided.
        terminal: Where to.
    """
    if not config.simulated:
        return
    if path is not None:
        terminal.note(f"every provider in {path} is simulated; no model is asked")
        return
    terminal.note(
        "simulated providers answer: no key is set and no configuration given. "
        "Set OPENAI_API_KEY or the like, or run `trio-llm config init`."
    )
