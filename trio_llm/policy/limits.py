"""How long one exchange may take."""

import math

import attrs


@attrs.frozen
class TimeLimits:
    """How long one exchange may take in each phase, in seconds; ``inf`` means no limit.

    Only time spent waiting for the upstream counts: the clocks are looked at
    while bytes are awaited, so a slow consumer never makes a provider late.

    Args:
        connect: To open a connection, proxy and TLS included.
        first_token: From the start to the first useful event of a stream, or to
            the head of a plain response.
        idle: After that, between two useful events or two reads of a plain body.
        total: The whole exchange; noticed at the next wait for the upstream.
    """

    connect: float = 5.0
    first_token: float = 60.0
    idle: float = 60.0
    total: float = math.inf
