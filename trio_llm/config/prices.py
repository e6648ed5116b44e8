"""Prices by model, date and length of input: from what was written to a table of prices."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import attrs

from trio_llm.chat import Price, PriceTier
from trio_llm.config.faults import Faults
from trio_llm.config.figures import is_date, is_figure, is_threshold, to_date, to_figure
from trio_llm.config.rules import expected, is_sequence, is_table, suggestion, under
from trio_llm.config.settings import PriceSettings
from trio_llm.ledger import DatedPrice, PriceTable

SOURCE: Final = "configuration"

_FIGURES: Final = tuple(field.name for field in attrs.fields(PriceSettings))
_CHECKS: Final[Mapping[str, Callable[[object], str | None]]] = MappingProxyType(
    {**dict.fromkeys(_FIGURES, is_figure), "since": is_date, "above": is_threshold}
)
_NO_FIGURES: Final = PriceSettings()


def to_prices(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Copy the table, its figures as decimals and its dates as dates, so that equals are equal."""
    if not is_table(value):
        return value
    return {
        name: tuple(map(_to_row, entry)) if is_sequence(entry) else _to_row(entry)
        for name, entry in value.items()
    }


def _to_row(row: Any) -> Any:
    if isinstance(row, PriceSettings):
        stated = attrs.asdict(row, recurse=False)
        blank = attrs.asdict(_NO_FIGURES, recurse=False)
        return {
            name: figure
            for name, figure in stated.items()
            if name == "input" or figure != blank[name]
        }
    if not is_table(row):
        return row
    return {
        key: to_figure(entry) if key in _FIGURES else to_date(entry) if key == "since" else entry
        for key, entry in row.items()
    }


def price_of(settings: PriceSettings) -> Price:
    """Give the price that holds for every model."""
    return _price(attrs.asdict(settings, recurse=False))


@attrs.frozen
class _Row:
    """One entry without faults.

    Attributes:
        place: Where it is.
        figures: What it says, by the names of `Price`.
        since: From when on it holds.
        above: For which inputs it holds; 0 means for all but those of the tiers.
    """

    place: str
    figures: Mapping[str, Any]
    since: date | None
    above: int


def resolve_prices(prices: Mapping[str, Any], path: str, faults: Faults) -> PriceTable:
    """Give the table of prices; what is wrong with it goes to `faults`."""
    models: dict[str, tuple[DatedPrice, ...]] = {}
    for name, entry in prices.items():
        place = under(path, str(name))
        problem = _name_problem(name)
        if problem is not None:
            faults.add(place, problem)
        rows = [_row(row, where, faults) for where, row in _rows(entry, place)]
        if not rows:
            faults.add(place, "an empty list; give a price, or leave the model out")
        sound = [row for row in rows if row is not None]
        # Without all of them nothing can be said of how they go together.
        if len(sound) == len(rows):
            models[str(name)] = tuple(_dated(sound, faults))
    return PriceTable(models)


def _name_problem(name: object) -> str | None:
    if not isinstance(name, str):
        return expected("the name of a model", name)
    if not name:
        return "an empty name; give that of a model, or * for all"
    return "a * stands at the end of a name only; leave it out" if "*" in name[:-1] else None


def _rows(entry: object, place: str) -> Iterator[tuple[str, object]]:
    if is_sequence(entry):
        for index, row in enumerate(entry):
            yield under(place, index), row
    else:
        yield place, entry


def _row(row: object, place: str, faults: Faults) -> _Row | None:
    """Give an entry if nothing is wrong with it by itself."""
    before = len(faults.lines)
    if not is_table(row):
        faults.add(place, expected("a table (in code, PriceSettings)", row))
        return None
    for key, value in row.items():
        check = _CHECKS.get(key)
        if check is None:
            problem: str | None = f"unknown key; {suggestion(str(key), tuple(_CHECKS))}"
        else:
            problem = check(value)
        if problem is not None:
            faults.add(under(place, str(key)), problem)
    if "above" in row and "request" in row:
        problem = "the same for inputs of any length; give it in the entry without above"
        faults.add(under(place, "request"), problem)
    if "above" not in row and "input" not in row:
        faults.add(under(place, "input"), "missing; give US dollars per million tokens")
    if len(faults.lines) > before:
        return None
    figures = {name: row[name] for name in _FIGURES if name in row}
    return _Row(place, figures, row.get("since"), row.get("above", 0))


def _dated(rows: list[_Row], faults: Faults) -> Iterator[DatedPrice]:
    """Put the entries of one model together, those of the same date."""
    by_date: dict[date | None, dict[int, _Row]] = {}
    for row in rows:
        entries = by_date.setdefault(row.since, {})
        if row.above in entries:
            first = entries[row.above].place
            faults.add(row.place, f"for the same days and lengths as {first}; take one of them out")
        entries.setdefault(row.above, row)
    for since, entries in by_date.items():
        base = entries.pop(0, None)
        longer = [entries[above] for above in sorted(entries)]
        if base is None:
            problem = "no price for shorter inputs; add an entry without above for the same date"
            faults.add(longer[0].place, problem)
        else:
            yield DatedPrice(_price(base.figures, longer), since)


def _price(figures: Mapping[str, Any], longer: Iterable[_Row] = ()) -> Price:
    """Make a price; a tier that does not say something says what shorter inputs cost."""
    stated = {"output": Decimal(0), **figures}
    tiers = [_tier(row.above, {**stated, **row.figures}) for row in longer]
    return Price(source=SOURCE, tiers=tuple(tiers), **stated)


def _tier(above: int, stated: dict[str, Any]) -> PriceTier:
    of_tokens = {name: figure for name, figure in stated.items() if name != "request"}
    return PriceTier(above, **of_tokens)
