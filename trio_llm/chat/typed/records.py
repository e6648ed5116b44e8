"""Classes with named fields: attrs classes, dataclasses and typed dictionaries."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, NotRequired, Required, get_args, get_origin, get_type_hints

import attrs

from trio_llm.chat.typed.docstrings import Docstring, read_docstring


@attrs.frozen
class Field:
    """One field of a record, or one argument of a function.

    Attributes:
        name: Its name in JSON.
        hint: Its type.
        required: Whether it has no default.
        description: What it is, for the model.
    """

    name: str
    hint: Any
    required: bool = True
    description: str = ""


def is_record(hint: object) -> bool:
    """Tell whether a type has named fields."""
    if not isinstance(hint, type):
        return False
    return is_typed_dict(hint) or attrs.has(hint) or dataclasses.is_dataclass(hint)


def is_typed_dict(hint: object) -> bool:
    """Tell whether a type is a typed dictionary."""
    return isinstance(hint, type) and hasattr(hint, "__required_keys__")


def described(cls: type) -> Docstring:
    """Give what the docstring of a class says; the one that `dataclass` makes up says nothing."""
    text = cls.__doc__
    if text and text.startswith(f"{cls.__name__}("):
        return Docstring()
    return read_docstring(text)


def fields_of(cls: type) -> tuple[Field, ...]:
    """Give the fields that a value of the class is made of.

    Raises:
        TypeError: An annotation names something that cannot be found, or is missing.
    """
    try:
        said = described(cls).names
        if attrs.has(cls):
            return _of_attrs(cls, said)
        if is_typed_dict(cls):
            return _of_typed_dict(cls, said)
        return _of_dataclass(cls, said)
    except NameError as error:
        msg = f"{cls.__name__}: {error}; define the classes that it names at module level"
        raise TypeError(msg) from error


def _of_attrs(cls: type, said: Mapping[str, str]) -> tuple[Field, ...]:
    # Annotations that are strings are resolved in place, where cattrs looks for them.
    attrs.resolve_types(cls, localns={cls.__name__: cls})
    fields: list[Field] = []
    for field in attrs.fields(cls):
        if not field.init:
            continue
        if field.type is None:
            msg = f"{cls.__name__}.{field.name}: it has no type; annotate it"
            raise TypeError(msg)
        name = field.alias or field.name
        text = _text(field.metadata) or said.get(field.name) or said.get(name, "")
        fields.append(Field(name, field.type, field.default is attrs.NOTHING, text))
    return tuple(fields)


def _of_dataclass(cls: Any, said: Mapping[str, str]) -> tuple[Field, ...]:
    hints = get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)
    return tuple(
        Field(
            field.name,
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
            _text(field.metadata) or said.get(field.name, ""),
        )
        for field in dataclasses.fields(cls)
        if field.init
    )


def _of_typed_dict(cls: Any, said: Mapping[str, str]) -> tuple[Field, ...]:
    fields: list[Field] = []
    hints = get_type_hints(cls, localns={cls.__name__: cls}, include_extras=True)
    for name, hint in hints.items():
        bare, required = hint, name in cls.__required_keys__
        while get_origin(bare) in (Required, NotRequired):
            required = get_origin(bare) is Required
            bare = get_args(bare)[0]
        fields.append(Field(name, bare, required, said.get(name, "")))
    return tuple(fields)


def _text(metadata: Mapping[Any, Any]) -> str:
    text = metadata.get("description", "")
    return text if isinstance(text, str) else ""


def annotation_of(hint: Any) -> tuple[Any, str]:
    """Take ``Annotated`` off a type; give what is inside, and the description in it."""
    text = ""
    while get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        text = text or next((extra for extra in extras if isinstance(extra, str)), "")
    return hint, text
