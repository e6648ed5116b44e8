"""One call in virtual time, and all that a test may want to know of it."""

from collections.abc import Mapping
from typing import Any

import attrs
import trio

from tests.guarantees.choosing_scenes import fill, vitals_of
from tests.guarantees.scenes import Cast, assert_idle, field, kinds
from trio_llm import Config, LLMError, Provider, Reply
from trio_llm.chat import AttemptOutcome, StreamEvent
from trio_llm.config.schema import Member
from trio_llm.policy.vitals import Vitals, VitalsSnapshot
from trio_llm.testing import Entry, World, run


@attrs.frozen
class Asked:
    """What came of a call.

    Attributes:
        outcome: The reply, or the error; ``None`` when the caller was cancelled.
        at: When it came: for a stream, when its block was entered.
        log: Everything that happened.
        shown: The events of a stream.
        vitals: What is known of each provider and balancer afterwards.
    """

    outcome: Reply | LLMError | None
    at: float
    log: tuple[Entry, ...]
    shown: tuple[StreamEvent, ...]
    vitals: Mapping[str, VitalsSnapshot]

    @property
    def reply(self) -> Reply:
        """The reply."""
        assert isinstance(self.outcome, Reply), self.outcome
        return self.outcome

    @property
    def attempts(self) -> dict[str, AttemptOutcome]:
        """How the last attempt of each provider ended."""
        assert self.outcome is not None
        return {attempt.provider: attempt.outcome for attempt in self.outcome.attempts}

    def entries(self, kind: str, *names: str) -> list[tuple[Any, ...]]:
        """Give the particulars of the entries of one kind."""
        return [tuple(field(each, name) for name in names) for each in kinds(self.log, kind)]


def ask(
    cast: Cast,
    default: Member,
    *,
    beside: Mapping[str, Provider] | None = None,
    records: Mapping[str, tuple[int, int]] | None = None,
    streaming: bool = False,
    patience: float = float("inf"),
    seed: int = 0,
    **options: Any,
) -> Asked:
    """Ask once; nothing may run afterwards.

    Args:
        cast: The providers.
        default: Who is asked.
        beside: Further providers of the configuration, by name.
        records: Races won and lost before, by name.
        streaming: Whether to take the answer as a stream.
        patience: Seconds after which the caller is cancelled.
        seed: Of the world.
        options: The fields of the request.
    """
    shown: list[StreamEvent] = []
    vitals: dict[str, VitalsSnapshot] = {}

    async def scenario(world: World) -> tuple[Reply | LLMError | None, float]:
        config = Config(dict(beside or {}), default=default)
        outcome: Reply | LLMError | None = None
        async with world.open(config) as llm:
            for name, (won, lost) in (records or {}).items():
                fill(vitals_of(llm, name), won, lost)
            at = 0.0
            with trio.move_on_after(patience):
                try:
                    if streaming:
                        async with llm.stream("hi", **options) as stream:
                            at = trio.current_time()
                            shown.extend([event async for event in stream])
                            outcome = stream.reply
                    else:
                        outcome = await llm.generate("hi", **options)
                        at = trio.current_time()
                except LLMError as error:
                    outcome, at = error, at or trio.current_time()
            at = at or trio.current_time()
            assert_idle(cast, llm)
            for status in llm.status():
                known: Vitals = vitals_of(llm, status.name)
                vitals[status.name] = known.snapshot(trio.current_time())
        return outcome, at

    played = run(scenario, seed=seed)
    return Asked(*played.value, played.log, tuple(shown), vitals)
