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
# cooldown = { initial = 5, maximum = 300, after_failures = 3 }    # the breaker's rests
# breaker = { ratio = 0.5, window = 60, minimum_calls = 20 }    # opens by the share of failures
# rate_limit = { requests_per_minute = 500, tokens_per_minute = 200_000 }    # beyond it waits,
#                                    # or falls on to another member: on_limit = "fall_on"
# health_check = { interval = 30, call = "models" }    # or "generate", for one token
# context_window = 128_000           # a longer request is not sent to it
# price = { input = 0.15, output = 0.60 }    # US dollars per million tokens
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
# hold_after_cancel = 2              # seconds for which it goes on after a cancel

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

# All at once, and the best answer of those that come soon after the first.
# [balancers.best]
# kind = "race"
# strategy = "quality"               # or weighted: by its record of wins and speed
# members = ["quick", "steady"]
# grace_period = 0.5                 # seconds after the first answer
# judge = "spare"                    # who scores; without one the most complete answer wins

# One, and the next one, too, when the answer is late.
# [balancers.prompt]
# kind = "hedge"
# members = ["quick", "steady"]
# delay = 0.8                        # seconds; without it by a percentile of recent times
# percentile = 0.9
# max_extra_calls = 0.1              # the most that it may add, as a share of all calls
# max_extra_cost = 0.1

# All at once, and the answer that most of them give.
# [balancers.agreed]
# kind = "consensus"
# members = ["quick", "steady", "spare"]
# strategy = "similarity"            # or majority, weighted, embedding
# threshold = 0.7
# quorum = 2
# timeout = 20

# One member for each call.
# [balancers.spread]
# kind = "load_balance"
# strategy = "weighted"              # or round_robin, random, least_busy, least_latency,
#                                    # least_cost, adaptive, custom
# members = ["quick", "steady"]
# weights = { quick = 0.7, steady = 0.3 }
# affinity = true                    # a conversation stays where the provider's cache knows it

# What else a balancer can say.
# [balancers.careful]
# kind = "fallback"
# members = ["quick", "steady"]
# primary = "steady"                 # who is tried first
# max_retries = 1                    # how many more are tried
# on_context_length = ["spare"]      # who is asked when a request is too long for a member
# on_content_filter = ["spare"]      # and when its content was refused
# on_interrupt = "resume"            # when a stream breaks: fail, restart or resume
# models = { quick = "simulated" }   # which model a member is asked for
# virtual_models = { good = { quick = "simulated", steady = "simulated" } }

# ---- when nobody can answer ----

# [degradation]
# stale = true                       # the last good answer to the same request,
# stale_for = 3600                   # if it is not older than so many seconds
# reply = "We cannot answer now; please try again later."
"""


def starter_toml() -> str:
    """Give the text of a first configuration file; it loads, and runs without a key."""
    return _STARTER
