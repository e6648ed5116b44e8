"""Deterministic testing: scripted providers, virtual worlds, seeds, a simulated upstream.

>>> from trio_llm import Config, Provider, Race
>>> from trio_llm.testing import Answers, ScriptedProvider, Stalls, explore, seeds
"""

import sys

from trio_llm._face import show_at
from trio_llm.testing.log import Entry as Entry
from trio_llm.testing.log import canonical as canonical
from trio_llm.testing.operations import Embeds as Embeds
from trio_llm.testing.operations import Judges as Judges
from trio_llm.testing.operations import Lists as Lists
from trio_llm.testing.operations import Pulls as Pulls
from trio_llm.testing.scheduler import seeded_scheduler as seeded_scheduler
from trio_llm.testing.script import Answers as Answers
from trio_llm.testing.script import CallsTool as CallsTool
from trio_llm.testing.script import Clings as Clings
from trio_llm.testing.script import Crashes as Crashes
from trio_llm.testing.script import Cuts as Cuts
from trio_llm.testing.script import Fails as Fails
from trio_llm.testing.script import RateLimits as RateLimits
from trio_llm.testing.script import ScriptedProvider as ScriptedProvider
from trio_llm.testing.script import SendsGarbage as SendsGarbage
from trio_llm.testing.script import Stalls as Stalls
from trio_llm.testing.script import Step as Step
from trio_llm.testing.world import Outcome as Outcome
from trio_llm.testing.world import SeedFailed as SeedFailed
from trio_llm.testing.world import World as World
from trio_llm.testing.world import explore as explore
from trio_llm.testing.world import run as run
from trio_llm.testing.world import seeds as seeds

__all__ = [
    "Answers",
    "CallsTool",
    "Clings",
    "Crashes",
    "Cuts",
    "Embeds",
    "Entry",
    "Fails",
    "Judges",
    "Lists",
    "Outcome",
    "Pulls",
    "RateLimits",
    "ScriptedProvider",
    "SeedFailed",
    "SendsGarbage",
    "Stalls",
    "Step",
    "World",
    "canonical",
    "explore",
    "run",
    "seeded_scheduler",
    "seeds",
]

show_at(sys.modules[__name__])
del show_at, sys
