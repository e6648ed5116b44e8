"""Where a configuration comes from: code, a mapping, a file, or the environment."""

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

from trio_llm.config.census import occurrences
from trio_llm.config.environment import config_from_environment
from trio_llm.config.faults import Faults
from trio_llm.config.provider_list import from_provider_list, is_provider_list
from trio_llm.config.resolve import examine
from trio_llm.config.rules import expected, under
from trio_llm.config.schema import Provider
from trio_llm.config.shapes import key_headers
from trio_llm.config.structure import structure
from trio_llm.config.tree import Config
from trio_llm.errors import ConfigError


def _refuse(source: str, problem: str) -> NoReturn:
    raise ConfigError([problem], source)


def _text(path: Path, source: str) -> str:
    # The error is raised after its handler, so that the bytes of a file that may
    # hold a key by mistake do not travel as its context.
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        problem = "no such file; `trio-llm config init` writes a first one"
    except IsADirectoryError:
        problem = "a directory; give the path of a file"
    except UnicodeDecodeError as error:
        problem = f"not UTF-8 at byte {error.start}; save the file as UTF-8"
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        problem = f"cannot be read ({reason})"
    _refuse(source, problem)


def _json(text: str, source: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}, column {error.colno}: not JSON ({error.msg})"
    except RecursionError:
        problem = "nested too deeply"
    except ValueError:
        problem = "a number in it has too many digits"
    _refuse(source, problem)


def _toml_line(text: str, error: tomllib.TOMLDecodeError) -> str:
    """Give an error of tomllib; it says ``at end of document`` where others have a line."""
    message = str(error).replace("\n", " ")
    if "(at line" in message:
        return message
    return f"{message}; the document has {text.count(chr(10)) + 1} lines"


def _toml(text: str, source: str) -> object:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = f"not TOML: {_toml_line(text, error)}"
    except RecursionError:
        problem = "nested too deeply"
    except ValueError:
        problem = "a number in it has too many digits"
    _refuse(source, problem)


def _read(path: Path, source: str) -> Mapping[str, Any]:
    suffix = path.suffix.lower()
    if suffix in {".yaml", ".yml"}:
        _refuse(
            source,
            "YAML is not read; write it as TOML (`trio-llm config init` writes an example)",
        )
    text = _text(path, source)
    table = _json(text, source) if suffix == ".json" else _toml(text, source)
    if not isinstance(table, Mapping):
        _refuse(source, expected("an object with `providers`", table))
    return cast("Mapping[str, Any]", table)


def _refuse_literal_keys(config: Config, faults: Faults) -> None:
    for place in occurrences(config.providers, config.balancers, config.default):
        if not isinstance(place.node, Provider):
            continue
        literal = [under(under(place.path, "headers"), n) for n in key_headers(place.node.headers)]
        if place.node.api_key is not None:
            literal.append(under(place.path, "api_key"))
        for path in literal:
            faults.add(
                path,
                "a key does not belong into a file; export it and name the variable "
                "with api_key_env",
            )


def load_config(
    source: Config | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Load a configuration and check all of it.

    Args:
        source: A `Config`; a mapping in the shape of a file (in code, so a key
            may be in it); the path of a TOML file, or of a JSON file in the same
            shape or with a list of providers (``type``, ``default_model``,
            ``timeout`` and a ``manager``; since the words for capabilities of that
            form cannot say *tools*, *vision*, *structured output*, or sound and files
            as input, those that the kind has are added to a list with *chat* in it);
            or ``None`` for the environment alone: every kind of which a key variable
            is set and Ollama when OLLAMA_URL or OLLAMA_HOST is, one after the other;
            with none of them simulated providers, and `Config.simulated` is true.
        environ: The environment variables; ``None`` means those of the process.

    Raises:
        ConfigError: It cannot be read or used; the error lists every fault with
            its path.
    """
    environ = os.environ if environ is None else environ
    faults = Faults()
    name = "configuration"
    if source is None:
        name = "environment"
        config = config_from_environment(environ)
    elif isinstance(source, Config):
        config = source
    elif isinstance(source, Mapping):
        config = structure(_in_our_form(source, faults), faults)
    elif not isinstance(source, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance]
        _refuse(name, expected("a Config, a mapping or the path of a file", source))
    else:
        path = Path(source)
        name = str(path)
        config = structure(_in_our_form(_read(path, name), faults), faults)
        _refuse_literal_keys(config, faults)
    examine(config, environ, faults)
    faults.raise_if_any(name)
    return config


def _in_our_form(table: Mapping[str, Any], faults: Faults) -> Mapping[str, Any]:
    return from_provider_list(table, faults) if is_provider_list(table) else table
