"""Tools made of typed functions, run side by side until the model answers."""

import json

import trio

import trio_llm


@trio_llm.Tool.from_function
async def temperature(city: str, *, fahrenheit: bool = False) -> float:
    """Look up the temperature of a city.

    Args:
        city: Its name.
        fahrenheit: In degrees Fahrenheit, and not Celsius.
    """
    await trio.sleep(0.1)
    celsius = {"Oslo": -3.0, "Rome": 14.0}[city]
    return celsius * 9 / 5 + 32 if fahrenheit else celsius


class Forecaster:
    """Stands in for a model: asks for three cities, and then says what it was told."""

    async def generate(self, request: trio_llm.Request) -> trio_llm.Message:
        """Call the tool, or answer."""
        await trio.lowlevel.checkpoint()
        last = request.messages[-1]
        if last.role == "user":
            calls = [
                trio_llm.ToolCall(f"call_{city}", "temperature", {"city": city})
                for city in ("Oslo", "Rome", "Atlantis")
            ]
            return trio_llm.Message("assistant", calls)
        told = [part for part in last.content if isinstance(part, trio_llm.ToolResult)]
        known = [part.content for part in told if not part.is_error]
        failed = [part.content for part in told if part.is_error]
        return trio_llm.Message("assistant", f"{' and '.join(known)} degrees; {failed[0]}")


async def main() -> None:
    """Print the schema that the model is shown, and the whole exchange."""
    print(json.dumps(temperature.parameters["properties"]["city"]))
    config = trio_llm.Config(default=trio_llm.Provider("custom", "forecaster", cls=Forecaster))
    async with trio_llm.open_runtime(config) as llm:
        started = trio.current_time()
        run = await llm.run_tools("How warm is it?", tools=[temperature])
        for outcome in run.calls:
            error = f" ({type(outcome.error).__name__})" if outcome.error else ""
            print(f"{outcome.call.arguments['city']}: {outcome.result.content}{error}")
        print(f"{run.rounds} rounds, {trio.current_time() - started:.1f} s: {run.text}")
        print(" > ".join(message.role for message in run.messages))


if __name__ == "__main__":
    trio.run(main)
