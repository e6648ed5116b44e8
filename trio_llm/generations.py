"""Generations: the runtime owns the actors, and each configuration is a plan over them.

A reload makes a new plan, with every actor that has not changed taken over as it lives,
and puts it in the place of the old one in one step. Calls that are under way finish on
the plan that they began on, whomever it asks: what has left the plan drains when nobody
can ask it any more, balancers first.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import trio

from trio_llm.actors import Refused, Supervisor
from trio_llm.assembly import Surroundings, Tree, build, prices_at_hand
from trio_llm.bookkeeping import check_same_store, rules_of
from trio_llm.config import Config, Plan, check, load_config
from trio_llm.degradation import StandIns
from trio_llm.errors import RuntimeClosedError
from trio_llm.events import ConfigReloaded
from trio_llm.history import HistoryFile, Loaded
from trio_llm.ledger import Spent
from trio_llm.providers.actor import ProviderActor
from trio_llm.providers.status import NodeStatistics
from trio_llm.retirement import Retirement
from trio_llm.switchboard import Switchboard

ConfigSource: TypeAlias = Config | Mapping[str, Any] | str | os.PathLike[str] | None


_logger = logging.getLogger("trio_llm.runtime")


async def planned(source: ConfigSource) -> Plan:
    """Load a configuration, check it, and give what is to be built from it, prices at hand.

    Raises:
        ConfigError: It has faults; all of them are listed.
    """
    config = load_config(source)
    plan = check(config)
    if source is None and config.simulated:
        _logger.warning("no provider is configured and no key is set: simulated providers answer")
    await prices_at_hand(plan)
    return plan


@attrs.frozen
class ReloadReport:
    """What a reload did; providers and balancers by name, members before balancers.

    Attributes:
        generation: The number of the configuration that now runs; the first was 1.
        added: Those whose names are new.
        removed: Those whose names are gone.
        changed: Those that have a new actor: their settings have changed, or those whom
            they ask have, or they were down.
        kept: Those that live on as they were.
    """

    generation: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    kept: tuple[str, ...]


@attrs.define(eq=False)
class Generations:
    """The present plan of a runtime, and how the next one takes its place.

    Attributes:
        around: What the actors are given from outside.
        supervisor: Keeps the actors alive.
        board: Where every call finds the node that it asks.
        stand_ins: What callers get where nobody could answer.
        tree: The present plan, with its actors.
        history: What is kept over restarts of how they fare.
        number: How many configurations there have been.
    """

    around: Surroundings
    supervisor: Supervisor
    board: Switchboard
    stand_ins: StandIns
    tree: Tree
    history: HistoryFile
    number: int = attrs.field(default=1, init=False)
    _retirement: Retirement = attrs.field(factory=Retirement, init=False)
    _lock: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    @property
    def config(self) -> Config:
        """The present configuration."""
        return self.tree.plan.config

    def retired(self) -> dict[str, NodeStatistics]:
        """Give the counts of those who have left the plan, by name."""
        return self._retirement.statistics()

    async def reload(self, source: ConfigSource) -> ReloadReport:
        """Put another configuration in the place of the present one; see `Runtime.reload`."""
        async with self._lock:
            if self.supervisor.stopping:
                raise _closed()
            plan = await planned(source)
            check_same_store(self.config, plan.config)
            accounts = self.around.accounts
            spent = await accounts.history(rules_of(plan.config))
            try:
                on_file = await self.history.read(plan.config)
                tree = build(plan, self.around, self.tree)
                await self.supervisor.start(tree.cells, tree.uses)
            except BaseException as error:
                accounts.stay()
                if isinstance(error, Refused):
                    raise _closed() from None
                raise
            return self._swap(tree, spent, on_file)

    @trio.lowlevel.enable_ki_protection
    def _swap(self, tree: Tree, spent: Sequence[Spent], on_file: Loaded | None) -> ReloadReport:
        """Let the next call find another plan, and retire those who are not in it."""
        old, self.tree = self.tree, tree
        self.number += 1
        report = _compared(old, tree, self.number)
        config = tree.plan.config
        budget = config.retry_budget
        self.around.retries.adjust(
            trio.current_time(), share=budget.share, per_second=budget.per_second
        )
        self.stand_ins.configure(config.degradation)
        self.board.answers.adopt(tree.plan)
        self.around.accounts.reconfigure(rules_of(config), spent)
        self.history.take_over(config, tree, on_file)
        self.board.take_over(
            tree.nodes,
            tree.plan.default,
            close_deadline=config.close_deadline,
            max_attempts=config.max_attempts,
        )
        self._bequeath(old, report)  # records begin here: those who see them see the new plan
        self.around.events.emit(
            ConfigReloaded(
                trio.current_time(),
                None,
                (),
                self.number,
                report.added,
                report.removed,
                report.changed,
            )
        )
        return report

    def _bequeath(self, old: Tree, report: ReloadReport) -> None:
        """Retire those who are not in the plan any more; those who are new inherit."""
        tree, retirement = self.tree, self._retirement
        left = [
            old.nodes[name] for name in old.nodes if old.nodes[name] is not tree.nodes.get(name)
        ]
        for actor in left:
            retirement.left(actor, old.plan.providers.get(actor.name), tree.nodes.get(actor.name))
        new = [tree.nodes[name] for name in (*report.added, *report.changed)]
        retirement.came(
            [
                (actor, tree.plan.providers[actor.name])
                for actor in new
                if isinstance(actor, ProviderActor)
            ]
        )
        self.supervisor.retire([actor.cell for actor in reversed(left)], retirement.ended)


def _compared(old: Tree, new: Tree, generation: int) -> ReloadReport:
    names = tuple(new.nodes)
    return ReloadReport(
        generation,
        added=tuple([name for name in names if name not in old.nodes]),
        removed=tuple([name for name in old.nodes if name not in new.nodes]),
        changed=tuple(
            [name for name in names if name in old.nodes and old.nodes[name] is not new.nodes[name]]
        ),
        kept=tuple([name for name in names if old.nodes.get(name) is new.nodes[name]]),
    )


def _closed() -> RuntimeClosedError:
    return RuntimeClosedError("the runtime is closed: it takes no new configuration")
