"""What happened, as frozen records, and the one place that emits them.

Every record has `time` (seconds on Trio's clock), `call` (the number of the call
in its runtime, or ``None``) and `path` (the way through the call tree, or the
actor's name alone). Records arrive in the order in which things happened.
"""

import sys

from trio_llm._face import show_at
from trio_llm.events.books import BudgetAlert as BudgetAlert
from trio_llm.events.books import BudgetExceeded as BudgetExceeded
from trio_llm.events.books import CacheHit as CacheHit
from trio_llm.events.books import CacheMissed as CacheMissed
from trio_llm.events.books import CacheStored as CacheStored
from trio_llm.events.books import ConfigReloaded as ConfigReloaded
from trio_llm.events.books import Degraded as Degraded
from trio_llm.events.books import FlightJoined as FlightJoined
from trio_llm.events.books import HistorySetAside as HistorySetAside
from trio_llm.events.books import StoreFailed as StoreFailed
from trio_llm.events.books import StoreRecovered as StoreRecovered
from trio_llm.events.calls import AttemptCancelled as AttemptCancelled
from trio_llm.events.calls import AttemptFailed as AttemptFailed
from trio_llm.events.calls import AttemptStarted as AttemptStarted
from trio_llm.events.calls import AttemptSucceeded as AttemptSucceeded
from trio_llm.events.calls import FirstToken as FirstToken
from trio_llm.events.calls import RequestFinished as RequestFinished
from trio_llm.events.calls import RequestStarted as RequestStarted
from trio_llm.events.choices import AdviceMissing as AdviceMissing
from trio_llm.events.choices import ConsensusReached as ConsensusReached
from trio_llm.events.choices import FellBack as FellBack
from trio_llm.events.choices import HedgeStarted as HedgeStarted
from trio_llm.events.choices import HedgeSuppressed as HedgeSuppressed
from trio_llm.events.choices import LoserCancelled as LoserCancelled
from trio_llm.events.choices import LoserDiscarded as LoserDiscarded
from trio_llm.events.choices import RaceScored as RaceScored
from trio_llm.events.choices import StreamSwitched as StreamSwitched
from trio_llm.events.choices import VoteCast as VoteCast
from trio_llm.events.choices import WinnerChosen as WinnerChosen
from trio_llm.events.health import ActorCrashed as ActorCrashed
from trio_llm.events.health import ActorDown as ActorDown
from trio_llm.events.health import ActorDrained as ActorDrained
from trio_llm.events.health import ActorRestarted as ActorRestarted
from trio_llm.events.health import BreakerChanged as BreakerChanged
from trio_llm.events.health import CleanupOverran as CleanupOverran
from trio_llm.events.health import CooldownStarted as CooldownStarted
from trio_llm.events.health import ProbeFinished as ProbeFinished
from trio_llm.events.health import ProbeStarted as ProbeStarted
from trio_llm.events.health import ProviderRecovered as ProviderRecovered
from trio_llm.events.record import Event as Event
from trio_llm.events.stream import EventStream as EventStream
from trio_llm.events.stream import Observer as Observer

__all__ = [
    "ActorCrashed",
    "ActorDown",
    "ActorDrained",
    "ActorRestarted",
    "AdviceMissing",
    "AttemptCancelled",
    "AttemptFailed",
    "AttemptStarted",
    "AttemptSucceeded",
    "BreakerChanged",
    "BudgetAlert",
    "BudgetExceeded",
    "CacheHit",
    "CacheMissed",
    "CacheStored",
    "CleanupOverran",
    "ConfigReloaded",
    "ConsensusReached",
    "CooldownStarted",
    "Degraded",
    "Event",
    "EventStream",
    "FellBack",
    "FirstToken",
    "FlightJoined",
    "HedgeStarted",
    "HedgeSuppressed",
    "HistorySetAside",
    "LoserCancelled",
    "LoserDiscarded",
    "Observer",
    "ProbeFinished",
    "ProbeStarted",
    "ProviderRecovered",
    "RaceScored",
    "RequestFinished",
    "RequestStarted",
    "StoreFailed",
    "StoreRecovered",
    "StreamSwitched",
    "VoteCast",
    "WinnerChosen",
]

show_at(sys.modules[__name__])
del show_at, sys
