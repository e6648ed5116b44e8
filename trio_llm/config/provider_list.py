"""The JSON form with a list of providers and a `manager`, put into the form of a `Config`.

::

    {"providers": [{"name": "a", "type": "openai", "default_model": "m", "timeout": 60,
                    "capabilities": ["chat"]}],
     "manager": {"fallback_enabled": true, "load_balancing": false}}

``type`` becomes `kind`, ``default_model`` becomes `model`, ``timeout`` the total
timeout. ``fallback_enabled`` makes the default a fallback over all providers,
``load_balancing`` a round robin over them (which passes a failed call on as
well); with neither the first provider is the default. Its ten words for
capabilities cannot say *tools*, *vision*, *structured output*, or sound and files as
input, so a list that has *chat* in it is taken not to deny what its kind can do of
those.
"""

from collections.abc import Mapping
from typing import Any, Final

from trio_llm.chat import Capability
from trio_llm.config.faults import Faults
from trio_llm.config.rules import expected, is_sequence, is_table, quoted, suggestion, under
from trio_llm.providers.catalogue import KINDS

_MANAGER: Final = ("fallback_enabled", "load_balancing")
_RENAMED: Final = {"type": "kind", "default_model": "model"}
_UNSPEAKABLE: Final = (
    Capability.TOOLS,
    Capability.VISION,
    Capability.STRUCTURED_OUTPUT,
    Capability.AUDIO_INPUT,
    Capability.FILE_INPUT,
)


def is_provider_list(table: Mapping[str, Any]) -> bool:
    """Whether a document has this form."""
    return isinstance(table.get("providers"), list)


def _provider(entry: Mapping[str, Any]) -> dict[str, Any]:
    table: dict[str, Any] = {
        _RENAMED.get(key, key): value
        for key, value in entry.items()
        if key not in ("name", "timeout")
    }
    if "timeout" in entry:
        timeouts = table.get("timeouts", {})
        table["timeouts"] = {**timeouts, "total": entry["timeout"]}
    words = table.get("capabilities")
    kind = table.get("kind")
    if is_sequence(words) and "chat" in words and isinstance(kind, str) and kind in KINDS:
        able = KINDS[kind].capabilities
        added = [word.value for word in _UNSPEAKABLE if word in able]
        table["capabilities"] = [*words, *(w for w in added if w not in words)]
    return table


def _providers(entries: list[Any], faults: Faults) -> dict[str, Any]:
    providers: dict[str, Any] = {}
    for index, entry in enumerate(entries):
        path = under("providers", index)
        if not is_table(entry):
            faults.add(path, expected("an object", entry))
            continue
        name = entry.get("name", entry.get("type"))
        if not isinstance(name, str) or not name:
            faults.add(under(path, "name"), "missing; give the provider a name")
        elif name in providers:
            faults.add(under(path, "name"), f"{quoted(name)} is taken; rename one of them")
        else:
            providers[name] = _provider(entry)
    return providers


def _manager(value: object, faults: Faults) -> tuple[bool, bool]:
    settings: dict[str, bool] = {"fallback_enabled": True, "load_balancing": False}
    if not is_table(value):
        faults.add("manager", expected("an object", value))
        return True, False
    for key, setting in value.items():
        path = under("manager", key)
        if key not in _MANAGER:
            faults.add(path, f"unknown key; {suggestion(key, _MANAGER)}")
        elif not isinstance(setting, bool):
            faults.add(path, expected("true or false", setting))
        else:
            settings[key] = setting
    return settings["fallback_enabled"], settings["load_balancing"]


def from_provider_list(table: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
    """Give the same configuration in the form that `structure` reads."""
    providers = _providers(table["providers"], faults)
    fallback, spread = _manager(table.get("manager", {}), faults)
    result: dict[str, Any] = {key: table[key] for key in table if key != "manager"}
    result["providers"] = providers
    if spread:
        result["default"] = {"kind": "load_balance"}
    elif fallback:
        result["default"] = {"kind": "fallback"}
    elif providers:
        result["default"] = next(iter(providers))
    return result
