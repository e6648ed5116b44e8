"""What every provider's headers say of how much it will still take."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.wire_recordings import corpus_path, recordings
from trio_llm.wire.rate_limits import read_rate_limits
from trio_llm.wire.waits import reset_wait

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("headers", "windows"),
    [
        # OpenAI and Groq: Go durations; what belongs to pictures and projects is left out.
        (
            {
                "x-ratelimit-limit-requests": "5000",
                "x-ratelimit-remaining-requests": "4999",
                "x-ratelimit-reset-requests": "12ms",
                "x-ratelimit-limit-tokens": "200000",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "6m0s",
                "x-ratelimit-remaining-project-tokens": "0",
                "x-ratelimit-reset-project-tokens": "6m0s",
                "x-ratelimit-remaining-input-images": "0",
                "x-ratelimit-remaining-tokens_usage_based": "0",
            },
            [("requests", 4999.0, 5000.0, 0.012), ("tokens", 0.0, 200000.0, 360.0)],
        ),
        # A value that a proxy joined with another.
        (
            {"x-ratelimit-remaining-tokens": "7, 8", "x-ratelimit-reset-tokens": "1.2s, req_1"},
            [("tokens", 7.0, None, 1.2)],
        ),
        # xAI: no reset.
        (
            {"x-ratelimit-limit-requests": "1800", "x-ratelimit-remaining-requests": "1789"},
            [("requests", 1789.0, 1800.0, None)],
        ),
        # Azure: bare integers.
        (
            {
                "x-ratelimit-limit-requests": "250",
                "x-ratelimit-remaining-requests": "248",
                "x-ratelimit-reset-requests": "7",
                "x-ratelimit-renewalperiod-requests": "60",
                "x-ratelimit-key": "gpt-5.2",
            },
            [("requests", 248.0, 250.0, 7.0)],
        ),
        # Azure, where there is no limit.
        (
            {
                "x-ratelimit-limit-requests": "-1",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-limit-tokens": "-1",
                "x-ratelimit-remaining-tokens": "-1",
            },
            [],
        ),
        # Mistral, with the length of the window in the name; and of old, by size.
        (
            {
                "x-ratelimit-limit-req-minute": "15",
                "x-ratelimit-remaining-req-minute": "14",
                "x-ratelimit-remaining-req-10-second": "3",
                "x-ratelimit-remaining-tokens-minute": "399960",
                "x-ratelimit-limit-tokens-month": "1000000000",
                "x-ratelimit-remaining-tokens-month": "999993638",
                "x-ratelimit-tokens-query-cost": "40",
            },
            [
                ("requests", 14.0, 15.0, None),
                ("requests", 3.0, None, None),
                ("tokens", 399960.0, None, None),
                ("tokens", 999993638.0, 1e9, None),
            ],
        ),
        (
            {
                "ratelimitbysize-limit": "500000",
                "ratelimitbysize-remaining": "348385",
                "ratelimitbysize-reset": "23",
                "ratelimitbysize-query-cost": "32018",
                "x-ratelimitbysize-limit-month": "1000000000",
                "x-ratelimitbysize-remaining-month": "997374950",
                "x-ratelimitbysize-remaining-elephants": "1",
            },
            [("tokens", 348385.0, 500000.0, 23.0), ("tokens", 997374950.0, 1e9, None)],
        ),
        # Together: more left than the limit is passed on as it is said.
        (
            {
                "x-ratelimit": "false",
                "x-ratelimit-limit": "30",
                "x-ratelimit-remaining": "59",
                "x-ratelimit-reset": "2",
            },
            [("requests", 59.0, 30.0, 2.0)],
        ),
        # OpenRouter: milliseconds since the epoch.
        (
            {
                "x-ratelimit-limit": "20",
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": "1795000030000",
            },
            [("requests", 0.0, 20.0, 30.0)],
        ),
        # Anthropic: moments; a part of the tokens is heard of when it is used up.
        (
            {
                "anthropic-ratelimit-requests-limit": "5",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-11-18T11:07:40Z",
                "anthropic-ratelimit-tokens-limit": "25000",
                "anthropic-ratelimit-tokens-remaining": "16000",
                "anthropic-ratelimit-tokens-reset": "2026-11-18T11:06:00Z",
                "anthropic-ratelimit-input-tokens-remaining": "16000",
                "anthropic-ratelimit-output-tokens-limit": "8000",
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2026-11-18T11:07:00Z",
                "anthropic-ratelimit-unified-status": "allowed",
            },
            [
                ("requests", 0.0, 5.0, 60.0),
                ("tokens", 16000.0, 25000.0, 0.0),
                ("tokens", 0.0, 8000.0, 20.0),
            ],
        ),
        # Hugging Face: structured, its limit in the policy.
        (
            {
                "ratelimit": '"api";r=497;t=243',
                "ratelimit-policy": '"fixed window";"api";q=500;w=300',
            },
            [("requests", 497.0, 500.0, 243.0)],
        ),
        (
            {"ratelimit": '"a";t=5;r=0, "b";r=3, r=9;t=1', "ratelimit-policy": '"b";q=4'},
            [
                ("requests", 0.0, None, 5.0),
                ("requests", 3.0, 4.0, None),
                ("requests", 9.0, None, 1.0),
            ],
        ),
        # And its servers' own.
        (
            {
                "ratelimit-limit": "400",
                "ratelimit-remaining": "399",
                "ratelimit-reset": "19",
                "x-ratelimit-limit-minute": "400",
                "x-ratelimit-remaining-minute": "399",
                "x-ratelimit-remaining-requests-day": "2879998",
                "x-ratelimit-remaining-tokens-day": "9223372036854767616",
            },
            [
                ("requests", 399.0, 400.0, 19.0),
                ("requests", 399.0, 400.0, None),
                ("requests", 2879998.0, None, None),
            ],
        ),
        # Garbage, and nothing at all.
        (
            {
                "x-ratelimit-limit-requests": "X-RATELIMIT-LIMIT-REQUESTS-XXX",
                "x-ratelimit-remaining-requests": "X-RATELIMIT-REMAINING-REQUESTS-XXX",
                "x-ratelimit-remaining-tokens": "",
                "x-ratelimit-remaining": "9" * 5000,
                "ratelimit": "r;t=;=;;,",
            },
            [],
        ),
        (
            {
                "x-ratelimit-remaining-requests": "3",
                "x-ratelimit-limit-requests": "0",
                "x-ratelimit-reset-requests": "soon",
            },
            [("requests", 3.0, None, None)],
        ),
        ({"x-ratelimit-limit-requests": "5", "x-ratelimit-reset-requests": "5s"}, []),
        ({"content-type": "application/json", "retry-after": "55"}, []),
        ({}, []),
    ],
)
def test_every_family_is_read(
    headers: dict[str, str], windows: list[tuple[str, float, float | None, float | None]]
) -> None:
    """Each provider's form, in the order of its headers; whatever is no window is ignored."""
    read = [
        (window.what, window.remaining, window.limit, window.reset)
        for window in read_rate_limits(headers, NOW)
    ]
    assert read == windows


