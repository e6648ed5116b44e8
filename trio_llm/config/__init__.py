"""Configuration: what can be said, where it comes from, and one check of all of it."""

from trio_llm.config.load import load_config as load_config
from trio_llm.config.plan import Plan as Plan
from trio_llm.config.plan import ResolvedBalancer as ResolvedBalancer
from trio_llm.config.plan import ResolvedProvider as ResolvedProvider
from trio_llm.config.resolve import check as check
from trio_llm.config.schema import Balancer as Balancer
from trio_llm.config.schema import Fallback as Fallback
from trio_llm.config.schema import KeySource as KeySource
from trio_llm.config.schema import LoadBalance as LoadBalance
from trio_llm.config.schema import Member as Member
from trio_llm.config.schema import Provider as Provider
from trio_llm.config.schema import Race as Race
from trio_llm.config.secret import Secret as Secret
from trio_llm.config.settings import CooldownSettings as CooldownSettings
from trio_llm.config.settings import Restart as Restart
from trio_llm.config.settings import Retry as Retry
from trio_llm.config.settings import Simulation as Simulation
from trio_llm.config.settings import Timeouts as Timeouts
from trio_llm.config.starter import starter_toml as starter_toml
from trio_llm.config.tree import Config as Config
