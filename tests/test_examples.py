"""Every example runs by itself, offline, and shows what it promises."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from trio_llm.providers.catalogue import KINDS

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

SHOWN: dict[str, tuple[str, ...]] = {
    "single_provider": (
        r"This is sim-2, a simulated provider\.",
        r"-- sim-2 \(simulated\), 0\.\d\d s",
        r"-- 8 tokens in, \d+ out",
    ),
    "streaming": (
        r"A nurs\|ery ke\|",
        r"first token 0\.\d\d s, all of it 0\.\d\d s",
        r"enough after TextDelta\(text='A nurs'\)",
        r"still in flight: 0$",
    ),
    "broken_stream": (
        r"fail: A nursery keeps its children \n  an error, with the text so far: 'A nursery keeps",
        r"restart: A nursery keeps its children \[fragile broke, steady goes on\] A nursery keeps",
        r"resume: A nursery keeps its children \[fragile broke, steady goes on\] until the last",
        r"the reply, by steady: A nursery keeps its children until the last one is done\.$",
    ),
    "costs": (
        r"the call cost >=\$0\.000\d+: the loser of the race is in it, at least",
        r"dear: succeeded, \$0\.000\d+",
        r"cheap: cancelled, >=\$0\.0000\d+",
        r"bob at cheap: 3 attempts, \$0\.0000\d+",
        r"top model: large; 30 days like this would cost >=\$0\.00\d+$",
    ),
    "budgets": (
        r"question 2: dear, \$0\.0152\n  budget 'user' of ada: nothing was sent",
        r"\[day: 50% of \$0\.1 are spent\]",
        r"question 2: dear, \$0\.0152\n  question 3: local, \$0",
        r"user of ada: \$0\.0456 spent, \$0\.004 left",
    ),
    "durable_usage": (
        r"opened: 0\.000000 dollars spent so far\nopened: 0\.000\d+ dollars",
        r"in the file: 7 attempts, \$0\.000\d+",
        r"the budget agrees: True$",
    ),
    "racing": (
        r"winner: sim-2, \d{3} ms",
        r"sim-1: cancelled at 0\.\d\d s \(lost the race to 'sim-2'\)",
        r"sim-2: succeeded",
        r"sim-3: cancelled",
    ),
    "fallback": (
        r"call 1: broken OverloadedError, then spare succeeded",
        r"call 2: broken OverloadedError, then spare succeeded",
        r"call 3: spare succeeded",
        r"broken is cooling for (59|6[0-6]) s",
        r"asked directly: broken: it is cooling down",
    ),
    "circuit_breaker": (
        r"in good order: house 10, spare 0; house was asked 10 times",
        r"\[house: closed -> open: out of order\]",
        r"it breaks: house 0, spare 10; house was asked 10 times",
        r"it rests: house 0, spare 10; house was asked 0 times",
        r"one call tries it: house 0, spare 10; house was asked 1 times",
        r"\[house: open -> half_open: its rest is over\]",
        r"\[house: half_open -> closed: a request succeeded\]",
        r"\[house is back after \d\.\d s\]",
        r"one call tries it again: house 1, spare 9; house was asked 1 times",
        r"in good order: house 10, spare 0; house was asked 10 times$",
    ),
    "rate_limits": (
        r"60 of 80 calls began at once, (19|20) wait in line",
        r"all were answered after [2-9]\.\d s",
        r"strict answered 1, large answered 4",
        r"rate_limited: try again in (60|59) s$",
    ),
    "health": (
        r"house is healthy: True, in \d+ ms",
        r"the house goes down",
        r"house: closed -> open",
        r"a probe of house failed: ConnectionFailedError",
        r"house: open -> half_open",
        r"house is healthy: False \(house: ",
        r"the house is up again",
        r"house: half_open -> closed",
        r"house has recovered",
        r"house was probed \d+ times, and called 0 times$",
    ),
    "load_balance": (r" large: ", r"medium: ", r" small: "),
    "several_keys": (
        r"question 1: fine from lab-1 \(tried lab-1\)",
        r"question 2: fine from lab-3 \(tried lab-2, lab-3\)",
        r"question 5: fine from lab-",
        r"lab-1: ready",
        r"lab-2: cooling",
        r"lab-3: ready",
    ),
    "tools": (
        r"Its name\.",
        r"Oslo: -3\.0",
        r"Atlantis: KeyError: 'Atlantis' \(KeyError\)",
        r"2 rounds, 0\.1 s: -3\.0 and 14\.0 degrees",
        r"user > assistant > tool > assistant$",
    ),
    "structured_output": (
        r"North: Stop\(city='Oslo', nights=2\) after 2 replies",
        r"so far: {'title': 'So'}",
        r"so far: .*'nights': 3",
        r"at last: Journey\(title='South', .*, by_night=True\)$",
    ),
    "cache": (
        r"^stressed \(as usual\): desserts \[asked, 0\.1 s\]",
        r"^stressed \(as usual\): desserts \[hit, 0\.0 s\]",
        r"^streamed: \?tac desserts a \|ro ,was I tar a \|ti saw",
        r"^stressed \(user='ada'\): desserts \[asked",
        r"^stressed \(cache=False\): desserts \[asked",
        r"^stressed \(as usual\): desserts \[asked",
        r"^stressed \(as usual\): desserts \[stale, 0\.1 s\]",
        r"^2 hits, 5 misses, 1 stale",
        r"^forgotten: 3$",
    ),
    "single_flight": (
        r"^early: left after 0\.5 s",
        # Both have it in the same instant, in either order.
        r"^(punctual|late): Once upon a time there was a task\. \[(its own|shared), \d\.\d s\]",
        r"^(punctual|late): Once upon a time there was a task\. \[(its own|shared), \d\.\d s\]",
        r"^the author was asked 1 time",
        r"^readers who shared: 2",
        r"^one: left after 0\.15 s",
        r"^two: left after 0\.25 s",
        r"^still in flight: 0$",
    ),
    "combined": (
        r"on a good day east-1 answers",
        r"reliable > fast > east > east-1: succeeded",
        r"reliable > fast > west > west-1: cancelled",
        r"on a bad day last-resort answers",
    ),
    "embedding_in_a_trio_app": (
        r"the application is alive",
        r"quick answered",
        r"slow gave up: True",
        r"slow is ready again",
        r"nothing is left running$",
    ),
    "deterministic_test": (
        r"5\.00 s  reliable +FellBack",
        r"7\.00 s  reliable/spare +AttemptSucceeded",
        r"the same outcome under \d+ schedules$",
    ),
    "custom_provider": (
        r"actor: one that acts \[dictionary\]",
        r"monad: This is model, .* \[dictionary: ProviderCrashedError, model\]",
    ),
    "embeddings": (
        r"^ ?0\.\d\d  An actor has a mailbox",
        r"^-0\.\d\d  Bread rises",
        r"-- 3 vectors of 64, by second",
        r"-- first: a simulated failure",
        r"-- stranger: it embeds with another-family, whose vectors cannot stand beside",
    ),
    "compare": (
        r"^brief: Tasks that end\. \(0\.0\d s\)",
        r"^broken: ServerError: broken: a simulated failure",
        r"^wordy: Tasks that never outlive",
        r"as long as the slowest",
    ),
    "batch": (
        r"^prompt 3: InvalidRequestError: the prompt is empty",
        r"^20 outcomes, no more than 30 were read",
        r"still in flight: 0$",
    ),
    "reload": (
        r"^added \('new',\), removed \('old',\), kept \('steady',\)",
        r"^asked after it:   the new one",
        r"^under way before: the old one, to the end \(by old\)",
        r"^have ended since, with no call cut: answers, old$",
        r"^refused: balancers\.answers\.members\[1\]: .* did you mean \"steady\"\?",
        r"^generation 2 still runs: the new one",
        r"^steady counts on: 1 call",
        r"^old is accounted for: 1 call",
    ),
    "degradation": (
        r"^stressed: desserts \[fresh, by moody\]",
        r"^stressed: desserts \[stale, by moody\]",
        r"because all members of 'all' failed: moody: no capacity",
        r"^drawer: Our assistant takes a break\. .* \[default, by degraded\]",
        r"^streamed: Our assistant takes a break\.",
        r"^asked by name: moody: no capacity",
        r"^healthy: False",
        r"^callers who got a stand-in: 3$",
    ),
    "consensus": (
        r"^Canberra, says careful$",
        r"^  careful and brief: 2$",
        r"^  hasty: 1$",
        r"^share: 67% of the votes",
        r"^slow: cancelled \(the vote went to 'careful'\)$",
        r"^by weight: Sydney$",
        r"no consensus at 'strict': 4 of 4 answers needed, 3 came: slow: no answer within 0\.5 s",
    ),
    "weighted_race": (
        r"^ 1: steady wins, by steady 0\.50$",
        r"^ 2: steady wins, by moody 0\.\d\d, steady 0\.\d\d$",
        r"^10: steady wins",
        r"^  moody: discarded after 0\.",
        r"^  steady: succeeded after 0\.",
        r"^  lost: cancelled after ",
    ),
    "quality_race": (
        r"^complete: An actor is a task with a mailbox\.$",
        r"^  refusing 0\.20, brief 1\.00, thorough 1\.00$",
        r"^longest: An actor is a task with a mailbox: it takes one message at a time\.$",
        r"^judged: An actor is a task with a mailbox\.$",
        r"^  refusing 0\.20, brief 0\.90, thorough 0\.60$",
    ),
    "moderation": (
        r"judges  What is an actor\?  ->  Well asked: .* \(judged by house\)",
        r"judges  WHAT IS AN ACTOR\?  ->  not asked: shouting",
        r"no-judge .* not asked, since nobody has judged \(broken: a simulated failure\)$",
    ),
    "continue_elsewhere": (
        r"first: About 700,000 people\.  \(user > assistant > tool > assistant\)",
        r"openai: About 700,000 people\.",
        r"\"id\": \"toolu_01AbCdEfGh\"",
        r"mistral: About 700,000 people\.",
        r"\"tool_call_id\": \"[A-Za-z0-9]{9}\"",
        r"gemini: About 700,000 people\.",
        r"\"functionCall\": .*\"args\": {\"city\": \"Oslo\"}",
        r"\"functionResponse\": ",
    ),
    "hedging": (
        r"fallback: half within \d+ ms, 97 of 100 within 5\d\d ms, 0% asked twice",
        r"   hedge: half within \d+ ms, 97 of 100 within \d+ ms, \d+% asked twice",
        r"a call with side effects was asked of 1 member$",
    ),
    "custom_selection": (
        r"question \d: ",
        r"confidential: house",
        r"a riddle: by-rule: its selection HouseRule raised LookupError: no rule for riddles",
        r"afterwards: cloud-1$",
    ),
    "cheapest_model": (
        r"tools: small",
        r"vision: large",
        r"embedding: vectors",
        r"translation for nothing: at-home of own",
        r"code generation at the corner: basic at your service",
        r"the best with vision now: market",
        r"for video: None",
        r"misspelt: .* did you mean \"code_generation\"\?$",
    ),
    "prompt_cache_affinity": (
        r"affinity False: 50% of the input from a cache, 3 member",
        r"affinity  True: 83% of the input from a cache, 1 member",
    ),
    "performance_file": (
        r"^a first race:   hasty wins, by hasty 0\.50, steady 0\.\d\d$",
        r"^a bad day:      steady wins, by steady 0\.\d\d$",
        r"^the next start: steady wins, by hasty 0\.1\d, steady 0\.\d\d$",
        r"^  name = \"hasty\"$",
        r"^  success_rate = 0\.1",
        r"^a new history:  hasty wins, by hasty 0\.50, steady 0\.\d\d$",
        r"^set aside:      performance\.toml\.damaged$",
    ),
    "logging_presets": (
        r"^by default:\n  WARNING: CooldownStarted at house\n  WARNING: BreakerChanged at house$",
        r"^in development:",
        r" DEBUG    trio_llm\.runtime: call 1: safe: asked for chat$",
        r" INFO     trio_llm\.balancing: call 1: safe: goes on after house failed$",
        r"^in production:",
        r"^{\"timestamp\": \".*\", \"level\": \"INFO\", .*\"kind\": \"FellBack\".*}}$",
        r"^the balancers alone:\n.* INFO     trio_llm\.balancing: .*failed$",
    ),
    "token_count": (
        r"counted by the provider: 410 tokens \(exact\)",
        r"before any answer: 414 tokens \(an estimate\)",
        r"after some answers: 54\d tokens \(an estimate, lately \d% off\)",
        r"billed in the end: 546$",
    ),
    "metrics_prometheus": (
        r'^trio_llm_requests_total{endpoint="reliable",.*outcome="succeeded"} 5\.0$',
        r'^trio_llm_attempts_total{error="ServerError",.*provider="broken"} \d\.0$',
        r"^trio_llm_cost_dollars_total{.*} 0\.00\d+$",
        r'^trio_llm_fallbacks_total{balancer="reliable",failed="broken"} 5\.0$',
        r'^trio_llm_breaker_state{provider="house",state="closed"} 1\.0$',
        r"^shares: {'broken': 0\.\d+, 'house': 0\.\d+}$",
        r"^half of the calls within 0\.\d\d s$",
    ),
    "metrics_console": (
        r"^calls: {'succeeded': 20}$",
        r"^  \w+: \d+% of the attempts, won \d+, half within 0\.\d\d s$",
        r"^failed at moody: \d+$",
        r"^  near-model: \d+ tokens written, \$0\.00\d+$",
    ),
    "tracing_opentelemetry": (
        r"^answer a customer$",
        r"^  chat reliable: provider=quick outcome=succeeded \[fell_back\] \[hedge_started\]",
        r"^    chat simulated: provider=broken outcome=failed type=ServerError$",
        r"^    chat simulated: provider=slow outcome=cancelled reason='quick' answered first$",
        r"^    chat simulated: provider=quick outcome=succeeded hedged=True output_tokens=\d+$",
    ),
}
"""What each example's output must contain, in this order."""


