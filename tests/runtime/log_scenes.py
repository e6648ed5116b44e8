"""What the tests of the log share: a call that goes wrong first, and what was logged of it."""

from typing import Any

import pytest

from tests.guarantees.scenes import Cast
from trio_llm import Config, CooldownSettings, Fallback
from trio_llm.logs.claims import LOGGERS, ROOT
from trio_llm.testing import Answers, World, run

SECRET = "the secret of the prompt"


def loggers() -> list[Any]:
    """Give all that can be set at the loggers."""
    levels: list[Any] = [logger.level for logger in (ROOT, *LOGGERS.values())]
    return [*levels, list(ROOT.handlers), ROOT.propagate]


def member(*first: Any) -> Fallback:
    """Give a fallback whose first member begins with these steps, and rests after a failure."""
    cast = Cast()
    moody = cast.provider("moody", [*first, Answers()], cooldown=CooldownSettings(after_failures=1))
    return Fallback([moody, cast.provider("spare", Answers(after=1.0))], name="safe")


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Give room, level and message of each record."""
    return [
        (record.name.removeprefix("trio_llm."), record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("trio_llm")
    ]


def log_one_call(config: Config) -> None:
    """Make one call."""

    async def scenario(world: World) -> None:
        async with world.open(config) as llm:
            await llm.generate(SECRET)

    run(scenario)
