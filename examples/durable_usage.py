"""A store on disk: usage and budgets outlive the process, a crash included."""

from pathlib import Path
from tempfile import TemporaryDirectory

import trio

import trio_llm


def config_in(folder: str) -> trio_llm.Config:
    """Keep everything in a file there."""
    return trio_llm.Config(
        providers={
            "house": trio_llm.Provider(
                "simulated", price=trio_llm.PriceSettings(input=1.0, output=4.0)
            )
        },
        budgets={"all": trio_llm.Budget(limit=1.0, period="total")},
        store=trio_llm.StoreSettings(path=str(Path(folder) / "usage.db")),
    )


async def one_day(config: trio_llm.Config, questions: int) -> None:
    """Open a runtime, ask, and close it again."""
    async with trio_llm.open_runtime(config) as llm:
        (budget,) = llm.budgets()
        print(f"opened: {budget.spent:.6f} dollars spent so far")
        for number in range(questions):
            # When this returns, what the call cost is on disk.
            await llm.generate(f"Question {number}?")


async def main() -> None:
    """Run twice on one file, then read it."""
    with TemporaryDirectory() as folder:
        config = config_in(folder)
        await one_day(config, 3)
        await one_day(config, 4)
        async with trio_llm.open_runtime(config) as llm:
            total = await llm.ledger.total()
            print(f"in the file: {total.attempts} attempts, {total.cost}")
            (budget,) = llm.budgets()
            print(f"the budget agrees: {budget.spent == total.cost.amount}")


if __name__ == "__main__":
    trio.run(main)
