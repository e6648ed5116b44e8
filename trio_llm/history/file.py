"""Keeps the history of a runtime in its performance file, and nothing fails by that.

Several runtimes may have the same file: each writes all that it knows, in one step, so
the last one to write wins.
"""

import logging
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeAlias

import attrs
import trio

from trio_llm import events
from trio_llm.assembly import Tree
from trio_llm.blocking import off_the_loop
from trio_llm.config import Config
from trio_llm.disk import write_whole
from trio_llm.events import EventStream
from trio_llm.history.form import written
from trio_llm.history.loading import Loaded, load
from trio_llm.policy.history import History, Identity, Record
from trio_llm.policy.vitals import Vitals

_Known: TypeAlias = tuple[tuple[Identity, Vitals], ...]

_logger = logging.getLogger("trio_llm.runtime")


@attrs.define(eq=False)
class HistoryFile:
    """The performance file of one runtime.

    `read` what a configuration names, then `take_over` that configuration: providers and
    balancers that have not been asked yet then know what is on file. From `start` to
    `close` one task writes, and only where something new is known. It holds nothing up:
    what blocks is done in a thread, what fails is told on the logger ``trio_llm.runtime``.

    Args:
        stream: Where records go.
        wall_clock: Seconds since the epoch.
    """

    stream: EventStream
    wall_clock: Callable[[], float]
    _path: Path | None = attrs.field(default=None, init=False)
    _interval: float = attrs.field(default=math.inf, init=False)
    _usable: bool = attrs.field(default=True, init=False)
    _known: _Known = attrs.field(default=(), init=False)
    _history: History = attrs.field(factory=History, init=False)
    _on_file: Sequence[Record] = attrs.field(default=(), init=False)
    _farewells: list[tuple[Path, Sequence[Record]]] = attrs.field(
        factory=list[tuple[Path, Sequence[Record]]], init=False
    )
    _failing: bool = attrs.field(default=False, init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _scope: trio.CancelScope | None = attrs.field(default=None, init=False)
    _woken: trio.Event = attrs.field(factory=trio.Event, init=False)
    _closing: bool = attrs.field(default=False, init=False)

    async def read(self, config: Config) -> Loaded | None:
        """Read the file that a configuration names; ``None`` if that is the present one."""
        path = _path_of(config)
        if path == self._path:
            return None
        if path is None:
            return Loaded()
        loaded = await off_the_loop(partial(load, path), may_abandon=True)
        if loaded.damage:
            now = trio.current_time()
            self.stream.emit(events.HistorySetAside(now, None, (), str(path), loaded.damage))
        if loaded.unusable:
            _logger.warning("%s: %s; it is left as it is", path, loaded.unusable)
        if loaded.dropped:
            _logger.warning("%s: %d records in it make no sense", path, loaded.dropped)
        return loaded

    def take_over(self, config: Config, tree: Tree, loaded: Loaded | None) -> None:
        """Go on with a plan, and with the file that its configuration names.

        Args:
            config: The configuration.
            tree: Those who are to remember, and be remembered.
            loaded: What `read` gave for this configuration.
        """
        self._note()
        now, wall = trio.current_time(), self.wall_clock()
        if loaded is not None:
            if self._path is not None and self._usable:
                self._farewells.append((self._path, self._history.records))
            self._path, self._usable = _path_of(config), not loaded.unusable
            self._history.add(loaded.records, wall)  # what is known goes along to another file
            on_file = History()
            on_file.add(loaded.records, wall)
            self._on_file = on_file.records
        self._interval = config.performance_interval
        self._known = _known(tree)
        if self._path is not None:
            for identity, vitals in self._known:
                self._history.recall(identity, vitals, now, wall)
        self._go_on()

    def start(self, nursery: trio.Nursery) -> None:
        """Write from now on, in a nursery that waits for `close`."""
        self._nursery = nursery
        self._go_on()

    def close(self, patience: float) -> None:
        """Write a last time, which may take so many seconds, and end."""
        self._closing = True
        if self._scope is not None:
            self._scope.deadline = trio.current_time() + patience
        self._woken.set()

    def _go_on(self) -> None:
        """Wake the task; where there is none yet, and something to do, begin one."""
        if self._nursery is not None and self._scope is None and self._path is not None:
            self._scope = trio.CancelScope(shield=True)
            self._nursery.start_soon(self._run, self._scope)
        self._woken.set()

    async def _run(self, scope: trio.CancelScope) -> None:
        with scope:
            while not self._closing:
                with trio.move_on_after(math.inf if self._path is None else self._interval):
                    await self._woken.wait()
                self._woken = trio.Event()
                await self._save()
            await self._save()
        if scope.cancelled_caught:
            _logger.warning("%s: it was not written in time; what is new is lost", self._path)

    async def _save(self) -> None:
        while self._farewells:
            await self._put(*self._farewells.pop(0))
        path = self._path
        if path is None or not self._usable:
            return
        self._note()
        records = self._history.records
        if records != self._on_file and await self._put(path, records) and path == self._path:
            self._on_file = records

    async def _put(self, path: Path, records: Sequence[Record]) -> bool:
        """Write a file; tell whether that could be done, and others when that changes."""
        try:
            await off_the_loop(lambda: write_whole(path, written(records)), may_abandon=True)
        except (OSError, ValueError) as error:
            level = logging.DEBUG if self._failing else logging.WARNING
            _logger.log(level, "%s: it cannot be written (%s)", path, error)
            self._failing = True
            return False
        if self._failing:
            _logger.info("%s: it can be written again", path)
        self._failing = False
        return True

    def _note(self) -> None:
        now, wall = trio.current_time(), self.wall_clock()
        for identity, vitals in self._known:
            self._history.note(identity, vitals, now, wall)


def _path_of(config: Config) -> Path | None:
    """Give where the file is, whatever directory the process goes to later."""
    if config.performance_file is None:
        return None
    path = Path(config.performance_file)
    try:
        return path.absolute()
    except OSError:  # there is no such directory any more
        return path


def _known(tree: Tree) -> _Known:
    plan = tree.plan
    known: list[tuple[Identity, Vitals]] = []
    for name, node in tree.nodes.items():
        provider = plan.providers.get(name)
        if provider is None:
            identity = Identity(name, plan.balancers[name].settings.kind)
        else:
            identity = Identity(name, provider.kind.name, provider.model or "")
        known.append((identity, node.vitals))
    return tuple(known)
