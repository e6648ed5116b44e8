"""The table of dialects: its names cost nothing, and each leads to its dialect."""

import subprocess
import sys

import pytest

from trio_llm.wire import DIALECTS

ROOMS = "import sys, trio_llm; print([m for m in sys.modules if m.startswith('trio_llm.wire.')])"


@pytest.mark.parametrize("name", DIALECTS)
def test_each_name_leads_to_the_dialect_that_bears_it(name: str) -> None:
    """A wrong line in the table would be seen here."""
    assert DIALECTS[name].name == name
    assert DIALECTS[name] is DIALECTS[name]


def test_a_name_that_there_is_not_is_a_key_error() -> None:
    """It is a mapping like any other."""
    assert "telegraph" not in DIALECTS
    assert DIALECTS.get("telegraph") is None
    with pytest.raises(KeyError):
        DIALECTS["telegraph"]
    assert len(DIALECTS) == len(list(DIALECTS))


def test_importing_the_library_loads_no_dialect() -> None:
    """A program waits only for those that it speaks."""
    rooms = subprocess.check_output([sys.executable, "-c", ROOMS], text=True)  # noqa: S603 - ours
    assert "trio_llm.wire.registry" in rooms
    assert not [name for name in DIALECTS if f"trio_llm.wire.{name}'" in rooms]