def _environment() -> dict[str, str]:
    keys = {variable for kind in KINDS.values() for variable in kind.variables}
    kept = {name: value for name, value in os.environ.items() if name not in keys}
    return kept | {"PYTHONPATH": str(ROOT)}


def test_every_example_is_listed() -> None:
    """No example lies about without a test."""
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_example(name: str) -> None:
    """It ends well, warns of nothing, and prints what it is there to show."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=_environment(),
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    assert "Traceback" not in done.stderr
    position = 0
    for pattern in SHOWN[name]:
        found = re.compile(pattern, re.MULTILINE).search(done.stdout.rstrip(), position)
        assert found, f"{pattern!r} is not in the rest of: {done.stdout[position:]}"
        position = found.end()


def test_shares_of_the_load_balance_add_up() -> None:
    """All hundred calls of the load balance were answered."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(EXAMPLES / "load_balance.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=_environment(),
    )
    assert sum(map(int, re.findall(r"(\d+) calls", done.stdout))) == 100


@pytest.mark.parametrize("test", ["test_an_hour_under_every_schedule", "test_a_seed_replays_a_run"])
def test_deterministic_example_as_tests(test: str) -> None:
    """The example of a test is a test: what it holds passes here, too."""
    runpy.run_path(str(EXAMPLES / "deterministic_test.py"))[test]()
