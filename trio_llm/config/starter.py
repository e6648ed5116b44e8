"""The first configuration file, with comments."""

from typing import Final

_STARTER: Final = """\
# trio_llm: which providers there are, and how they are asked.
# As it stands everything here is simulated, so it runs without a key.

# Whom the runtime asks: the name of a provider or balancer.
default = "reliable"

# ---- providers ----

[providers.quick]
kind = "simulated"
simulation = { latency = 0.2, jitter = 0.1 }

[providers.steady]
kind = "simulated"
simulation = { latency = 0.4 }

[providers.spare]
kind = "simulated"
simulation = { latency = 0.6 }

# A real one. Its key comes from the environment, never from this file.
# [providers.openai]
# kind = "openai"                    # or anthropic, gemini, openrouter, groq, mistral, ...
# model = "gpt-4o-mini"
# api_key_env = "OPENAI_API_KEY"     # this is what the kind reads anyway
# max_concurrency = 16               # how many requests at once
# timeouts = { connect = 5, first_token = 30, idle = 30, total = 600 }    # seconds
# retry = { attempts = 2, base_delay = 0.5, max_delay = 8 }
# cooldown = { initial = 5, maximum = 300, after_failures = 3 }
# errors = { ContextLengthError = { falls_through = true } }    # where it differs from the rule

# One with several keys: each has its own places and health, and calls take turns.
# [providers.keys]
# kind = "groq"
# api_key_envs = ["GROQ_KEY_1", "GROQ_KEY_2"]

# A model on this machine.
# [providers.local]
# kind = "ollama"
# model = "llama3.2"
# max_concurrency = 1

# Any server that speaks OpenAI's dialect.
# [providers.house]
# kind = "openai_compatible"
# base_url = "https://llm.example.com/v1"
# model = "some-model"
# api_key_env = "HOUSE_API_KEY"

# ---- balancers: members are providers or other balancers ----

[balancers.fast]
kind = "race"                        # all at once, the first useful answer wins
members = ["quick", "steady"]
timeout = 5.0

[balancers.reliable]
kind = "fallback"                    # one after the other
members = ["fast", "spare"]

# [balancers.spread]
# kind = "load_balance"              # one member for each call
# strategy = "weighted"              # or round_robin, random
# members = ["openai", "local"]
# weights = { openai = 0.7, local = 0.3 }
"""


def starter_toml() -> str:
    """Give the text of a first configuration file; it loads, and runs without a key."""
    return _STARTER
