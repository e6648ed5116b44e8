"""How a call went: its one-line summary, the tree of its attempts, and the same as data."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from rich.text import Text
from rich.tree import Tree

from trio_llm.chat import NOTHING, Attempt, AttemptOutcome, Reply
from trio_llm.cli.amounts import cost_data, money
from trio_llm.cli.terminal import printable

STYLES: Mapping[AttemptOutcome, str] = {
    AttemptOutcome.SUCCEEDED: "green",
    AttemptOutcome.FAILED: "red",
    AttemptOutcome.CANCELLED: "yellow",
    AttemptOutcome.DISCARDED: "blue",
}
"""The colour of each outcome."""

_CACHED: Mapping[str, str] = {"hit": "from the cache", "shared": "shared with another caller"}


def seconds(value: float) -> str:
    """Give a time with as many digits as a person reads."""
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.2f} s"


def _others(attempts: Sequence[Attempt]) -> list[str]:
    """Say how everybody but the one who answered ended, grouped by outcome."""
    groups: dict[str, list[str]] = {}
    for attempt in attempts:
        if attempt.outcome is AttemptOutcome.SUCCEEDED:
            continue
        why = f" ({attempt.error})" if attempt.error else ""
        groups.setdefault(attempt.outcome.value, []).append(f"{attempt.provider}{why}")
    return [f"{outcome}: {', '.join(names)}" for outcome, names in groups.items()]


def summary(reply: Reply) -> Text:
    """Say in one line who answered, how fast, with how many tokens, and how others ended."""
    usage = reply.usage
    facts = [seconds(reply.latency)]
    if reply.time_to_first_token is not None:
        facts.append(f"first token {seconds(reply.time_to_first_token)}")
    if reply.degraded is None:
        facts.append(f"{usage.input_tokens} tokens in, {usage.output_tokens} out")
    if reply.cost.amount:
        facts.append(money(reply.cost))
    if reply.cached is not None:
        facts.append(_CACHED[reply.cached])
    if reply.finish_reason != "stop":
        facts.append(f"finish reason {reply.finish_reason}")
    facts.extend(_others(reply.attempts))
    if reply.degraded is not None:
        return Text.assemble(
            ("! ", "yellow"), ("nobody answered", "bold"), f" · {' · '.join(facts)}"
        )
    model = "" if reply.model == reply.provider else f" ({printable(reply.model)})"
    return Text.assemble(
        ("✓ ", "green"), (reply.provider, "bold"), f"{model} · {' · '.join(facts)}"
    )


def attempt_line(attempt: Attempt) -> Text:
    """Say how one attempt went."""
    line = Text.assemble((attempt.provider, "bold"))
    if attempt.number > 1:
        line.append(f" attempt {attempt.number}")
    line.append(f" {attempt.outcome.value}", STYLES[attempt.outcome])
    end = attempt.started + attempt.latency
    line.append(f" {seconds(attempt.started)} to {seconds(end)}")
    if attempt.time_to_first_token is not None:
        line.append(f", first token after {seconds(attempt.time_to_first_token)}")
    if attempt.usage is not None:
        line.append(f", {attempt.usage.total_tokens} tokens")
    if attempt.cost is not None and attempt.cost != NOTHING:
        line.append(f", {money(attempt.cost)}")
    what = attempt.error or ""
    why = ": ".join(printable(part) for part in (what, attempt.reason or "") if part)
    if why:
        line.append(f", {why}", "dim")
    return line


def attempt_tree(attempts: Sequence[Attempt], kinds: Mapping[str, str]) -> Tree | None:
    """Give the attempts in the shape of the call tree; ``None`` when there were none.

    Args:
        attempts: In the order of the call tree.
        kinds: The kind of each balancer, by name.
    """
    root: Tree | None = None
    branches: dict[tuple[str, ...], Tree] = {}
    for attempt in attempts:
        above: Tree | None = None
        for depth in range(1, len(attempt.path)):
            path = attempt.path[:depth]
            if path not in branches:
                label = Text.assemble((path[-1], "bold"), (f" {kinds.get(path[-1], '')}", "cyan"))
                branches[path] = Tree(label) if above is None else above.add(label)
                root = root or branches[path]
            above = branches[path]
        if above is None:
            # A provider that was asked by itself: its attempts are all there is.
            above = branches.setdefault((), Tree(Text("attempts", "bold")))
            root = root or above
        above.add(attempt_line(attempt))
    return root


def as_data(reply: Reply) -> dict[str, Any]:
    """Give a reply as plain values: latencies in seconds, tokens as counts."""
    return {
        "text": reply.text,
        "provider": reply.provider,
        "model": reply.model,
        "finish_reason": reply.finish_reason,
        "degraded": reply.degraded,
        "cached": reply.cached,
        "usage": {**attrs.asdict(reply.usage), "total_tokens": reply.usage.total_tokens},
        **cost_data(reply.cost),
        "latency": reply.latency,
        "time_to_first_token": reply.time_to_first_token,
        "metadata": dict(reply.metadata),
        "attempts": [_attempt_data(attempt) for attempt in reply.attempts],
    }


def _attempt_data(attempt: Attempt) -> dict[str, Any]:
    return attrs.asdict(attempt) | {
        "path": list(attempt.path),
        "outcome": attempt.outcome.value,
        **cost_data(attempt.cost),
    }
