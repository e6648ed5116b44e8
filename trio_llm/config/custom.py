"""What a configuration names in the user's own code: found, and looked at."""

import importlib
import inspect
from collections.abc import Mapping
from typing import Any

from trio_llm.config.rules import described, quoted
from trio_llm.providers.catalogue import CUSTOM_METHOD
from trio_llm.providers.custom import is_backend


def import_object(name: str, what: str, example: str) -> Any:
    """Find something by ``package.module:name``.

    Args:
        name: Where it is.
        what: What it should be, in words.
        example: How it is written.

    Raises:
        LookupError: There is none; the message says why and what to do.
    """
    module_name, colon, qualname = name.partition(":")
    if not colon or not module_name or not qualname:
        raise LookupError(f"{quoted(name)} is no {what}; write it as package.module:{example}")
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:  # a module of the user's own may raise anything
        why = f"{type(error).__name__}: {error}"
        raise LookupError(
            f"cannot import {quoted(module_name)} ({why}); is it installed?"
        ) from error
    for part in qualname.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise LookupError(
            f"no {what} {quoted(qualname)} in {quoted(module_name)}; correct the name"
        )
    return found


def import_class(name: str) -> type:
    """Find a class by ``package.module:Class``.

    Raises:
        LookupError: There is none; the message says why and what to do.
    """
    found = import_object(name, "class", "Class")
    if not isinstance(found, type):
        module_name, _, qualname = name.partition(":")
        raise LookupError(  # noqa: TRY004 - a name that leads nowhere
            f"no class {quoted(qualname)} in {quoted(module_name)}; correct the name"
        )
    return found


def find_scorer(value: object) -> Any:
    """Give the function that scores an answer.

    Raises:
        LookupError: It is none.
    """
    found = import_object(value, "function", "function") if isinstance(value, str) else value
    if not callable(found):
        problem = f"{described(found)} cannot be called; name a function"
        raise LookupError(problem)  # noqa: TRY004 - as for every name that leads nowhere
    return found


def find_selection(value: object) -> Any:
    """Give the user's own rule of selection; a class is called for one.

    Raises:
        LookupError: It is none.
    """
    found = import_object(value, "selection", "name") if isinstance(value, str) else value
    if isinstance(found, type):
        found = found()
    if callable(getattr(found, "order", None)):
        return found
    problem = "it has no method `order(self, request, members)`"
    raise LookupError(problem)


def _options_problem(cls: type, options: Mapping[str, Any]) -> str | None:
    try:
        signature = inspect.signature(cls)
    except ValueError:  # classes written in C may have none
        return None
    try:
        signature.bind(**options)
    except TypeError as error:
        return f"do not fit the arguments of {cls.__qualname__}: {error}"
    return None


def find_custom(value: object, options: Mapping[str, Any]) -> object:
    """Give the class or instance that a configuration names.

    An instance may also be a backend, which the actor asks without a wrapper.

    Raises:
        LookupError: It is none, or has no async method `CUSTOM_METHOD`, or does
            not take the options.
    """
    if value is None:
        raise LookupError("missing; name the class as package.module:Class")
    found = import_class(value) if isinstance(value, str) else value
    if not isinstance(found, type) and not options and is_backend(found):
        return found
    method = getattr(found, CUSTOM_METHOD, None)
    if not callable(method) or not inspect.iscoroutinefunction(inspect.unwrap(method)):
        who = found.__qualname__ if isinstance(found, type) else described(found)
        raise LookupError(f"{who} has no method `async def {CUSTOM_METHOD}(self, request)`")
    if isinstance(found, type):
        problem = _options_problem(found, options)
        if problem is not None:
            raise LookupError(f"the options {problem}")
    elif options:
        raise LookupError("an instance takes no options; give the class, or leave options out")
    return found
