"""The public names: sorted, documented, and at one address."""

import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import trio_llm
import trio_llm.telemetry
import trio_llm.testing

FACES = [trio_llm, trio_llm.telemetry, trio_llm.testing]


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_the_exports_are_sorted_and_exist(face: ModuleType) -> None:
    """`__all__` is in order and names only what is there."""
    assert face.__all__ == sorted(face.__all__)
    assert all(hasattr(face, name) for name in face.__all__)


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_nothing_public_is_left_out(face: ModuleType) -> None:
    """What a face imports under its own name, it exports."""
    rooms = {name for name, thing in vars(face).items() if inspect.ismodule(thing)}
    public = {name for name in vars(face) if not name.startswith("_")} - rooms
    assert public <= set(face.__all__)


@pytest.mark.parametrize("face", FACES, ids=lambda face: face.__name__)
def test_everything_exported_is_documented_and_shows_this_address(face: ModuleType) -> None:
    """Classes and functions have a docstring and say that they live in the face."""
    for name in face.__all__:
        thing = getattr(face, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__, name
            assert thing.__module__ == face.__name__, name


def test_every_public_method_is_documented() -> None:
    """No public class has a public method without a docstring."""
    missing = [
        f"{name}.{method}"
        for name in trio_llm.__all__
        if inspect.isclass(cls := getattr(trio_llm, name))
        for method, function in vars(cls).items()
        if inspect.isfunction(function) and not method.startswith("_") and not function.__doc__
    ]
    assert missing == []


def test_importing_the_library_does_not_import_http_or_the_command_line() -> None:
    """Only those who use HTTP or the terminal pay for their libraries."""
    program = (
        "import sys, trio_llm; "
        "print([name for name in ('httpx', 'httpx2', 'typer', 'rich') if name in sys.modules])"
    )
    said = subprocess.run(  # noqa: S603 - this interpreter, this program
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert said.stdout.strip() == "[]"
