"""Budgets: what may be spent, by whom, and what happens at the limit."""

from decimal import Decimal

import trio

import trio_llm
from trio_llm import events

PRICE = trio_llm.PriceSettings(input=100.0, output=1000.0)  # dollars per million tokens
CONFIG = trio_llm.Config(
    providers={
        "dear": trio_llm.Provider("simulated", price=PRICE),
        "local": trio_llm.Provider("simulated"),  # it asks for no money
    },
    default=trio_llm.Fallback(("dear", "local"), name="within the budget"),
    budgets={
        # A balancer goes on to members that cost less.
        "day": trio_llm.Budget(limit=0.10, period="day", on_limit="fall_on", alerts=(0.5,)),
        # The call ends: each user has so much a month.
        "user": trio_llm.Budget(limit=0.05, period="month", per="user", on_limit="refuse"),
    },
    time_zone="UTC",
)


def tell(event: events.Event) -> None:
    """Print what budgets say."""
    if isinstance(event, events.BudgetAlert):
        print(f"  [{event.budget}: {event.threshold:.0%} of ${event.limit} are spent]")


async def main() -> None:
    """Ask until the budgets are used up."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        llm.subscribe(tell)
        print("one user:")
        try:
            for number in range(9):
                reply = await llm.generate(f"Question {number}?", max_tokens=20, user="ada")
                print(f"  question {number}: {reply.provider}, {reply.cost}")
        except trio_llm.BudgetExceededError as error:
            print(f"  budget {error.budget!r} of {error.account}: nothing was sent")

        print("all others:")
        for number in range(6):
            reply = await llm.generate(f"Question {number}?", max_tokens=20)
            print(f"  question {number}: {reply.provider}, {reply.cost}")

        for status in llm.budgets():
            who = f" of {status.account}" if status.account else ""
            left = status.remaining.quantize(Decimal("0.001"))
            print(f"{status.name}{who}: ${status.spent.normalize()} spent, ${left} left")


if __name__ == "__main__":
    trio.run(main)