RECORDED = {
    "anthropic": (27, 28),
    "azure": (5, 5),
    "groq": (4, 4),
    "huggingface": (5, 0),
    "mistral": (8, 14),
    "openai": (44, 44),
    "together": (5, 4),
    "xai": (7, 7),
}
"""Windows of requests and of tokens by provider, counted in the recorded headers."""


@pytest.mark.corpus
@pytest.mark.skipif(
    not corpus_path().is_dir(), reason="the recorded exchanges are not beside the checkout"
)
def test_every_recorded_window_is_read() -> None:
    """From all responses, good and bad; none of them says more is left than there can be."""
    found: dict[str, tuple[int, int]] = {}
    for exchange in recordings():
        windows = read_rate_limits(exchange.headers, NOW)
        requests, tokens = found.get(exchange.name.partition("/")[0], (0, 0))
        requests += sum(window.what == "requests" for window in windows)
        tokens += sum(window.what == "tokens" for window in windows)
        if requests or tokens:
            found[exchange.name.partition("/")[0]] = (requests, tokens)
        for window in windows:
            assert 0.0 <= window.remaining <= 1e9
            assert window.limit is None or 1.0 <= window.limit <= 1e9
            assert window.reset is None or 0.0 <= window.reset <= 2000.0
    assert found == RECORDED


