"""Balancers: actors that ask other actors, and let one answer through.

A strategy is one file with one class; `BalancerActor` runs it.
"""

from trio_llm.balancing.actor import BalancerActor as BalancerActor
from trio_llm.balancing.consensus import ConsensusStrategy as ConsensusStrategy
from trio_llm.balancing.fallback import FallbackStrategy as FallbackStrategy
from trio_llm.balancing.hedge import HedgeStrategy as HedgeStrategy
from trio_llm.balancing.load_balance import LoadBalanceStrategy as LoadBalanceStrategy
from trio_llm.balancing.quality_race import QualityRaceStrategy as QualityRaceStrategy
from trio_llm.balancing.race import RaceStrategy as RaceStrategy
from trio_llm.balancing.selection import Selection as Selection
from trio_llm.balancing.turn import Strategy as Strategy
from trio_llm.balancing.turn import see_off as see_off
from trio_llm.balancing.weighted_race import WeightedRaceStrategy as WeightedRaceStrategy
