"""A provider's own rows of the table of errors."""

from collections.abc import Mapping
from typing import Any

import attrs

from trio_llm.config.faults import Faults
from trio_llm.config.rules import expected, is_table, quoted, suggestion, under
from trio_llm.errors import ProviderError
from trio_llm.policy import Blame
from trio_llm.policy.blame import CONFIGURABLE, row_of


def resolve_blames(
    errors: Mapping[str, Any], path: str, faults: Faults
) -> dict[type[ProviderError], Blame]:
    """Give the rows by class, filled up from the general table; faults go to `faults`."""
    columns = [column.name for column in attrs.fields(Blame)]
    rows: dict[type[ProviderError], Blame] = {}
    for name, changes in errors.items():
        place = under(path, str(name))
        if name not in CONFIGURABLE:
            hint = suggestion(str(name), tuple(CONFIGURABLE))
            faults.add(place, f"no error class {quoted(str(name))}; {hint}")
        elif not is_table(changes):
            faults.add(place, expected("a table (in code, Blame)", changes))
        else:
            sound: dict[str, bool] = {}
            for column, value in changes.items():
                if column not in columns:
                    hint = suggestion(str(column), columns)
                    faults.add(under(place, str(column)), f"unknown key; {hint}")
                elif not isinstance(value, bool):
                    faults.add(under(place, column), expected("true or false", value))
                else:
                    sound[column] = value
            rows[CONFIGURABLE[name]] = attrs.evolve(row_of(name), **sound)
    return rows
