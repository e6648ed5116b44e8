"""How the bytes of an answer are made fewer, and how they come back.

Decompression is bounded by the length that was noted beside the bytes: what is damaged
never grows into more than an answer had.
"""

import importlib
import zlib
from typing import Any, Final, Protocol

from trio_llm.config.accounting import ZSTD

_ZLIB_LEVEL: Final = 3
"""On long texts a third of the time of zlib's own choice, for a sixteenth more bytes."""


class Compression(Protocol):
    """One way to compress."""

    def compress(self, content: bytes, /) -> bytes:
        """Make fewer bytes of some."""
        ...

    def decompress(self, content: bytes, length: int, /) -> bytes:
        """Give `length` bytes back.

        Raises:
            ValueError: They are more, or fewer, or no such bytes.
        """
        ...


class _Plain:
    def compress(self, content: bytes, /) -> bytes:
        return content

    def decompress(self, content: bytes, length: int, /) -> bytes:
        return _of_length(content, length)


class _Zlib:
    def compress(self, content: bytes, /) -> bytes:
        return zlib.compress(content, _ZLIB_LEVEL)

    def decompress(self, content: bytes, length: int, /) -> bytes:
        try:
            return _of_length(zlib.decompressobj().decompress(content, length + 1), length)
        except zlib.error as error:
            raise ValueError(str(error)) from error


class _Zstd:
    def __init__(self, library: Any) -> None:
        self._library = library

    def compress(self, content: bytes, /) -> bytes:
        compressed: bytes = self._library.compress(content)
        return compressed

    def decompress(self, content: bytes, length: int, /) -> bytes:
        try:
            whole: bytes = self._library.ZstdDecompressor().decompress(content, length + 1)
        except self._library.ZstdError as error:
            raise ValueError(str(error)) from error
        return _of_length(whole, length)


def _of_length(content: bytes, length: int) -> bytes:
    if len(content) != length:
        msg = f"{length} bytes were noted, and {len(content)} came"
        raise ValueError(msg)
    return content


NAMES: Final = ("none", "zlib", "zstd")
"""Each way by the number that stands for it in what is kept."""


def compression_of(name: str) -> Compression:
    """Give the way to compress that bears a name.

    Raises:
        ImportError: It is ``zstd``, and that is not installed.
    """
    if name == "zstd":
        return _Zstd(importlib.import_module(ZSTD))
    return _Zlib() if name == "zlib" else _Plain()
