"""Exit codes, and the one road from a command to the end of the process."""

import enum
import errno
import signal
import traceback
from collections.abc import Awaitable, Callable

import trio
import typer

from trio_llm.cli.failures import explain, is_usage
from trio_llm.cli.terminal import Terminal
from trio_llm.errors import LLMError


class ExitCode(enum.IntEnum):
    """What the process says when it ends."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130


EXIT_CODES = (
    "Exit codes: 0 it worked, 1 a provider or the store failed, "
    "2 the command or the configuration is wrong, 130 interrupted."
)

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What the system says when standard output, or a file, takes no more."""

Command = Callable[[], Awaitable[ExitCode]]


async def _cancel_on_interrupt(
    scope: trio.CancelScope, *, task_status: trio.TaskStatus[None]
) -> None:
    """Turn the first Ctrl-C into a cancellation; a second one is Python's own."""
    with trio.open_signal_receiver(signal.SIGINT) as interrupts:
        task_status.started()
        async for _ in interrupts:
            scope.cancel(reason="interrupted")
            return


async def _interruptible(command: Command, interrupted: ExitCode) -> ExitCode:
    code = interrupted
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(_cancel_on_interrupt, nursery.cancel_scope)
        try:
            code = await command()
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the nursery
            failure = _alone(error)
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return code


def _alone(error: Exception) -> Exception:
    """Take what one task raised out of the group of its nursery."""
    while type(error) is ExceptionGroup and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _code_of(failure: Exception, terminal: Terminal, *, debug: bool) -> ExitCode:
    if debug:
        terminal.say_plainly("".join(traceback.format_exception(failure)).rstrip())
    if isinstance(failure, LLMError):
        explain(failure, terminal)
        return ExitCode.USAGE if is_usage(failure) else ExitCode.FAILED
    if isinstance(failure, OSError) and failure.errno in _UNWRITABLE:
        place = "" if failure.filename is None else f" {failure.filename}"
        terminal.fail(f"cannot write{place}: {failure.strerror}")
        return ExitCode.FAILED
    kind = type(failure).__name__
    remedy = "" if debug else "; `trio-llm --debug ...` shows where"
    terminal.fail(f"unexpected {kind}: {failure}{remedy}")
    return ExitCode.FAILED


def finish(
    command: Command,
    terminal: Terminal,
    *,
    debug: bool = False,
    interrupted: ExitCode = ExitCode.INTERRUPTED,
) -> None:
    """Run a command under Trio, say how it failed if it did, and leave.

    Args:
        command: What to run.
        terminal: Where to say it.
        debug: Whether the traceback of a failure is shown.
        interrupted: With which code Ctrl-C ends it.

    Raises:
        typer.Exit: Always, with the exit code.
    """
    try:
        code = trio.run(_interruptible, command, interrupted)
    except BrokenPipeError:
        # Whoever read our output has enough of it; `main` sees to the rest.
        raise typer.Exit(ExitCode.OK) from None
    except KeyboardInterrupt:
        code = interrupted
    except Exception as failure:  # noqa: BLE001 - said in words; --debug shows the traceback
        code = _code_of(failure, terminal, debug=debug)
    except BaseExceptionGroup as several:
        # A second Ctrl-C reaches whichever task runs, so it may come out of a nursery.
        if several.subgroup(KeyboardInterrupt) is None:
            raise
        code = interrupted
    if code is ExitCode.INTERRUPTED:
        terminal.interrupted()
    raise typer.Exit(code)
