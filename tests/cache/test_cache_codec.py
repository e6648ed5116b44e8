"""A reply is kept as bytes, and comes back whole; what is no answer is never mistaken for one."""

import json
import zlib
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cache.cache_values import REPLIES, reply
from trio_llm import Message, Reply, Text, ToolCall
from trio_llm.cache import codec as codec_module
from trio_llm.cache.codec import Codec, Kept, UndecodableError
from trio_llm.cache.compression import NAMES

CODECS = st.builds(Codec, st.sampled_from(NAMES), st.integers(0, 300))
LONG = reply("word " * 400)


@settings(max_examples=300, deadline=None)
@given(given_reply=REPLIES, codec=CODECS)
def test_every_reply_round_trips(given_reply: Reply, codec: Codec) -> None:
    """All parts, tool calls, reasoning state, usage, metadata and any text come back."""
    kept = Kept.of(given_reply)
    again = Codec().decode(codec.encode(kept))
    assert again == kept
    assert repr(again) == repr(kept)  # a boolean is no number, a tuple no list


def test_halves_of_a_character_stay_apart() -> None:
    """Two surrogates side by side do not become the character that they would make."""
    kept = Kept.of(reply("\ud83d\ude00 and \udc00\ud800"))
    assert Codec().decode(Codec().encode(kept)).message.text == "\ud83d\ude00 and \udc00\ud800"


@pytest.mark.parametrize("way", NAMES)
def test_only_what_is_long_is_compressed_and_any_codec_reads_it(way: str) -> None:
    """The threshold is that of the settings; reading needs none of them."""
    kept = Kept.of(LONG)
    plain = Codec().encode(kept)
    document = len(plain) - 16
    whole = Codec(way, document).encode(kept)
    less = Codec(way, document - 1).encode(kept)
    assert whole == plain
    assert (len(less) < len(plain) // 4) == (way != "none")
    assert Codec().decode(less) == Codec("zlib").decode(whole) == kept


def test_what_compression_would_make_longer_is_left_as_it_is() -> None:
    """A short answer is kept plain even when everything is to be compressed."""
    kept = Kept.of(reply("x"))
    short = attrs.evolve(kept, provider="", model="")
    assert len(Codec("zlib", 0).encode(short)) <= len(Codec().encode(short))


def test_the_head_says_what_it_is() -> None:
    """The first 16 bytes are as documented, and the rest of a plain answer is JSON."""
    content = Codec().encode(Kept.of(reply("hello")))
    assert content[:8] == b"TLLM\x00\x01\x00\x00"
    document = content[16:]
    assert int.from_bytes(content[8:12], "big") == len(document)
    assert int.from_bytes(content[12:16], "big") == zlib.crc32(content[:12] + document)
    assert json.loads(document)["message"]["content"] == [{"text": "hello", "part": "Text"}]


@settings(max_examples=200, deadline=None)
@given(content=st.binary(max_size=80) | st.binary(max_size=40).map(lambda tail: b"TLLM\0\1" + tail))
def test_bytes_that_are_no_answer_are_undecodable(content: bytes) -> None:
    """Whatever they are, there is one kind of error."""
    with pytest.raises(UndecodableError):
        Codec.decode(content)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), codec=CODECS)
def test_damage_never_goes_unnoticed(data: st.DataObject, codec: Codec) -> None:
    """One byte changed, or the end cut off: it is no answer any more."""
    content = bytearray(codec.encode(Kept.of(reply("some words " * 20))))
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    with pytest.raises(UndecodableError):
        codec.decode(bytes(content))


def _sealed(document: bytes, way: int = 0, length: int | None = None, version: int = 1) -> bytes:
    """Write a head as the codec does, around anything."""
    noted = len(document) if length is None else length
    head = b"TLLM" + version.to_bytes(2, "big") + way.to_bytes(2, "big") + noted.to_bytes(4, "big")
    return head + zlib.crc32(document, zlib.crc32(head)).to_bytes(4, "big") + document


@pytest.mark.parametrize(
    "content",
    [
        _sealed(b"{}"),
        _sealed(b"[]"),
        _sealed(b"[" * 100_000),
        _sealed(b'{"message": {"role": "nobody", "content": []}, "metadata": {}}'),
        _sealed(b"{}", way=9),
        _sealed(b"{}", length=3),
        _sealed(b"no zlib", way=1),
        _sealed(b"no zstd", way=2),
        _sealed(zlib.compress(b" " * 10_000_000), way=1, length=10),
        _sealed(Codec().encode(Kept.of(reply()))[16:], version=2),
        _sealed(Codec().encode(Kept.of(reply()))[16:].replace(b'"stop"', b'"flop"')),
        _sealed(Codec().encode(Kept.of(reply()))[16:].replace(b'"Text"', b'"Song"')),
    ],
    ids=lambda content: repr(content[:24]),
)
def test_a_sound_head_around_something_else_is_undecodable(content: bytes) -> None:
    """Another version, an unknown way to compress, a wrong length, or no reply inside."""
    with pytest.raises(UndecodableError):
        Codec.decode(content)


def _nested(depth: int) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for _ in range(depth):
        table = {"a": table}
    return table


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes", _nested(100_000)], ids=type)
def test_what_json_does_not_have_cannot_be_written(value: Any) -> None:
    """It is refused with one kind of error; nothing half-written comes of it."""
    call = ToolCall("i", "n", {"x": value})
    with pytest.raises(ValueError, match=r"."):
        Codec().encode(Kept.of(reply(message=Message("assistant", [Text("x"), call]))))
    with pytest.raises(ValueError, match=r"."):
        Codec().encode(Kept.of(reply(metadata={"x": value})))


def test_the_form_is_that_of_version_one() -> None:
    """Bytes that this version once wrote are read; change the version when this fails."""
    assert codec_module.VERSION == 1
    document = (
        b'{"message":{"role":"assistant","content":[{"text":"hm","opaque":{"a":[1]},'
        b'"origin":"x","part":"Reasoning"},{"text":"hi","part":"Text"}]},'
        b'"finish_reason":"stop","usage":{"input_tokens":3,"output_tokens":5,"cached_tokens":0,'
        b'"cache_write_tokens":0,"reasoning_tokens":1},"provider":"a","model":"m",'
        b'"metadata":{"switched_from":{"\\u0000tuple":["b"]}}}'
    )
    kept = Codec.decode(_sealed(document))
    assert Codec().encode(kept) == _sealed(document)
    assert (kept.message.text, kept.metadata) == ("hi", {"switched_from": ("b",)})