@pytest.mark.corpus
@pytest.mark.skipif(
    not corpus_path().is_dir(), reason="the recorded exchanges are not beside the checkout"
)
def test_the_recorded_refusal_names_what_is_used_up() -> None:
    """The one recorded 429 with such headers says nothing of its requests is left."""
    used_up = [
        (exchange.name, exchange.status, [window.what for window in windows])
        for exchange in recordings()
        if (windows := [w for w in read_rate_limits(exchange.headers, NOW) if not w.remaining])
    ]
    assert used_up == [("anthropic/messages__error_rate_limit__02", 429, ["requests"])]


FORMS = ["{0}-{1}-{2}", "{0}-{2}-{1}", "{0}-{1}"]
PREFIXES = ["x-ratelimit", "anthropic-ratelimit", "ratelimit", "ratelimitbysize", "x-ratelimit-x"]
FIELDS = ["remaining", "limit", "reset"]
SUBJECTS = ["requests", "tokens", "req-minute", "tokens-day", "input-tokens", "minute", "junk"]
NAMES = st.one_of(
    st.builds(str.format, *map(st.sampled_from, (FORMS, PREFIXES, FIELDS, SUBJECTS))),
    st.sampled_from(["ratelimit", "ratelimit-policy", "retry-after"]),
    st.text(max_size=8).map("x-ratelimit-remaining{}".format),
)
VALUES = st.one_of(
    st.sampled_from(["0", "1", "-1", "0.0", "7.5", "6m0s", "1795000030000", "9" * 400, "1e9"]),
    st.sampled_from(['"api";r=0;t=243', '"a";q=5;w=3', "2026-11-18T11:07:40Z", "0s, req_1"]),
    st.from_regex(r"[0-9T:Zhmsr=;+.\" qt,-]{0,30}"),
    st.text(max_size=20),
)


@given(st.dictionaries(NAMES, VALUES, max_size=12))
def test_any_headers_are_read(headers: dict[str, str]) -> None:
    """Whatever they hold, what comes out are amounts that can be reckoned with."""
    for window in read_rate_limits(headers, NOW):
        assert window.what in {"requests", "tokens"}
        assert 0.0 <= window.remaining < math.inf
        assert window.limit is None or 0.0 < window.limit < math.inf
        assert window.reset is None or 0.0 <= window.reset < math.inf


PAIRS = [
    "x-ratelimit-{}-requests",
    "x-ratelimit-{}-tokens",
    "x-ratelimit-{}",
    "x-ratelimit-{}-req-minute",
    "ratelimit-{}",
    "ratelimitbysize-{}",
    "anthropic-ratelimit-requests-{}",
    "anthropic-ratelimit-output-tokens-{}",
]


@given(
    st.sampled_from(PAIRS),
    st.sampled_from(["0", "0.0", "1", "junk"]),
    VALUES.filter(lambda value: "r=" not in value),
)
def test_what_is_used_up_is_what_a_refusal_waits_for(name: str, left: str, reset: str) -> None:
    """The wait that a 429 is given by its headers is the reset of the window read here."""
    headers = {name.format("remaining"): left, name.format("reset"): reset}
    resets = [window.reset for window in read_rate_limits(headers, NOW) if not window.remaining]
    assert reset_wait(headers, NOW) == (resets[0] if resets else None)


def test_headers_without_limits_are_passed_over() -> None:
    """Nothing but the names is looked at where none is of a limit, as it is for most responses."""

    class Names(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            raise AssertionError(name)

    assert read_rate_limits(Names({"date": "today", "server": "any"}), NOW) == ()


@pytest.mark.parametrize(
    ("headers", "gradual"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-limit-requests": "5"}, True),
        ({"anthropic-ratelimit-requests-remaining": "0"}, True),
        ({"x-ratelimit-remaining-tokens": "0"}, False),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-limit": "5"}, False),
        ({"x-ratelimit-remaining-requests-day": "0"}, False),
        ({"ratelimit": '"api";r=0;t=243'}, False),
    ],
)
def test_whose_requests_come_back_one_by_one(headers: dict[str, str], gradual: bool) -> None:
    """Only where the documentation says that the reset is when all of them are back."""
    (window,) = read_rate_limits(headers, NOW)
    assert window.gradual is gradual
