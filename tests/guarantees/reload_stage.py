"""What the tests of reloads share: providers by name, drawn configurations, and callers."""

import random
from collections.abc import Callable, Sequence

import attrs
import trio

from tests.guarantees.scenes import Cast, by_attempt
from trio_llm import (
    AllProvidersFailed,
    Config,
    Fallback,
    LLMError,
    LoadBalance,
    Provider,
    ProviderUnavailableError,
    Race,
    Restart,
    Runtime,
)
from trio_llm.config.schema import Member
from trio_llm.testing import Step

GENEROUS = Restart(max_restarts=1000, backoff=0.1, max_backoff=0.5)
NAMES = ("a", "b", "c", "d", "e")
SHAPES: tuple[Callable[..., Member], ...] = (Race, Fallback, LoadBalance)


def living() -> int:
    """Count the tasks that live."""
    return trio.lowlevel.current_statistics().tasks_living


@attrs.define(eq=False)
class Callers:
    """Calls that give up at times of their own; each must end in exactly one outcome.

    Attributes:
        outcomes: By number, the text, the class of the error, or ``cancelled``.
        refusals: Why providers took no call.
    """

    rng: random.Random
    outcomes: dict[int, str] = attrs.field(factory=dict[int, str], init=False)
    refusals: list[str | None] = attrs.field(factory=list[str | None], init=False)

    async def ask(self, llm: Runtime, number: int) -> None:
        """Ask once, plain or streaming, and perhaps give up."""
        streaming, patience = self.rng.random() < 0.5, self.rng.choice((0.5, 1.0, 2.0, 6.0))
        await trio.sleep(self.rng.choice((0.0, 0.5, 1.0, 1.5)))
        outcome = "cancelled"
        with trio.move_on_after(patience):
            try:
                if streaming:
                    async with llm.stream("hello") as stream:
                        outcome = "".join([piece async for piece in stream.text()])
                else:
                    outcome = (await llm.generate("hello")).text
            except LLMError as error:
                outcome = type(error).__name__
                leaves = error.errors if isinstance(error, AllProvidersFailed) else (error,)
                self.refusals += [
                    leaf.code for leaf in leaves if isinstance(leaf, ProviderUnavailableError)
                ]
        assert number not in self.outcomes
        self.outcomes[number] = outcome


@attrs.define(eq=False)
class Stage:
    """Scripted providers by name, and configurations over them.

    Attributes:
        cast: The scripts.
    """

    rng: random.Random
    steps: Sequence[Step]
    cast: Cast = attrs.field(factory=Cast, init=False)
    _providers: dict[str, Provider] = attrs.field(factory=dict[str, Provider], init=False)

    def provider(self, name: str) -> Provider:
        """Give the provider of a name, now and then with another setting."""
        if name not in self._providers:
            script = by_attempt(self.rng.getrandbits(32), name, self.steps)
            self._providers[name] = self.cast.provider(name, script, max_concurrency=2, mailbox=4)
        if self.rng.random() < 0.3:
            changed = attrs.evolve(self._providers[name], mailbox=self.rng.randint(2, 6))
            self._providers[name] = changed
        return self._providers[name]

    def config(self) -> Config:
        """Draw a configuration: two balancers, one in the other, over some of the names."""
        rng = self.rng
        members = [self.provider(name) for name in rng.sample(NAMES, rng.randint(2, 5))]
        cut = rng.randint(1, len(members) - 1)
        inner = rng.choice(SHAPES)(tuple(members[:cut]), name="inner")
        outer = rng.choice(SHAPES)(
            (inner, *members[cut:]), name=rng.choice(("outer", "outer", "whole"))
        )
        return Config(default=outer, restart=GENEROUS, drain_deadline=60.0)
