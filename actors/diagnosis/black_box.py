"""The black boxes of a node: which SIP message each process works on, in memory that outlives the process.

The supervisor makes the memory and gives it to each dispatcher and call worker. A process writes the octets of a
message before it handles it, and removes them afterwards; a dispatcher receives into its box. When the process has
died, the supervisor reads the box and publishes the digests of messages that have ended a process again and again; each
process looks there before it handles a message (`transport.poison_gate`). The digest is of the octets as they came: a
peer that repeats a message repeats them (RFC 3261 section 17.1.1.2), and no other message has them. A caller that calls
again sends other octets, so the caller of the call is named too. Call workers report callers under suspicion whose
calls end well.

Each number has one writer and is written by one store. No digest is computed while nothing is published. This file must
not read a message.
"""

import mmap
from collections.abc import Collection
from hashlib import sha256
from typing import Final

MOST: Final = 64
"""Digests of a kind that are published at the most."""
OCTETS: Final = 65536
"""Longest message of a box."""
_WORD: Final = 8
_LIST: Final = 4096
"""Octets of the lists: the number of their version, then the digests of messages, callers and suspects; 0 = none."""
_BOX: Final = 4096 + OCTETS
"""Octets of a box: length of the message in the buffer, caller, cleared callers; a page later the buffer."""
_LENGTH: Final = 0
_CALLER: Final = 1
_CLEARED: Final = 2
_MOST_CLEARED: Final = 16

Mark = tuple[bytes, int]
"""What code runs for: octets of a message and digest of a caller; empty and 0 = none. One is made per message."""
NOTHING: Final[Mark] = (b"", 0)


def digest(data: bytes | memoryview) -> int:
    """Return the digest of a message: the first 8 octets of its SHA-256, never 0."""
    return int.from_bytes(sha256(data).digest()[:_WORD], "little") or 1


def octets_for(boxes: int) -> int:
    """Return the size of the memory for a number of boxes; pages that nothing is written to take none."""
    return _LIST + boxes * _BOX


def box_of(role: str, slot: int) -> int:
    """Return the number of the box of a dispatcher or a call worker."""
    return 0 if role == "dispatcher" else 1 + slot


class BlackBoxes:
    """The supervisor's side.

    Args:
        descriptor: of fresh memory of `octets_for` octets.
        boxes: their number.
    """

    __slots__ = ("_memory", "_octets", "_words")

    def __init__(self, descriptor: int, boxes: int) -> None:
        self._memory = mmap.mmap(descriptor, octets_for(boxes))
        self._octets = memoryview(self._memory)
        self._words = self._octets.cast("Q")

    def take(self, box: int) -> tuple[int, int]:
        """Return what a process worked on that has ended, and clear its box: digests of message and caller, or 0."""
        words, at = self._words, (_LIST + box * _BOX) // _WORD
        length, caller, start = words[at + _LENGTH], words[at + _CALLER], _LIST + (box + 1) * _BOX - OCTETS
        message = digest(self._octets[start : start + length]) if 0 < length <= OCTETS else 0
        words[at + _LENGTH] = words[at + _CALLER] = 0
        return message, caller

    def cleared(self, box: int) -> list[int]:
        """Return the callers under suspicion whose calls have ended well, each once."""
        words, first = self._words, (_LIST + box * _BOX) // _WORD + _CLEARED
        found = []
        for place in range(first, first + _MOST_CLEARED):
            if words[place]:
                found.append(words[place])
                words[place] = 0
        return found

    def publish(self, messages: Collection[int], callers: Collection[int] = (), suspects: Collection[int] = ()) -> None:
        """Let every process turn these messages and callers away, and no other; each has at most `MOST`.

        Args:
            suspects: callers to be reported when their calls end well.
        """
        for first, digests in ((1, messages), (1 + MOST, callers), (1 + 2 * MOST, suspects)):
            for place, each in enumerate([*digests, *([0] * MOST)][:MOST], start=first):
                self._words[place] = each
        self._words[0] += 1

    def close(self) -> None:
        """Let go of the memory."""
        self._words.release()
        self._octets.release()
        self._memory.close()


class BlackBox:
    """The side of one process.

    Args:
        descriptor: of the memory; negative = memory of this object's own, which nothing reads.
        box: number of the box.

    Attributes:
        at_work: what this process works on.
        buffer: `OCTETS` octets into which a process may receive a message; `holds` notes it.
    """

    __slots__ = ("_at", "_poison", "_suspects", "_version", "_words", "at_work", "buffer")

    def __init__(self, descriptor: int = -1, box: int = 0) -> None:
        octets = memoryview(mmap.mmap(descriptor, 0 if descriptor >= 0 else octets_for(box + 1)))
        start = _LIST + (box + 1) * _BOX - OCTETS
        self.buffer = octets[start : start + OCTETS]
        self._words = octets.cast("Q")
        self._at = (_LIST + box * _BOX) // _WORD
        self._version = 0
        self.at_work = NOTHING
        self._poison: frozenset[int] = frozenset()
        self._suspects: frozenset[int] = frozenset()

    def begin(self, data: bytes) -> None:
        """Note that a message is handled from now on."""
        self._note((data, 0))

    def end(self) -> None:
        """Note that it is handled."""
        self._note(NOTHING)

    def names_caller(self, caller: int) -> None:
        """Note whose call the message begins."""
        self._note((self.at_work[0], caller))

    def enter(self, mark: Mark | None) -> Mark:
        """Note what code runs for; return what is to be given to `leave`.

        Args:
            mark: None = what is noted stays.
        """
        before = self.at_work
        if mark is not None and mark is not before:
            self._note(mark)
        return before

    def leave(self, before: Mark) -> None:
        """Note that it has run.

        Args:
            before: as `enter` returned it.
        """
        if self.at_work is not before:
            self._note(before)

    def _note(self, mark: Mark) -> None:
        data, caller = mark
        before, self.at_work = self.at_work, mark
        if data is not before[0]:
            length = len(data)
            if length > OCTETS:
                length = 0
            elif length:
                self.buffer[:length] = data
            self._words[self._at] = length  # _LENGTH
        if caller != before[1]:
            self._words[self._at + _CALLER] = caller

    def holds(self, length: int) -> None:
        """Note that the buffer has a message that is handled from now on.

        Args:
            length: in octets; 0 = it is handled.
        """
        self._words[self._at] = length  # _LENGTH

    @property
    def poison(self) -> frozenset[int]:
        """The digests of messages and callers that are turned away."""
        if self._words[0] != self._version:
            self._read_lists()
        return self._poison

    def suspects(self, caller: int) -> bool:
        """Whether a caller is under suspicion."""
        if self._words[0] != self._version:
            self._read_lists()
        return caller in self._suspects

    def clear(self, caller: int) -> None:
        """Report that a call of a caller under suspicion has ended well; without room nothing is reported."""
        first = self._at + _CLEARED
        free = next((place for place in range(first, first + _MOST_CLEARED) if not self._words[place]), 0)
        if free:
            self._words[free] = caller

    def _read_lists(self) -> None:
        self._version = self._words[0]
        self._poison = frozenset(self._words[1 : 1 + 2 * MOST]) - {0}
        self._suspects = frozenset(self._words[1 + 2 * MOST : 1 + 3 * MOST]) - {0}
