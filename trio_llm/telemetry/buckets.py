"""The bounds of the histograms.

They are those that OpenTelemetry's semantic conventions for generative AI ask for, so that
figures of different libraries can be laid over each other (release 0.1.0 of
github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/client-inference.md and
gen-ai-metrics.md).
"""

from typing import Final

SECONDS: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
"""Seconds of a call or an attempt, and to the first token (``gen_ai.client.inference.duration``,
``gen_ai.client.inference.time_to_first_chunk``)."""

SECONDS_PER_TOKEN: Final = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
)  # fmt: skip
"""Seconds for each token after the first (``gen_ai.server.time_per_output_token``)."""

TOKENS: Final = tuple([float(4**exponent) for exponent in range(14)])
"""Tokens of one exchange: 1, 4, 16, ... 67,108,864 (``gen_ai.client.inference.operation.*``)."""
