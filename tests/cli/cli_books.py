"""Books on disk with a fortnight of use in them, for commands that read them."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import attrs
import trio

from trio_llm.chat import Certainty, Charge, Cost, Reservation, Subject, Usage
from trio_llm.store import CachedAnswer, Change, SQLiteStore
from trio_llm.store.file_lock import FileLock

NOW: Final = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()
"""When the commands are run."""

DAY: Final = 86_400.0

CONFIG: Final = """
{head}
[store]
path = "{path}"
[providers.openai]
kind = "simulated"
[providers.local]
kind = "simulated"
{more}
"""

_MODELS: Final = (
    (Subject("openai", "openai", "gpt-4o", "ann", tags=(("team", "search"),)), "0.0125"),
    (Subject("openai", "openai", "gpt-4o-mini", "bob"), "0.00125"),
    (Subject("anthropic", "anthropic", "claude-sonnet", "ann"), "0.02"),
)


def _charges() -> Iterator[Charge]:
    """Give three attempts a day, two of which cost less every day back; and a few oddities."""
    for back in range(14):
        if back in {3, 4}:
            continue
        for place, (subject, price) in enumerate(_MODELS):
            yield Charge(
                f"{back}-{place}",
                NOW - back * DAY - place * 3600.0,
                subject,
                back,
                "succeeded",
                Usage(1000 + place, 200 + back),
                Cost(Decimal(price) * (14 - back)),
                0.5,
            )
    sure = _MODELS[0][0]
    yield Charge("guess", NOW - 60, sure, 90, "succeeded", Usage(10, 5), _cost("0.1", 1), 1.0)
    late = _MODELS[2][0]
    yield Charge("cut", NOW - 50, late, 91, "cancelled", None, _cost("0.05", 2), 2.0)
    unknown = Subject("local", "custom", "llama", operation="embed")
    yield Charge("unpriced", NOW - 40, unknown, 92, "failed", None, None, 0.1)


def _cost(amount: str, certainty: int) -> Cost:
    return Cost(Decimal(amount), Certainty(certainty))


def write(path: Path, changes: Sequence[Change], answers: Sequence[CachedAnswer] = ()) -> None:
    """Write a store."""

    async def fill() -> None:
        store = SQLiteStore(path)
        async with store.opened():
            await store.write(changes)
            for answer in answers:
                await store.keep(answer, entries=100, size=1 << 20)

    trio.run(fill)


@attrs.frozen
class Books:
    """A folder with a configuration and a store in it.

    Attributes:
        folder: The folder.
    """

    folder: Path

    @property
    def store(self) -> Path:
        """The file of the store."""
        return self.folder / "books.db"

    def config(self, more: str = "", *, head: str = "") -> str:
        """Write the configuration, with more tables in it, and with settings before them."""
        path = self.folder / "agent.toml"
        path.write_text(CONFIG.format(path=self.store, more=more, head=head))
        return str(path)

    @property
    def lock(self) -> FileLock:
        """What a runtime holds while it has the store open."""
        return FileLock(self.store.with_name(f"{self.store.name}.lock"))

    def fill(self, more: Sequence[Change] = ()) -> None:
        """Write a fortnight of use."""
        write(self.store, [*_charges(), *more])

    def keep(self, *expiries: float) -> None:
        """Keep an answer of 600 bytes for each of these instants at which one expires."""
        answers = [
            CachedAnswer(bytes([number]) * 32, NOW - DAY, expires, b"x" * 600)
            for number, expires in enumerate(expiries)
        ]
        write(self.store, [], answers)


def reservation(identifier: str, estimate: str, user: str = "ann") -> Reservation:
    """Give what is set aside for an attempt that is under way."""
    subject = attrs.evolve(_MODELS[0][0], user=user)
    return Reservation(identifier, NOW - 5, subject, 99, Decimal(estimate))
