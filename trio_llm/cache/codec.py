"""A reply as bytes, and back.

What is kept begins with a head of 16 bytes, big-endian: the letters ``TLLM``, the version
(2 bytes), the way it is compressed (2 bytes, the place in `compression.NAMES`), the length
of the JSON document before that (4 bytes), and the CRC-32 of all else (4 bytes). Then comes
the document, perhaps compressed: UTF-8, in which lone surrogates stand as they are. It holds
the message, the reason why the answer ended, the usage, the provider, the model and the
metadata. Bytes (of pictures, recordings, files) stand in it in base 85, parts of messages
bear the name of their class.

The times, the attempts and the cost are those of the call that was answered, not of who is
given the answer later, so they are not kept. Nor is `Reply.raw`.
"""

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypeGuard, cast

import attrs
from cattrs import Converter
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from trio_llm.cache.compression import NAMES, compression_of
from trio_llm.chat import FinishReason, Message, Part, Reply, Usage

VERSION: Final = 1
"""The version of the form; an answer of any other is as good as none."""

_MAGIC: Final = b"TLLM"
_HEAD: Final = struct.Struct(">4sHHI")
_CHECK: Final = struct.Struct(">I")
_TUPLE: Final = "\0tuple"
"""The one key of a table that stands for a tuple; no word of a balancer begins so."""


class UndecodableError(ValueError):
    """These bytes are no answer: of another version, or damaged."""


@attrs.frozen
class Kept:
    """What of a reply is kept.

    Attributes:
        message: The assistant's turn.
        finish_reason: Why it ended.
        usage: Tokens of the exchange that gave it.
        provider: Who gave it.
        model: The model that did.
        metadata: What the balancers had added, in a table of its own.
    """

    message: Message
    finish_reason: FinishReason
    usage: Usage
    provider: str
    model: str
    metadata: Mapping[str, Any]

    @classmethod
    def of(cls, reply: Reply) -> "Kept":
        """Take what is kept of a reply."""
        return cls(
            reply.message,
            reply.finish_reason,
            reply.usage,
            reply.provider,
            reply.model,
            dict(reply.metadata),
        )


class _Structuring(Protocol):
    def __call__(self, value: Any, cls: Any, /) -> Any: ...


def _converter() -> Converter:
    converter = make_converter(detailed_validation=False)
    # What came as JSON goes as JSON, and what is none is refused rather than changed.
    converter.register_unstructure_hook_func(_holds_json, lambda value: value)
    configure_tagged_union(Part, converter, tag_name="part")
    return converter


def _holds_json(hint: Any) -> bool:
    return bool(hint == Mapping[str, Any] or hint == Mapping[str, Any] | None)


_TO_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_CONVERTER: Final = _converter()
_STRUCTURE: Final = cast("_Structuring", _CONVERTER.structure)


@attrs.frozen
class Codec:
    """Writes and reads answers.

    Attributes:
        compression: What those are compressed by that are long: a name in
            `compression.NAMES`.
        above: Documents of more bytes than this are.
    """

    compression: str = "none"
    above: int = 0

    def compresses(self, size: int) -> bool:
        """Tell whether a document of so many bytes is to be compressed."""
        return size > self.above and self.compression != "none"

    def encode(self, kept: Kept) -> bytes:
        """Write an answer.

        Raises:
            ValueError: It cannot be written: something in it is nothing that JSON has.
        """
        try:
            table = _CONVERTER.unstructure(kept)
            table["metadata"] = _marked(kept.metadata)
            text = _TO_JSON(table)
        except (TypeError, RecursionError) as error:
            raise ValueError(str(error)) from error
        document = text.encode("utf-8", "surrogatepass")
        way, body = 0, document
        if self.compresses(len(document)):
            compressed = compression_of(self.compression).compress(document)
            if len(compressed) < len(document):
                way, body = NAMES.index(self.compression), compressed
        head = _HEAD.pack(_MAGIC, VERSION, way, len(document))
        return b"".join((head, _CHECK.pack(zlib.crc32(body, zlib.crc32(head))), body))

    @staticmethod
    def decode(content: bytes) -> Kept:
        """Read an answer, however it was compressed.

        Raises:
            UndecodableError: It is none, is damaged, or is of another version.
        """
        try:
            return _decode(content)
        except Exception as error:  # what is damaged may fail in any way
            raise UndecodableError(f"{type(error).__name__}: {error}") from error


def _decode(content: bytes) -> Kept:
    head: tuple[bytes, int, int, int] = _HEAD.unpack_from(content)
    magic, version, way, length = head
    if magic != _MAGIC or version != VERSION:
        msg = f"version {version}" if magic == _MAGIC else "no head"
        raise ValueError(msg)
    (check,) = _CHECK.unpack_from(content, _HEAD.size)
    body = content[_HEAD.size + _CHECK.size :]
    if check != zlib.crc32(body, zlib.crc32(content[: _HEAD.size])):
        raise ValueError("damaged")
    document = compression_of(NAMES[way]).decompress(body, length)
    table = json.loads(document.decode("utf-8", "surrogatepass"))
    table["metadata"] = _unmarked(table["metadata"])
    kept: Kept = _STRUCTURE(table, Kept)
    return kept


def _marked(value: Any) -> Any:
    """Make plain values of metadata, in which tuples are told from lists."""
    if _is_sequence(value):
        marked = [_marked(each) for each in value]
        return {_TUPLE: marked} if isinstance(value, tuple) else marked
    if _is_table(value):
        return {key: _marked(each) for key, each in value.items()}
    return value


def _unmarked(value: Any) -> Any:
    if _is_sequence(value):
        return [_unmarked(each) for each in value]
    if _is_table(value):
        if len(value) == 1 and _TUPLE in value:
            return tuple(_unmarked(value[_TUPLE]))
        return {key: _unmarked(each) for key, each in value.items()}
    return value


def _is_sequence(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, (list, tuple))


def _is_table(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)
