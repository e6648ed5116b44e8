"""What the server's side of every dialect needs to read a request."""

from collections.abc import Callable
from typing import Any, TypeVar

from trio_llm.chat import Request, Tool
from trio_llm.errors import InvalidRequestError
from trio_llm.wire.values import load

T = TypeVar("T")


def read_request_body(body: bytes) -> dict[str, Any]:
    """Read a request's body.

    Raises:
        InvalidRequestError: It is no JSON object.
    """
    try:
        value = load(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InvalidRequestError("the request body is not UTF-8") from None
    except ValueError:
        raise InvalidRequestError("the request body is not JSON") from None
    return expect_object(value, "the request body")


def expect_object(value: Any, place: str) -> dict[str, Any]:
    """Give `value`, which must be a JSON object.

    Raises:
        InvalidRequestError: It is something else; the message starts with `place`.
    """
    if type(value) is not dict:
        raise InvalidRequestError(f"{place}: must be an object")
    return value  # pyright: ignore[reportUnknownVariableType]


def expect_list(value: Any, place: str) -> list[Any]:
    """Give `value`, which must be a JSON array.

    Raises:
        InvalidRequestError: It is something else; the message starts with `place`.
    """
    if type(value) is not list:
        raise InvalidRequestError(f"{place}: must be an array")
    return value  # pyright: ignore[reportUnknownVariableType]


def expect_text(value: Any, place: str) -> str:
    """Give `value`, which must be a string.

    Raises:
        InvalidRequestError: It is something else; the message starts with `place`.
    """
    if type(value) is not str:
        raise InvalidRequestError(f"{place}: must be a string")
    return value


def take_text(body: dict[str, Any], name: str) -> str | None:
    """Take an optional string out of `body`.

    Raises:
        InvalidRequestError: It is something else.
    """
    value = body.pop(name, None)
    return None if value is None else expect_text(value, name)


def take_integer(body: dict[str, Any], name: str) -> int | None:
    """Take an optional whole number out of `body`.

    Raises:
        InvalidRequestError: It is something else.
    """
    value = body.pop(name, None)
    if value is not None and type(value) is not int:
        raise InvalidRequestError(f"{name}: must be a whole number")
    return value


def take_number(body: dict[str, Any], name: str) -> float | None:
    """Take an optional number out of `body`.

    Raises:
        InvalidRequestError: It is something else.
    """
    value = body.pop(name, None)
    if value is None or type(value) is int or type(value) is float:
        return value
    raise InvalidRequestError(f"{name}: must be a number")


def take_flag(body: dict[str, Any], name: str, default: T) -> bool | T:
    """Take an optional truth value out of `body`.

    Raises:
        InvalidRequestError: It is something else.
    """
    value = body.pop(name, None)
    if value is None:
        return default
    if type(value) is not bool:
        raise InvalidRequestError(f"{name}: must be true or false")
    return value


def take_stop(body: dict[str, Any], name: str) -> tuple[str, ...]:
    """Take the stop strings, one or several, out of `body`.

    Raises:
        InvalidRequestError: They are something else.
    """
    value = body.pop(name, None)
    if value is None:
        return ()
    if type(value) is str:
        return (value,)
    items = expect_list(value, name)
    return tuple([expect_text(item, f"{name}[{index}]") for index, item in enumerate(items)])


def take_tools(
    body: dict[str, Any], read: Callable[[dict[str, Any], str], Tool]
) -> tuple[Tool, ...]:
    """Take the tools out of `body`, each read by `read`.

    Raises:
        InvalidRequestError: They are something else.
    """
    value = body.pop("tools", None)
    if value is None:
        return ()
    return tuple(
        [
            read(expect_object(item, f"tools[{index}]"), f"tools[{index}]")
            for index, item in enumerate(expect_list(value, "tools"))
        ]
    )


def read_function(fields: dict[str, Any], schema: str, place: str) -> Tool:
    """Read one tool: its name, description, schema (under the name `schema`) and strictness.

    Raises:
        InvalidRequestError: A field has the wrong type; the message starts with `place`.
    """
    name = expect_text(fields.get("name"), f"{place}.name")
    description = expect_text(fields.get("description") or "", f"{place}.description")
    strict = take_flag(dict(fields), "strict", default=None)
    if fields.get(schema) is None:
        return Tool(name, description, strict=strict)
    parameters = expect_object(fields[schema], f"{place}.{schema}")
    return Tool(name, description, parameters, strict)


def build_request(**fields: Any) -> Request:
    """Make the request of what was read.

    Raises:
        InvalidRequestError: The vocabulary refuses a value.
    """
    try:
        return Request(**fields)
    except (TypeError, ValueError) as error:
        # attrs adds the attribute and the value to a validator's message.
        raise InvalidRequestError(str(error.args[0] if error.args else error)) from None
