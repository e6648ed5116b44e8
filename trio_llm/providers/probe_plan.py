"""How a provider is probed, and what a probe finds."""

import attrs

from trio_llm.errors import ProviderError


@attrs.frozen(kw_only=True)
class ProbePlan:
    """How a provider is probed.

    Attributes:
        interval: Seconds between two active probes; ``None`` means none.
        jitter: By how much of its length an interval may differ, 0 to 1.
        timeout: Seconds that a probe may take.
        lists_models: Whether the list of models is asked for, in place of one token.
        close_deadline: Seconds that a cancelled one has to leave.
    """

    interval: float | None = None
    jitter: float = 0.1
    timeout: float = 10.0
    lists_models: bool = False
    close_deadline: float = 1.0


@attrs.frozen
class ProbeResult:
    """How a probe ended.

    Attributes:
        healthy: Whether the provider answered.
        latency: Seconds to the answer or the failure.
        error: Why it did not answer.
        model: The model that answered.
    """

    healthy: bool
    latency: float
    error: ProviderError | None = None
    model: str | None = None
