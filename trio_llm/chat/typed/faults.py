"""What does not fit, and where."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

import attrs
import cattrs

from trio_llm.chat.typed.records import fields_of

Path: TypeAlias = tuple[str | int, ...]

_KINDS: Final[Mapping[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


class UnfitValueError(ValueError):
    """A value does not fit its type.

    Attributes:
        faults: One sentence per fault, each starting with its path; at most 20.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.faults,)


class Unfit(Exception):  # noqa: N818 - it carries faults until their place is known
    """Faults found so far, each with its path below the value at hand."""

    def __init__(self, *found: tuple[Path, str]) -> None:
        super().__init__()
        self.found = found


def mismatch(wanted: str, value: object) -> Unfit:
    """Make the fault of a value that is of another kind."""
    return Unfit(((), f"expected {wanted}, not {_KINDS.get(type(value), 'something else')}"))


def written(path: Path) -> str:
    """Write a path as in ``.items[2].price``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def faults_of(error: BaseException) -> Iterator[tuple[Path, str]]:
    """Take apart what cattrs and the rules of this package raise.

    Raises:
        RecursionError: That is what was raised, somewhere inside.
    """
    if isinstance(error, RecursionError):
        raise error
    if isinstance(error, Unfit):
        yield from error.found
    elif isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = ", ".join(field.name for field in fields_of(error.cl))
        for key in sorted(error.extra_fields, key=str):
            yield (str(key),), f"no such field; there are: {known}"
    elif isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        for inner in group.exceptions:
            step = _step(inner, getattr(group, "cl", None))
            if isinstance(inner, KeyError) and step:
                yield step, "is missing"
                continue
            for path, text in faults_of(inner):
                yield step + path, text
    else:
        # What a class itself says of its values: its validators and converters.
        yield (), str(error.args[0]) if error.args else type(error).__name__


def _step(error: BaseException, cls: Any) -> Path:
    for note in getattr(error, "__notes__", ()):
        if isinstance(note, cattrs.AttributeValidationNote):
            field = attrs.fields_dict(cls).get(note.name) if attrs.has(cls) else None
            return (note.name if field is None else field.alias or note.name,)
    return ()
