"""What the README says of the code is so."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import trio_llm
from trio_llm import errors
from trio_llm.policy.blame import blame_for
from trio_llm.providers.catalogue import KINDS
from trio_llm.wire import DIALECTS

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def _rows(heading: str) -> list[list[str]]:
    """Give the cells of the first table under a heading."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_is_python(block: str) -> None:
    """Every block of Python can be compiled."""
    compile(block, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("block", _blocks("toml"))
def test_toml_is_toml(block: str) -> None:
    """Every block of TOML can be read."""
    assert tomllib.loads(block)


def test_names_exist() -> None:
    """What is called on the runtime is there, and what is imported is exported."""
    code = "\n".join(_blocks("python"))
    called = set(re.findall(r"\bllm\.(\w+)\(", code))
    assert called > {"generate", "stream", "embed", "batch"}
    assert {name for name in called if not hasattr(trio_llm.Runtime, name)} == set()
    for line in re.findall(r"^from trio_llm import (.+)$", code, flags=re.MULTILINE):
        for name in line.split(", "):
            assert name in trio_llm.__all__


def test_every_kind_is_in_the_table() -> None:
    """The table of providers has each kind once, with a variable of its key."""
    told: dict[str, str] = {}
    for kinds, _, key, _ in _rows("Providers"):
        for name in re.findall(r"`(\w+)`", kinds):
            assert name not in told
            told[name] = key
    assert set(told) == set(KINDS)
    for name, key in told.items():
        variables = KINDS[name].key_variables
        assert not variables or variables[0] in key


def test_dialects_that_are_named_exist() -> None:
    """A dialect that the text sets is registered."""
    named = set(re.findall(r'`dialect = "(\w+)"`', README))
    assert named
    assert named <= set(DIALECTS)


def test_the_table_of_errors_is_the_table() -> None:
    """Each row says what the table of blame says, and no class is missing."""
    told: set[str] = set()
    for names, *marks in _rows("Errors"):
        for name in re.findall(r"`(\w+)`", names):
            told.add(name)
            blame = blame_for(getattr(errors, name)(""))
            facts = (blame.charges, blame.cools, blame.falls_through, blame.retries)
            assert tuple(mark == "✓" for mark in marks) == facts, name
    classes = {
        name
        for name, cls in vars(errors).items()
        if isinstance(cls, type) and issubclass(cls, errors.ProviderError)
    }
    # The root, and the one that is retried on a new connection, are of the table's own.
    assert classes - told == {"ProviderError", "StaleConnectionError"}
