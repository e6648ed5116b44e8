"""A load balance by the user's own rule."""

import inspect
from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

import attrs

from trio_llm.balancing.orders import Order, RoundRobin
from trio_llm.balancing.routing import Candidate
from trio_llm.balancing.turn import Turn
from trio_llm.chat import Request
from trio_llm.errors import ProviderCrashedError, ProviderUnavailableError
from trio_llm.providers.status import ProviderStatus

_UNFIT: Final = frozenset({"unsuitable", "context_length"})
"""Refusals that say that a member cannot serve a request at all, now or later."""


class Selection(Protocol):
    """Chooses among the members of a load balance.

    Give one as ``LoadBalance(strategy="custom", selection=...)``. It is asked once for
    each call, in the event loop, so it must be quick. What it raises fails that call, and
    nothing else.
    """

    def order(self, request: Request, members: Sequence[ProviderStatus], /) -> Sequence[str]:
        """Give the names of members in the order in which they are to be tried.

        The first that can take the call gets it. Those left out are not asked.

        Args:
            request: What is asked.
            members: How those fare that can serve such a request at all, in declared
                order; one that is resting, full or down is among them.
        """
        ...


@attrs.define
class Selected:
    """In the order that a `Selection` gives; whatever is no `Request` goes by turns.

    A name that was not shown is still a member, and is refused in its turn. Members that
    cannot serve the request come last, so that the error says why they did not.

    Args:
        selection: The rule.
    """

    selection: Selection
    _turns: Order = attrs.field(factory=RoundRobin, init=False)

    def order(self, turn: Turn) -> list[Candidate]:
        """Ask the rule.

        Raises:
            ProviderCrashedError: It raised, or gave something else than names of members.
            ProviderUnavailableError: It gave no name.
        """
        request = turn.request
        if not isinstance(request, Request):
            return self._turns.order(turn)
        shown: list[Candidate] = []
        unfit: list[Candidate] = []
        for candidate in turn.candidates:
            refusal = candidate.node.refusal(candidate.request)
            (unfit if refusal is not None and refusal.code in _UNFIT else shown).append(candidate)
        if not shown:
            return unfit
        by_name = {candidate.node.name: candidate for candidate in turn.candidates}
        statuses = tuple([candidate.node.status() for candidate in shown])
        names = self._names(turn, request, statuses, tuple(by_name))
        if not names:
            raise ProviderUnavailableError(
                f"its selection {self._name} chose none of {', '.join(by_name)}",
                provider=turn.node.name,
                code="unselected",
            )
        chosen = [by_name[name] for name in names]
        return chosen + [candidate for candidate in unfit if candidate not in chosen]

    def took(self, able: Sequence[Candidate], chosen: Candidate) -> None:
        """Pass the turn on, for what goes by turns."""
        self._turns.took(able, chosen)

    @property
    def _name(self) -> str:
        return type(self.selection).__qualname__

    def _names(
        self, turn: Turn, request: Request, shown: Sequence[ProviderStatus], known: Sequence[str]
    ) -> list[str]:
        """Ask the rule for names; give each once."""
        try:
            given: Any = self.selection.order(request, shown)
        except Exception as error:
            crashed = self._crashed(turn, f"raised {type(error).__name__}: {error}")
            raise crashed from error
        if inspect.iscoroutine(given):
            given.close()
            raise self._crashed(turn, "is async; its method order must give the names at once")
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise self._crashed(turn, f"gave {type(given).__name__} and no list of names")
        names: dict[str, None] = {}
        for name in cast("Sequence[object]", given):
            if not isinstance(name, str) or name not in known:
                raise self._crashed(
                    turn, f"chose {name!r}, which is no member; members are {', '.join(known)}"
                )
            names[name] = None
        return list(names)

    def _crashed(self, turn: Turn, what: str) -> ProviderCrashedError:
        return ProviderCrashedError(
            f"its selection {self._name} {what}", provider=turn.node.name, code="selection"
        )
