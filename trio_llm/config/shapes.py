"""What the settings of a provider may be that are more than a number or a word."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from trio_llm.chat import Capability
from trio_llm.config.rules import expected, is_table, quoted, suggestion
from trio_llm.config.secret import Secret

_CAPABILITIES: Final = tuple(capability.value for capability in Capability)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token of RFC 9110
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e]*")
_KEY_HEADERS: Final = frozenset(("authorization", "x-api-key", "api-key", "x-goog-api-key"))
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VERSION: Final = re.compile(r"[A-Za-z0-9._-]{1,40}")
_PLAINLY_A_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]{1,24})+")


def is_variable(value: object) -> str | None:
    """Demand the name of an environment variable, and show nothing that is none."""
    if value is None:
        return None
    if not isinstance(value, str):
        return expected("the name of an environment variable", value)
    if not _VARIABLE.fullmatch(value):
        return "not the name of an environment variable; give the name, not the key itself"
    return None


def is_listed_variable(value: object) -> str | None:
    """Demand the name of an environment variable in a list of such."""
    if value is None:
        return expected("the name of an environment variable", value)
    return is_variable(value)


def shown_variable(name: str) -> str:
    """Give a variable's name if it cannot well be a key that was put in its place."""
    return name if _PLAINLY_A_VARIABLE.fullmatch(name) else "that it names"


def key_headers(headers: object) -> list[str]:
    """Name those headers that carry a key by their meaning."""
    if not is_table(headers):
        return []
    return [str(name) for name in headers if str(name).lower() in _KEY_HEADERS]


def is_key(value: object) -> str | None:
    """Demand an API key that fits into a header, or a callable that gives one."""
    if value is None or (not isinstance(value, Secret) and callable(value)):
        return None
    if not isinstance(value, Secret):
        return "expected a string, or an async callable that gives one"
    return key_problem(value.reveal())


def key_problem(key: str) -> str | None:
    """Say why a key cannot be sent, without showing it."""
    if not key:
        return "the key is empty"
    if not all("!" <= letter <= "~" for letter in key):
        return "the key has white space or other letters than ASCII in it; copy it again"
    return None


def url_problem(value: object, schemes: tuple[str, ...] = ("http", "https")) -> str | None:
    """Demand an absolute URL; a user or password in it is looked at by the caller."""
    if not isinstance(value, str):
        return expected("a URL", value)
    try:
        parts = urlsplit(value)
        host, _port = parts.hostname, parts.port
        # An empty label, or one beyond 63 letters, no resolver takes.
        (host or "").encode("idna")
    except ValueError:
        return "malformed URL; give one such as https://host:8080/v1"
    if parts.scheme not in schemes or not host or re.search(r"[\s\x00-\x1f]", value):
        return f"malformed URL; give one such as {schemes[-1]}://host:8080/v1"
    return None


def is_version(value: object) -> str | None:
    """Demand a version that a header and a query can carry."""
    if value is None:
        return None
    if not isinstance(value, str):
        return expected("a string", value)
    return None if _VERSION.fullmatch(value) else "no version; give one such as 2024-10-21"


def is_base_url(value: object) -> str | None:
    """Demand the URL of a server, without credentials and query."""
    if value is None:
        return None
    problem = url_problem(value)
    if problem is not None:
        return problem
    parts = urlsplit(cast("str", value))
    if parts.username is not None or parts.password is not None:
        return "a URL with a user or password in it; use api_key_env or headers"
    if parts.query or parts.fragment:
        return "a URL with a query or fragment; give it without"
    return None


def is_proxy(value: object) -> str | None:
    """Demand the URL of an HTTP proxy; credentials are allowed."""
    return None if value is None else url_problem(value)


def is_verify(value: object) -> str | None:
    """Demand ``true``, ``false`` or a file of certificates that exists."""
    if isinstance(value, bool):
        return None
    if not isinstance(value, str):
        return expected("true, false or the path of a file of certificates", value)
    try:
        present = Path(value).is_file()
    except (OSError, ValueError):
        present = False
    return None if present else f"no file {quoted(value)}; give the path of a PEM file"


def is_headers(value: object) -> str | None:
    """Demand a table with names of HTTP headers for keys."""
    if not isinstance(value, Mapping):
        return expected("a table of strings", value)
    for name in cast("Mapping[object, object]", value):
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            return "a key in it cannot be the name of a header"
    return None


def is_header_value(value: object) -> str | None:
    """Demand a string that a header can carry; it is never shown."""
    if not isinstance(value, str):
        return expected("a string", value)
    if not _HEADER_VALUE.fullmatch(value):
        return "the value has letters that a header cannot carry"
    return None


def is_list(value: object) -> str | None:
    """Demand a list; what is in it is looked at one by one."""
    return None if isinstance(value, tuple) else expected("a list of strings", value)


def is_word(value: object) -> str | None:
    """Demand a string that is not empty."""
    if not isinstance(value, str):
        return expected("a string", value)
    return None if value else "an empty string; give a value or leave it out"


def is_optional_list(value: object) -> str | None:
    """Demand a list or nothing."""
    return None if value is None else is_list(value)


def is_capability(value: object) -> str | None:
    """Demand one of the words for a capability."""
    if isinstance(value, Capability):
        return None
    if not isinstance(value, str):
        return expected("a string", value)
    return f"no capability {quoted(value)}; {suggestion(value, _CAPABILITIES)}"


def is_options(value: object) -> str | None:
    """Demand a table with strings for keys."""
    if not isinstance(value, Mapping):
        return expected("a table", value)
    if not all(isinstance(key, str) for key in cast("Mapping[Any, object]", value)):
        return "a key in it is no string"
    return None


def is_errors(value: object) -> str | None:
    """Demand a table; its rows are looked at one by one."""
    return None if isinstance(value, Mapping) else expected("a table of error classes", value)


def is_members(value: object) -> str | None:
    """Demand a list, not empty; what is in it is looked at one by one."""
    if value is None:
        return None
    if not isinstance(value, tuple):
        return expected("a list of members", value)
    return None if value else "an empty list; name a member, or leave the key out for all providers"


def is_weights(value: object) -> str | None:
    """Demand a table; the weights are looked at one by one."""
    return None if isinstance(value, Mapping) else expected("a table of numbers", value)


def is_primary(value: object) -> str | None:
    """Demand an index or a name."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return expected("an index or a member's name", value)
    return None


def is_any_table(value: object) -> str | None:
    """Demand a table; what is in it is looked at one by one."""
    return None if isinstance(value, Mapping) else expected("a table", value)


def is_table_of_words(value: object) -> str | None:
    """Demand a table of strings, none of them empty."""
    if not isinstance(value, Mapping):
        return expected("a table of strings", value)
    for key, entry in cast("Mapping[object, object]", value).items():
        problem = is_word(entry)
        if problem is not None:
            return f"{key}: {problem}"
    return None if value else "an empty table; name a model for a member, or leave it out"


def is_function(value: object) -> str | None:
    """Demand a callable, or the name of one; it is found later."""
    if value is None or callable(value) or (isinstance(value, str) and value):
        return None
    return expected("a function, or package.module:function", value)


def is_selection(value: object) -> str | None:
    """Demand an object with a method `order`, or the name of one; it is found later."""
    if value is None or (isinstance(value, str) and value):
        return None
    if callable(getattr(value, "order", None)):
        return None
    return expected("a Selection (an object with a method `order`), or package.module:name", value)
