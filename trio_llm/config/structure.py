"""From plain tables to records: the shape by cattrs, the values left as they are.

Only an unknown key stops cattrs here. It is noted and taken out, so that the
check of the values can still find everything else that is wrong.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from trio_llm.config.accounting import (
    Budget,
    CacheSettings,
    LoggingSettings,
    StoreSettings,
    TelemetrySettings,
)
from trio_llm.config.faults import Faults
from trio_llm.config.rules import is_sequence, is_table, key_of, record_of, suggestion, under
from trio_llm.config.schema import BALANCERS, Balancer, Member, Provider
from trio_llm.config.settings import (
    BreakerSettings,
    CooldownSettings,
    Degradation,
    HealthCheck,
    PriceSettings,
    RateLimit,
    Restart,
    Retry,
    RetryBudgetSettings,
    Simulation,
    Timeouts,
)
from trio_llm.config.tree import Config

_RECORDS: Final = (
    Timeouts,
    Retry,
    CooldownSettings,
    BreakerSettings,
    RateLimit,
    HealthCheck,
    PriceSettings,
    Restart,
    RetryBudgetSettings,
    Degradation,
    Simulation,
    Budget,
    CacheSettings,
    StoreSettings,
    TelemetrySettings,
    LoggingSettings,
    Provider,
    *BALANCERS,
    Config,
)
_BY_KIND: Final[Mapping[object, type[Balancer]]] = {cls.kind: cls for cls in BALANCERS}

_converter: Final = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)


def _as_it_is(value: object, _type: object) -> object:
    return value


def _as_record(value: object, cls: Any) -> object:
    return _converter.structure(value, cls) if is_table(value) else value


def _as_member(value: object, _type: object) -> object:
    if not is_table(value):
        return value
    kind = value.get("kind", "")
    cls = _BY_KIND.get(kind) if isinstance(kind, str) else None
    if cls is None:
        return _converter.structure({"kind": "", **value}, Provider)
    return _converter.structure({key: value[key] for key in value if key != "kind"}, cls)


def _as_balancer(value: object, _type: object) -> object:
    # A table of no known kind stays a table: the check names the kinds there are.
    kind = value.get("kind") if is_table(value) else None
    known = isinstance(kind, str) and kind in _BY_KIND
    return _as_member(value, Member) if known else value


def _as_members(value: object, _type: object) -> object:
    return _converter.structure(value, list[Member]) if is_sequence(value) else value


def _as_providers(value: object, _type: object) -> object:
    return _converter.structure(value, dict[Any, Member]) if is_table(value) else value


def _as_balancers(value: object, _type: object) -> object:
    return _converter.structure(value, dict[Any, Balancer]) if is_table(value) else value


_Budget: TypeAlias = Budget | str


def _as_budget(value: object, _type: object) -> object:
    return _as_record(value, Budget)


def _as_budgets(value: object, _type: object) -> object:
    return _converter.structure(value, dict[Any, _Budget]) if is_table(value) else value


_SPECIAL: Final = {
    "members": _as_members,
    "providers": _as_providers,
    "balancers": _as_balancers,
    "default": _as_member,
    "budgets": _as_budgets,
}


def _override(field: "attrs.Attribute[Any]") -> Any:
    nested = record_of(field)
    if nested is not None:
        return override(struct_hook=lambda value, _type: _as_record(value, nested))
    return override(struct_hook=_SPECIAL.get(field.name, _as_it_is), rename=key_of(field))


for _cls in _RECORDS:
    _converter.register_structure_hook(
        _cls,
        make_dict_structure_fn(
            _cls,
            _converter,
            _cattrs_forbid_extra_keys=True,
            _cattrs_detailed_validation=True,
            **{field.name: _override(field) for field in attrs.fields(_cls)},
        ),
    )
_converter.register_structure_hook_func(lambda type_: type_ is Member, _as_member)
_converter.register_structure_hook_func(lambda type_: type_ is _Budget, _as_budget)
_converter.register_structure_hook_func(lambda type_: type_ is Balancer, _as_balancer)


def _unknown_keys(
    error: BaseException, path: tuple[Any, ...]
) -> Iterator[tuple[tuple[Any, ...], Any, type]]:
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        for key in sorted(error.extra_fields, key=str):
            yield path, key, error.cl
        return
    if not isinstance(error, BaseExceptionGroup):
        raise error
    for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
        step: tuple[Any, ...] = ()
        for note in getattr(inner, "__notes__", ()):
            if isinstance(note, cattrs.AttributeValidationNote):
                step = (note.name,)
            elif isinstance(note, cattrs.IterableValidationNote):
                step = (note.index,)
        yield from _unknown_keys(inner, path + step)


def _copied(value: Any) -> Any:
    if is_table(value):
        return {key: _copied(item) for key, item in value.items()}
    if is_sequence(value):
        return [_copied(item) for item in value]
    return value


def _take_out(table: Any, error: BaseException, faults: Faults) -> None:
    for steps, key, cls in list(_unknown_keys(error, ())):
        place = ""
        inner = table
        for step in steps:
            place = under(place, step if isinstance(step, int) else str(step))
            inner = inner[step]
        known = [key_of(field) for field in attrs.fields(cls)]
        if cls in BALANCERS:
            known.append("kind")
        faults.add(under(place, str(key)), f"unknown key; {suggestion(str(key), known)}")
        del inner[key]


def structure(table: Mapping[str, Any], faults: Faults) -> Config:
    """Make a `Config` of a plain table; unknown keys go to `faults`.

    Every other fault is left in the values, for `trio_llm.config.check` to find.
    """
    copy = _copied(table)
    try:
        return _converter.structure(copy, Config)
    except cattrs.ClassValidationError as error:
        _take_out(copy, error, faults)
    return _converter.structure(copy, Config)
