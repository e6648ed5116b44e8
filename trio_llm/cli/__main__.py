"""The console script: finds out whether the extra is there, then runs the application."""

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence

_EXTRA = ("typer", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``trio-llm``; give its exit code.

    Args:
        arguments: The words after the command; ``None`` means those of the process.
    """
    try:
        for package in _EXTRA:
            importlib.import_module(package)
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"trio-llm: the command line needs {error.name}; "
            'install it with: pip install "trio-llm[cli]"\n'
        )
        return 2
    except KeyboardInterrupt:
        return 130
    return _run(arguments)


def _open_what_is_closed() -> None:
    """Put the null device where the process was started without a standard stream.

    Python has ``None`` there; and the number of the stream would go to the next file
    or socket that is opened.
    """
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - open to the end
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def _run(arguments: Sequence[str] | None) -> int:
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        # An answer may hold letters that a terminal's encoding lacks.
        with contextlib.suppress(AttributeError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    code = 0
    try:
        from trio_llm.cli.app import app  # noqa: PLC0415 - only here the extra is known to exist

        app(args=None if arguments is None else list(arguments), prog_name="trio-llm")
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except KeyboardInterrupt:
        code = 130
    return _flushed(code)


def _flushed(code: int) -> int:
    """Write what is buffered while a failure can still be met in words or in silence."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # The interpreter flushes once more at its end; that must find an open file.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0
        if code == 0:
            sys.stderr.write(f"error: cannot write: {error.strerror}\n")
        return code or 1
    return code


if __name__ == "__main__":
    sys.exit(main())
