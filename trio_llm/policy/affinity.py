"""Which member served a conversation, so that its prompt cache is used again."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

import attrs


@attrs.define
class Affinity:
    """Remembers who served which conversation; the least recently used is forgotten.

    Providers keep the beginning of a prompt that they have seen, and take it up again
    faster and cheaper. Only a digest of the conversation is kept, never its text.

    Args:
        limit: How many conversations are remembered.
    """

    limit: int = 10_000
    _members: OrderedDict[bytes, str] = attrs.field(factory=OrderedDict[bytes, str], init=False)

    @staticmethod
    def key_of(parts: Iterable[str]) -> bytes:
        """Give the key of a conversation: a BLAKE2b digest of 16 bytes.

        Args:
            parts: What stays the same from turn to turn, in order: the system text and
                the first message of the user.
        """
        digest = hashlib.blake2b(digest_size=16)
        for part in parts:
            # Half a surrogate pair can come out of cut text, and must not fail a call.
            text = part.encode("utf-8", "surrogatepass")
            # The length keeps ("ab", "c") apart from ("a", "bc").
            digest.update(len(text).to_bytes(8, "big"))
            digest.update(text)
        return digest.digest()

    def __len__(self) -> int:
        """Give the number of conversations remembered."""
        return len(self._members)

    def member(self, key: bytes) -> str | None:
        """Give who served the conversation last; ``None`` when nobody knows."""
        name = self._members.get(key)
        if name is not None:
            self._members.move_to_end(key)
        return name

    def served(self, key: bytes, name: str) -> None:
        """Note who served the conversation."""
        self._members[key] = name
        self._members.move_to_end(key)
        if len(self._members) > self.limit:
            self._members.popitem(last=False)
