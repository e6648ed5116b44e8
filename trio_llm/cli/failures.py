"""Failures in plain words: what went wrong, as a small tree, and what to do about it."""

from collections.abc import Iterator

from rich.text import Text
from rich.tree import Tree

from trio_llm import errors
from trio_llm.cli.remedies import remedy_for
from trio_llm.cli.terminal import Terminal, printable

_MOST_HINTS = 3
_BUDGET = (
    "`trio-llm budget` shows how the budgets stand; wait for the next period, or raise the "
    "limit under `budgets`"
)


def _leaves(error: BaseException) -> Iterator[errors.ProviderError]:
    if isinstance(error, errors.AllProvidersFailed):
        yield from error.errors
    elif isinstance(error, errors.ProviderError):
        yield error


def _over_budget(error: BaseException) -> bool:
    """Whether a budget kept anybody from being asked."""
    if isinstance(error, errors.AllProvidersFailed):
        return any(map(_over_budget, error.exceptions))
    return isinstance(error, errors.BudgetExceededError)


def is_usage(error: errors.LLMError) -> bool:
    """Whether the caller is at fault: nothing was asked of any provider."""
    if isinstance(error, errors.ConfigError):
        return True
    asked = bool(error.attempts)
    return not asked and isinstance(error, errors.InvalidRequestError | errors.ModelNotFoundError)


def _line(error: errors.LLMError, parent: str | None) -> Text:
    """Say one error; its class last, and its provider only where the tree does not say it."""
    if not isinstance(error, errors.ProviderError):
        return Text(printable(str(error)))
    said = printable(str(error))
    line = Text()
    if error.provider and error.provider != parent:
        line.append(error.provider, "bold")
        said = said.removeprefix(f"{error.provider}: ")
        line.append(": ")
    line.append(said)
    line.append(f" [{type(error).__name__}]", "dim")
    return line


def _grow(tree: Tree, error: errors.AllProvidersFailed) -> None:
    for cause in error.exceptions:
        if isinstance(cause, errors.AllProvidersFailed):
            label = Text.assemble(
                (cause.balancer or "balancer", "bold"), ": all its members failed"
            )
            _grow(tree.add(label), cause)
        elif isinstance(cause, errors.LLMError):  # pyright: ignore[reportUnnecessaryIsInstance]
            tree.add(_line(cause, None))


def failure_tree(error: errors.LLMError) -> Tree | None:
    """Give the causes of an error as a tree, or ``None`` when it has only itself."""
    tree = Tree(Text.assemble(("error: ", "bold red"), printable(_headline(error))))
    if isinstance(error, errors.ConfigError):
        for fault in error.faults if len(error.faults) > 1 else ():
            tree.add(Text(printable(fault)))
    elif isinstance(error, errors.AllProvidersFailed):
        _grow(tree, error)
    elif isinstance(error.__cause__, errors.AllProvidersFailed):
        _grow(tree.add(Text("before that")), error.__cause__)
    return tree if tree.children else None


def _headline(error: errors.LLMError) -> str:
    if isinstance(error, errors.ConfigError):
        if len(error.faults) > 1:
            return f"{error.source}: {len(error.faults)} faults"
        # A name on the command line has no place in a file to point to.
        where = "" if error.source == "call" else f"{error.source}: "
        return where + "".join(error.faults)
    if isinstance(error, errors.AllProvidersFailed):
        return error.message
    if isinstance(error, errors.ProviderError):
        return f"{error} [{type(error).__name__}]"
    return str(error)


def explain(error: errors.LLMError, terminal: Terminal) -> None:
    """Write what went wrong and the remedies to standard error."""
    tree = failure_tree(error)
    if tree is None:
        terminal.fail(_headline(error))
    else:
        terminal.remark(tree)
    remedies = [_BUDGET] if _over_budget(error) else []
    for leaf in _leaves(error):
        remedy = remedy_for(leaf)
        if remedy is not None and remedy not in remedies:
            remedies.append(remedy)
    for remedy in remedies[:_MOST_HINTS]:
        terminal.hint(remedy)
