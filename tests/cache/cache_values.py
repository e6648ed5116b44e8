"""What the tests of the cache share: values of all kinds, and a cache on a bench."""

from typing import Any, Final

import attrs
from hypothesis import strategies as st

from trio_llm import (
    Audio,
    CacheSettings,
    Config,
    File,
    Image,
    Message,
    Provider,
    Reasoning,
    Reply,
    Text,
    ToolCall,
    ToolResult,
    Usage,
)
from trio_llm.cache import AnswerCache
from trio_llm.config import Plan, check
from trio_llm.store import MemoryStore, Store

# All of Unicode, surrogates without a partner included.
WORDS: Final = st.text(st.characters(codec=None, exclude_categories=()), max_size=6)
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
TABLES: Final = st.dictionaries(WORDS, JSON, max_size=3)
PARTS: Final = st.one_of(
    st.builds(Text, WORDS),
    st.builds(Reasoning, WORDS, st.none() | TABLES, st.none() | WORDS),
    st.builds(Image, url=WORDS),
    st.builds(Image, content=st.binary(max_size=9), media_type=WORDS),
    st.builds(Audio, st.binary(max_size=9), WORDS),
    st.builds(File, url=WORDS, name=st.none() | WORDS),
    st.builds(File, content=st.binary(max_size=9), media_type=WORDS, name=st.none() | WORDS),
    st.builds(ToolCall, WORDS, WORDS, TABLES, st.none() | WORDS),
    st.builds(ToolResult, WORDS, WORDS, st.booleans(), st.none() | WORDS),
)
METADATA: Final = st.dictionaries(
    WORDS,
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.tuples(inner, inner)
            | st.dictionaries(WORDS, inner, max_size=2)
        ),
        max_leaves=5,
    ),
    max_size=3,
)
COUNTS: Final = st.integers(0, 2**40)
REPLIES: Final = st.builds(
    Reply,
    message=st.builds(Message, st.just("assistant"), st.lists(PARTS, max_size=4)),
    finish_reason=st.sampled_from(("stop", "tool_calls", "length", "content_filter", "unknown")),
    usage=st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
    provider=WORDS,
    model=WORDS,
    latency=st.floats(0, 100),
    metadata=METADATA,
    raw=st.just(object()),
)


def reply(text: str = "fine", **more: Any) -> Reply:
    """Give a whole and good reply."""
    given: dict[str, Any] = {
        "message": Message("assistant", text),
        "finish_reason": "stop",
        "usage": Usage(3, 5),
        "provider": "a",
        "model": "m",
        "latency": 1.0,
    }
    return Reply(**(given | more))


def plan_of(**settings: Any) -> Plan:
    """Give the plan of one provider, with settings of the cache."""
    settings = {"mode": "on", **settings}
    return check(Config(default=Provider("simulated", "a"), cache=CacheSettings(**settings)))


@attrs.define(eq=False)
class Bench:
    """A cache whose clock stands where the test puts it."""

    store: Store = attrs.field(factory=MemoryStore)
    now: float = 1_800_000_000.0

    def cache(self, **settings: Any) -> AnswerCache:
        """Make a cache that keeps its answers in the store of this bench."""
        return AnswerCache(plan_of(persistent=True, **settings), self.store, lambda: self.now)
