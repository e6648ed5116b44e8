"""The tree that is shown where there is none: quick and slow, cheap and dear, one unwell."""

from trio_llm.config import (
    Budget,
    Config,
    CooldownSettings,
    Fallback,
    LoadBalance,
    PriceSettings,
    Provider,
    Race,
    Simulation,
)


def simulated_tree() -> Config:
    """Give a race and a load balance in turn, at prices that show at a few calls a second."""
    text = "Actors share nothing; they send messages, and each has its own mailbox."
    return Config(
        providers={
            "cheap": Provider(
                "simulated",
                simulation=Simulation(latency=0.3, jitter=0.5, text=text, seed=1),
                price=PriceSettings(input=5, output=20),
                max_concurrency=2,
            ),
            "unwell": Provider(
                "simulated",
                simulation=Simulation(latency=0.2, failure_rate=0.5, text=text, seed=2),
                price=PriceSettings(input=5, output=20),
                cooldown=CooldownSettings(initial=3, after_failures=2),
                max_concurrency=4,
            ),
            "swift": Provider(
                "simulated",
                simulation=Simulation(latency=0.1, jitter=0.4, text=text, seed=3),
                price=PriceSettings(input=20, output=80),
            ),
            "steady": Provider(
                "simulated",
                simulation=Simulation(latency=0.25, jitter=0.1, text=text, seed=4),
                price=PriceSettings(input=40, output=160),
            ),
        },
        balancers={
            "spread": LoadBalance(("cheap", "unwell"), strategy="least_busy"),
            "fast": Race(("swift", "steady")),
            "in-turn": LoadBalance(("fast", "spread")),
            "reliable": Fallback(("in-turn", "fast")),
        },
        default="reliable",
        budgets={
            "all": Budget(limit=1.0, period="day", on_limit="warn"),
            "steady": Budget(
                limit=0.05, period="day", per="provider", only=("steady",), on_limit="fall_on"
            ),
        },
    )
