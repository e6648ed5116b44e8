"""Pure state machines: time and randomness are arguments, nothing here waits."""

from trio_llm.errors import Blame as Blame
from trio_llm.policy.blame import blame_for as blame_for
from trio_llm.policy.blame import own_blame as own_blame
from trio_llm.policy.breaker import Breaker as Breaker
from trio_llm.policy.breaker import BreakerState as BreakerState
from trio_llm.policy.breaker import FailureKind as FailureKind
from trio_llm.policy.breaker import Permit as Permit
from trio_llm.policy.budget import RetryBudget as RetryBudget
from trio_llm.policy.cooldown import Cooldown as Cooldown
from trio_llm.policy.limits import TimeLimits as TimeLimits
from trio_llm.policy.retry import backoff as backoff
from trio_llm.policy.rotation import Rotation as Rotation
from trio_llm.policy.rotation import WeightedRotation as WeightedRotation
