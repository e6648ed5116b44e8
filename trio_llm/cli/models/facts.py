"""What is known of models, as plain values and as tables."""

from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table

from trio_llm.chat import ModelInfo
from trio_llm.cli.amounts import price_data
from trio_llm.cli.terminal import printable


def _capabilities(model: ModelInfo) -> list[str]:
    return [] if model.capabilities is None else sorted(c.value for c in model.capabilities)


def model_data(model: ModelInfo) -> dict[str, Any]:
    """Give a model as plain values: prices as decimal strings, US dollars per million tokens."""
    return {
        "id": model.id,
        "provider": model.provider,
        "name": model.name,
        "capabilities": None if model.capabilities is None else _capabilities(model),
        "context_window": model.context_window,
        "max_output_tokens": model.max_output_tokens,
        "price": price_data(model.price),
        "size": model.size,
    }


def _price(model: ModelInfo) -> tuple[str, str]:
    if model.price is None:
        return "", ""
    return f"${model.price.input:.2f}", f"${model.price.output:.2f}"


_FACTS: Final = ("context", "input", "output", "capabilities")
"""What is told of a model where it is known."""


def model_table(models: Sequence[ModelInfo]) -> Table:
    """Give one row for each model."""
    rows = [
        (
            model.provider,
            printable(model.id),
            "" if model.context_window is None else f"{model.context_window:,}",
            *_price(model),
            ", ".join(_capabilities(model)),
        )
        for model in models
    ]
    table = Table()
    table.add_column("provider", style="bold", overflow="fold")
    table.add_column("model", overflow="fold")
    # What nothing is known of takes no place from what is.
    known = [column for column in range(2, len(_FACTS) + 2) if any(row[column] for row in rows)]
    for column in known:
        heading = _FACTS[column - 2]
        table.add_column(
            heading, justify="left" if heading == _FACTS[-1] else "right", overflow="fold"
        )
    if any(model.price is not None for model in models):
        table.caption = "prices in US dollars per million tokens; blank where nothing says"
    for row in rows:
        table.add_row(row[0], row[1], *(row[column] for column in known))
    return table


def facts_table(model: ModelInfo) -> Table:
    """Give one row for each fact that is known of one model."""
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    facts: dict[str, object] = {
        "model": model.id,
        "provider": model.provider,
        "context": model.context_window,
        "max output": model.max_output_tokens,
        "capabilities": ", ".join(_capabilities(model)) or None,
        "size": None if model.size is None else f"{model.size / 1e9:.2f} GB",
        **model.details,
    }
    for name, value in facts.items():
        if value is not None and not isinstance(value, dict | list):
            table.add_row(printable(name), printable(str(value)))
    return table
