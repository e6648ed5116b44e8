"""Whether a value is what the type hints of a vendor's SDK say, field by field."""

import builtins
import types
import typing
from typing import Any

from trio_llm.wire.values import as_list, as_object


def obeys(value: Any, hint: Any) -> bool:
    """Tell whether `value` is of the type that `hint` describes, unknown fields forbidden.

    Of typed dictionaries, unions, literals, lists and mappings: what bodies are made
    of. A hint of any other kind is a class. (Pydantic checks an iterable only when
    somebody iterates, and then not its unions.)
    """
    if hasattr(hint, "__required_keys__"):
        return type(value) is dict and _obeys_fields(as_object(value), hint)
    arguments = typing.get_args(hint)
    match typing.get_origin(hint):
        case None:
            number = hint is float and type(value) is int
            good = hint is Any or hint is object or type(value) is hint or number
        case typing.Required | typing.NotRequired | typing.Annotated:
            good = obeys(value, arguments[0])
        case typing.Union | types.UnionType:
            good = any(obeys(value, choice) for choice in arguments)
        case typing.Literal:
            good = value in arguments
        case builtins.dict:
            good = type(value) is dict
        case _:
            # Lists, iterables, and the SDK's own sequence that is no string.
            good = type(value) is list
            good = good and all(obeys(item, arguments[0]) for item in as_list(value))
    return good


def _obeys_fields(fields: dict[str, Any], hint: Any) -> bool:
    hints = typing.get_type_hints(hint, include_extras=True)
    needed = {name for name, field in hints.items() if typing.get_origin(field) is typing.Required}
    known = needed <= fields.keys() <= hints.keys()
    return known and all(obeys(value, hints[name]) for name, value in fields.items())
