"""Tools made of Python code: a function, or a class of arguments."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar, get_type_hints

import attrs
import trio

from trio_llm.chat.request import Tool
from trio_llm.chat.typed import (
    Docstring,
    Field,
    UnfitValueError,
    described,
    is_record,
    object_schema,
    read_docstring,
    read_value,
    schema_of,
)

T = TypeVar("T")

_PLACE = "arguments"


@attrs.frozen
class FunctionCaller:
    """Calls a typed function with the arguments that a model wrote.

    Attributes:
        function: The function.
        fields: Its arguments.
        thread: Whether it runs in a worker thread; what it gives is then awaited.
    """

    function: Callable[..., object]
    fields: Mapping[str, Field]
    thread: bool = False

    def __call__(self, arguments: Mapping[str, Any], /) -> object:
        """Read the arguments, and call.

        Raises:
            UnfitValueError: They do not fit the annotations.
        """
        given: dict[str, Any] = {}
        faults: list[str] = []
        for name, field in self.fields.items():
            place = f"{_PLACE}.{name}"
            # A strict schema demands every argument, and null for those with a default.
            if name not in arguments or (arguments[name] is None and not field.required):
                if field.required:
                    faults.append(f"{place}: is missing")
                continue
            try:
                given[name] = read_value(arguments[name], field.hint, place)
            except UnfitValueError as error:
                faults += error.faults
        known = ", ".join(self.fields) or "none"
        faults += [
            f"{_PLACE}.{name}: no such argument; there are: {known}"
            for name in sorted(arguments.keys() - self.fields.keys())
        ]
        if faults:
            raise UnfitValueError(faults)
        if self.thread:
            return trio.to_thread.run_sync(partial(self.function, **given))
        return self.function(**given)


@attrs.frozen
class ClassCaller:
    """Makes an object of the arguments that a model wrote, and calls a function with it."""

    cls: type
    function: Callable[[Any], object]

    def __call__(self, arguments: Mapping[str, Any], /) -> object:
        """Read the arguments, and call.

        Raises:
            UnfitValueError: They do not fit the class.
        """
        return self.function(read_value(dict(arguments), self.cls, _PLACE))


def tool_from_function(
    function: Callable[..., object],
    *,
    name: str | None,
    description: str | None,
    strict: bool | None,
    thread: bool,
) -> Tool:
    """Make a tool of a typed function; see `Tool.from_function`."""
    if not inspect.isroutine(function):
        msg = f"a tool is made of a function or a method, not of {type(function).__name__}"
        raise TypeError(msg)
    if thread and inspect.iscoroutinefunction(function):
        msg = f"{function.__name__}: an async function runs in the event loop: leave thread= out"
        raise TypeError(msg)
    said = read_docstring(function.__doc__)
    fields = _arguments(function, said)
    return Tool(
        name or function.__name__,
        said.purpose if description is None else description,
        object_schema(fields.values(), function.__name__, strict=bool(strict)),
        strict,
        FunctionCaller(function, fields, thread),
    )


def tool_from_class(
    cls: type[T],
    function: Callable[[T], object] | None,
    *,
    name: str | None,
    description: str | None,
    strict: bool | None,
) -> Tool:
    """Make a tool whose arguments are the fields of a class; see `Tool.from_class`."""
    if not is_record(cls):
        msg = f"{cls!r} is no attrs class, dataclass or TypedDict"
        raise TypeError(msg)
    schema = schema_of(cls, strict=bool(strict))
    purpose = described(cls).purpose
    schema.pop("description", None)
    return Tool(
        name or cls.__name__,
        purpose if description is None else description,
        schema,
        strict,
        None if function is None else ClassCaller(cls, function),
    )


def _arguments(function: Callable[..., object], said: Docstring) -> dict[str, Field]:
    place = function.__name__
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        msg = f"{place}: {error}; define the classes that it names at module level"
        raise TypeError(msg) from error
    fields: dict[str, Field] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            msg = f"{place}.{name}: a model gives arguments by name: make it an ordinary argument"
            raise TypeError(msg)
        if name not in hints:
            msg = f"{place}.{name}: it has no type; annotate it"
            raise TypeError(msg)
        required = parameter.default is parameter.empty
        fields[name] = Field(name, hints[name], required, said.names.get(name, ""))
    return fields
