"""A provider's own rows, by class of error: what follows from it, and how it is retried."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from trio_llm.config.faults import Faults
from trio_llm.config.rules import expected, is_table, quoted, suggestion, under
from trio_llm.errors import ProviderError
from trio_llm.policy import Blame
from trio_llm.policy.blame import CONFIGURABLE, row_of
from trio_llm.policy.retry import RetryRule


def _rows(
    table: Mapping[str, Any], path: str, columns: tuple[str, ...], code: str, faults: Faults
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give the rows of known classes with their known columns: name, place, row."""
    for name, changes in table.items():
        place = under(path, str(name))
        if name not in CONFIGURABLE:
            hint = suggestion(str(name), tuple(CONFIGURABLE))
            faults.add(place, f"no error class {quoted(str(name))}; {hint}")
        elif not is_table(changes):
            faults.add(place, expected(f"a table (in code, {code})", changes))
        else:
            for column in changes:
                if column not in columns:
                    hint = suggestion(str(column), columns)
                    faults.add(under(place, str(column)), f"unknown key; {hint}")
            yield name, place, {c: changes[c] for c in columns if c in changes}


def resolve_blames(
    errors: Mapping[str, Any], path: str, faults: Faults
) -> dict[type[ProviderError], Blame]:
    """Give the rows by class, filled up from the general table; faults go to `faults`."""
    columns = tuple(column.name for column in attrs.fields(Blame))
    rows: dict[type[ProviderError], Blame] = {}
    for name, place, changes in _rows(errors, path, columns, "Blame", faults):
        sound: dict[str, bool] = {}
        for column, value in changes.items():
            if isinstance(value, bool):
                sound[column] = value
            else:
                faults.add(under(place, column), expected("true or false", value))
        rows[CONFIGURABLE[name]] = attrs.evolve(row_of(name), **sound)
    return rows


def resolve_retries(
    errors: Mapping[str, Any], usual: RetryRule, path: str, faults: Faults
) -> dict[type[ProviderError], RetryRule]:
    """Give the rules by class, filled up from the usual one; faults go to `faults`."""
    columns = tuple(column.name for column in attrs.fields(RetryRule))
    rows: dict[type[ProviderError], RetryRule] = {}
    for name, place, changes in _rows(errors, path, columns, "a dict", faults):
        sound: dict[str, Any] = {}
        for column, value in changes.items():
            whole = column == "attempts"
            types = int if whole else int | float
            if isinstance(value, bool) or not isinstance(value, types):
                wanted = "an integer" if whole else "a number"
                faults.add(under(place, column), expected(wanted, value))
            elif not 0 <= value < float("inf"):
                faults.add(under(place, column), f"{value} is out of range; give 0 or more")
            else:
                sound[column] = value
        rows[CONFIGURABLE[name]] = attrs.evolve(usual, **sound)
    return rows
