"""Failures in plain words: what went wrong, as a small tree, and what to do about it."""

from collections.abc import Iterator

from rich.text import Text
from rich.tree import Tree

from trio_llm import errors
from trio_llm.cli.terminal import Terminal, printable

_REMEDIES: dict[type[errors.ProviderError], str] = {
    errors.AuthenticationError: (
        "check the key; `trio-llm status` shows which variable a provider reads"
    ),
    errors.PermissionDeniedError: "the key may not do this; look at its rights at the provider",
    errors.RateLimitError: "wait, or add a provider to fall back on",
    errors.QuotaExceededError: "the allowance is used up; top it up, or ask another with --via",
    errors.ModelNotFoundError: "name another model with --model",
    errors.ContextLengthError: "shorten the prompt, or name a model that reads more with --model",
    errors.ContentFilterError: "put the prompt in other words",
    errors.InvalidRequestError: "change the option that the message names",
    errors.OverloadedError: "try again in a while, or race several providers with --race",
    errors.ServerError: "try again in a while, or race several providers with --race",
    errors.ProviderTimeoutError: "raise the limit under `timeouts`, or race it with --race",
    errors.ConnectionFailedError: "is the server up? `trio-llm status` shows its address",
    errors.MalformedResponseError: "is base_url the address of an API of that kind?",
    errors.StreamInterruptedError: "ask again; only a part of the answer arrived",
    errors.ProviderCrashedError: "its code raised; `trio-llm --debug ...` shows where",
    errors.ProviderUnavailableError: "it takes no calls now; wait, or ask another with --via",
}

_MOST_HINTS = 3


def _leaves(error: BaseException) -> Iterator[errors.ProviderError]:
    if isinstance(error, errors.AllProvidersFailed):
        yield from error.errors
    elif isinstance(error, errors.ProviderError):
        yield error


def remedy_for(error: errors.ProviderError) -> str | None:
    """Give the remedy for an error's class, or for the nearest of its bases."""
    if isinstance(error, errors.ProviderUnavailableError) and error.code == "unsuitable":
        return "it never does that; ask a provider that does, with --via"
    for cls in type(error).__mro__:
        if cls in _REMEDIES:
            return _REMEDIES[cls]
    return None


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
    remedies: list[str] = []
    for leaf in _leaves(error):
        remedy = remedy_for(leaf)
        if remedy is not None and remedy not in remedies:
            remedies.append(remedy)
    for remedy in remedies[:_MOST_HINTS]:
        terminal.hint(remedy)
