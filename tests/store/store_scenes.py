"""Random charges and questions, and a model in plain Python that answers them."""

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

import attrs
from hypothesis import strategies as st

from trio_llm.chat import Certainty, Charge, Cost, Reservation, Subject, Usage
from trio_llm.store import DIMENSIONS, Change, Release, UsageQuery, UsageRow

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",  # 5:45 ahead
    "Australia/Lord_Howe",  # half an hour of summer time
    "America/Havana",  # summer time begins and ends at midnight
)
TAGS = ("team", 'a"b', "x') --", "ü", "a.b", "$")
NAMES = (*DIMENSIONS, *[f"tag:{name}" for name in TAGS])

# Around the changes of time of 2026, and of the year.
_TURNS = [
    dt.datetime(2026, month, day, tzinfo=dt.UTC).timestamp()
    for month, day in ((1, 1), (3, 8), (3, 29), (4, 4), (10, 3), (10, 25), (11, 1))
]
INSTANTS = st.tuples(
    st.sampled_from(_TURNS),
    st.integers(-192, 192).map(lambda quarter: quarter * 900.0)
    | st.floats(-200_000, 200_000, allow_nan=False),
).map(sum)
SUBJECTS = st.builds(
    Subject,
    st.sampled_from(["one", "two"]),
    st.just("openai"),
    st.sampled_from(["small", "large"]),
    st.sampled_from(["", "ann", "Zoë", "nul\0", "'; DROP TABLE charges; --"]),
    st.sampled_from(["chat", "embed"]),
    st.dictionaries(st.sampled_from(TAGS), st.sampled_from(["a", "b", '"', "ß"]), max_size=2).map(
        lambda tags: tuple(sorted(tags.items()))
    ),
)
# Up to thirty million dollars: three times what 64 bits of picodollars hold.
AMOUNTS = (st.integers(0, 10**7) | st.integers(0, 3 * 10**19)).map(
    lambda picos: Decimal(picos).scaleb(-12)
)
COSTS = st.none() | st.builds(Cost, AMOUNTS, st.sampled_from(Certainty))
COUNTS = st.integers(0, 5000)
USAGES = st.none() | st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
LATENCIES = st.integers(0, 10**6).map(lambda milliseconds: milliseconds / 1000)


@st.composite
def _changes(draw: st.DrawFn, ids: str) -> list[Change]:
    """Some changes, of which reservations, charges and releases share identifiers."""
    found: list[Change] = []
    for number in draw(st.lists(st.integers(0, 12), max_size=12)):
        identifier = f"{ids}-{number}"
        what = draw(st.sampled_from(["charge", "charge", "reservation", "release"]))
        if what == "release":
            found.append(Release(identifier))
            continue
        time, subject = draw(INSTANTS), draw(SUBJECTS)
        if what == "reservation":
            found.append(Reservation(identifier, time, subject, number, draw(AMOUNTS)))
        else:
            outcome = draw(st.sampled_from(["succeeded", "failed", "cancelled", "lost"]))
            found.append(
                Charge(
                    identifier,
                    time,
                    subject,
                    number,
                    outcome,
                    draw(USAGES),
                    draw(COSTS),
                    draw(LATENCIES),
                )
            )
    return found


def batches(ids: str) -> st.SearchStrategy[list[list[Change]]]:
    """Give batches of changes whose identifiers begin alike."""
    return st.lists(_changes(ids), min_size=1, max_size=4)


def queries() -> st.SearchStrategy[UsageQuery]:
    """Give questions: by anything, of any span, narrowed by anything."""
    values = ["one", "small", "ann", "", "chat", "succeeded", "2026-03-29", "2026-10-25", "a", '"']
    return st.builds(
        UsageQuery,
        st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple),
        st.just(0.0) | INSTANTS,
        st.none() | INSTANTS,
        st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(values)), max_size=2).map(tuple),
        st.sampled_from(ZONES),
    )


@attrs.define
class Model:
    """What a store should know."""

    charges: dict[str, Charge] = attrs.field(factory=dict[str, Charge])
    reserved: dict[str, Reservation] = attrs.field(factory=dict[str, Reservation])

    def write(self, changes: Sequence[Change]) -> None:
        """Take changes one by one."""
        for change in changes:
            if isinstance(change, Charge):
                self.charges.setdefault(change.id, change)
                self.reserved.pop(change.id, None)
            elif isinstance(change, Release):
                self.reserved.pop(change.id, None)
            elif change.id not in self.charges:
                self.reserved.setdefault(change.id, change)

    def outstanding(self) -> tuple[Reservation, ...]:
        """Give what is set aside."""
        return tuple(sorted(self.reserved.values(), key=lambda each: (each.time, each.id)))

    def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        """Look at each charge by itself."""
        found: dict[tuple[str, ...], list[Charge]] = {}
        for charge in self.charges.values():
            start = charge.time // 900 * 900
            if start + 900 <= query.since:
                continue
            if query.until is not None and start >= query.until:
                continue
            if all(_value(charge, name, query) == value for name, value in query.only):
                key = tuple(_value(charge, name, query) for name in query.by)
                found.setdefault(key, []).append(charge)
        return tuple(_row(key, found[key]) for key in sorted(found))


def _value(charge: Charge, name: str, query: UsageQuery) -> str:
    if name == "day":
        zone = ZoneInfo(query.time_zone)
        return dt.datetime.fromtimestamp(charge.time, zone).date().isoformat()
    if name == "outcome":
        return charge.outcome
    if name.startswith("tag:"):
        return dict(charge.subject.tags).get(name[4:], "")
    return str(getattr(charge.subject, name))


def _row_of(charge: Charge) -> UsageRow:
    usage = charge.usage or Usage()
    return UsageRow(
        (),
        1,
        int(charge.outcome == "succeeded"),
        int(charge.cost is None),
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
        Cost.total([charge.cost]),
        charge.latency,
    )


def _row(key: tuple[str, ...], charges: Sequence[Charge]) -> UsageRow:
    row = UsageRow(key)
    for charge in charges:
        row += _row_of(charge)
    milliseconds = sum(round(charge.latency * 1000) for charge in charges)
    return attrs.evolve(row, latency=milliseconds / 1000)
