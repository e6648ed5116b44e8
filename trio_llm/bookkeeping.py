"""The books of a runtime: opened before its first actor, closed after its last."""

import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final

import trio

from trio_llm.config import Config
from trio_llm.errors import ConfigError, StoreError
from trio_llm.events import EventStream
from trio_llm.ledger import Accounts, Journal
from trio_llm.policy.spending import Rule, Spending
from trio_llm.store import MemoryStore, Store

_DAY: Final = 86_400.0


def store_of(config: Config, wall_clock: Callable[[], float]) -> Store:
    """Make the store that a configuration names; it is not open yet."""
    settings = config.store
    if settings.path is None:
        return MemoryStore()
    from trio_llm.store.sqlite import SQLiteStore  # noqa: PLC0415 - loaded by those who use it

    return SQLiteStore(settings.path, synchronous=settings.synchronous, wall_clock=wall_clock)


def rules_of(config: Config) -> tuple[Rule, ...]:
    """Give the budgets of a configuration as the policy has them."""
    return tuple(
        [
            Rule(
                name=name,
                limit=Decimal(repr(budget.limit)),
                period=budget.period,
                per=budget.per,
                only=frozenset(budget.only),
                alerts=tuple(sorted(budget.alerts)),
                on_limit=budget.on_limit,
                time_zone=config.time_zone,
            )
            for name, budget in config.budgets.items()
        ]
    )


@asynccontextmanager
async def open_books(
    config: Config, events: EventStream, wall_clock: Callable[[], float]
) -> AsyncGenerator[Accounts, None]:
    """Open the store, book what an earlier process left, and fill the budgets.

    Raises:
        StoreError: The store cannot be opened.
    """
    store, rules = store_of(config, wall_clock), rules_of(config)
    del config  # those who leave the plan are not kept by this frame
    async with store.opened():
        journal = Journal(store, events)
        run = secrets.token_hex(6)  # no simulation goes by it
        accounts = Accounts(run, wall_clock, events, journal, Spending(()))
        if store.durable:
            await accounts.recover()
        accounts.reconfigure(rules, await accounts.history(rules), told=True)
        yield accounts


async def keep_books(accounts: Accounts, keep_days: int) -> None:
    """Write what is booked until the journal is closed, whatever is cancelled outside.

    Charges older than so many days are folded into sums once a day.
    """
    with trio.CancelScope(shield=True):
        if not accounts.journal.durable:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_fold, accounts, keep_days)
            await accounts.journal.run()
            nursery.cancel_scope.cancel(reason="the books are closed")


async def _fold(accounts: Accounts, keep_days: int) -> None:
    while True:
        try:
            await accounts.journal.store.prune(accounts.wall_clock() - keep_days * _DAY)
        except StoreError as error:
            accounts.journal.complain(error)
        await trio.sleep(_DAY)


def check_same_store(old: Config, new: Config) -> None:
    """Refuse a reload that would move the books.

    Raises:
        ConfigError: It names another store.
    """
    if old.store != new.store:
        raise ConfigError(
            ["store: it cannot change while the runtime runs; close it and open it anew"]
        )
