"""Costs: what each call and each attempt has cost, and who has spent what."""

import trio

import trio_llm

CONFIG = trio_llm.Config(
    providers={
        "dear": trio_llm.Provider(
            "simulated",
            model="large",
            price=trio_llm.PriceSettings(input=2.5, output=10.0),  # dollars per million tokens
            simulation=trio_llm.Simulation(latency=0.05),
        ),
        "cheap": trio_llm.Provider(
            "simulated",
            model="small",
            price=trio_llm.PriceSettings(input=0.15, output=0.6),
            simulation=trio_llm.Simulation(latency=0.1),
        ),
    },
    default=trio_llm.Race(("dear", "cheap"), name="quickest"),
)


async def main() -> None:
    """Ask as two users, then look at the ledger."""
    async with trio_llm.open_runtime(CONFIG) as llm:
        reply = await llm.generate("What is a ledger?", user="ada", tags={"job": "glossary"})
        print(f"the call cost {reply.cost}: the loser of the race is in it, at least")
        for attempt in reply.attempts:
            print(f"  {attempt.provider}: {attempt.outcome.value}, {attempt.cost}")

        for number in range(3):
            await llm.provider("cheap").generate(f"Define word {number}.", user="bob")
        print(f"in all {llm.statistics().cost}")

        for row in await llm.ledger.usage("user", "provider"):
            print(f"  {' at '.join(row.key)}: {row.attempts} attempts, {row.cost}")
        (job,) = await llm.ledger.usage(only={"tag:job": "glossary"})
        print(f"the glossary: {job.input_tokens} tokens in, {job.output_tokens} out, {job.cost}")

        (model, *_) = await llm.ledger.top_models()
        projection = await llm.ledger.projection(30)
        print(f"top model: {model.key[0]}; 30 days like this would cost {projection.cost}")


if __name__ == "__main__":
    trio.run(main)
