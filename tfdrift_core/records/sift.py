"""Finds the records of a compressed file that may have changed something, in C and without Python's lock.

Only the plugin brings this part (``csrc/sift.c``); where it is missing, and for every file that is not exactly what
CloudTrail writes, the document is decompressed and scanned whole.
"""

import struct
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

from isal import isal_zlib

try:
    from _tfdrift_cffi import ffi, lib
except ImportError:
    AVAILABLE = False
else:
    AVAILABLE = True

MAX_PACKED: Final = 8 << 20
"""Bytes of a compressed file that is sifted, which is held in memory; CloudTrail's own rarely have one megabyte."""

AHEAD: Final = 5
"""Files that ``Ahead`` may hold."""

_GZIP = 31
_ROW = struct.Struct("=7I")
_TAIL = struct.Struct("=QQ")


class Candidate(NamedTuple):
    """A record that is not marked as a read; ``number`` counts those of its document from 1."""

    number: int
    source: bytes
    name: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Sifted:
    """A file of CloudTrail records, ``packed`` as it came, and what was found in it."""

    packed: bytes
    found: bytes

    def __len__(self) -> int:
        return len(self.packed) + len(self.found)

    @property
    def read(self) -> int:
        """How many records the file has."""
        return self._tail()[0]

    def candidates(self) -> Iterator[Candidate]:
        """Those of its records that may have changed something, in the file's order."""
        texts, end = self.found, len(self.found) - _TAIL.size
        rows = memoryview(texts)[end - self._tail()[1] * _ROW.size : end]
        for begin, size, number, name, name_size, source, source_size in _ROW.iter_unpack(rows):
            name, source = begin + name, begin + source
            yield Candidate(
                number,
                texts[source : source + source_size],
                texts[name : name + name_size],
                texts[begin : begin + size],
            )

    def document(self) -> bytes:
        """All of the file, decompressed."""
        return isal_zlib.decompress(self.packed, _GZIP)

    def _tail(self) -> tuple[int, int]:
        read, rows = _TAIL.unpack_from(self.found, len(self.found) - _TAIL.size)
        return read, rows


Document = bytes | Sifted
"""JSON, undecoded and decompressed, or what was sifted from it."""


class _Sifters(threading.local):
    def __init__(self) -> None:
        self.handle = ffi.gc(lib.tfdrift_sifter_new(), lib.tfdrift_sifter_free)
        self.found = ffi.new("const char **")


_sifters = _Sifters() if AVAILABLE else None


def sift(packed: bytes) -> Sifted | None:
    """What may have changed something in a file's bytes; ``None`` where the whole document has to be scanned."""
    if _sifters is None or len(packed) > MAX_PACKED:
        return None
    size = lib.tfdrift_sift(_sifters.handle, packed, len(packed), _sifters.found)
    return _sifted(packed, _sifters.found, size)


def _sifted(packed: bytes, found: Any, size: int) -> Sifted | None:
    return Sifted(packed, bytes(ffi.buffer(found[0], size))) if size else None


class Ahead:
    """Sifts files in a thread while earlier ones are compared: ``take`` gives what ``put`` was given, in that order.

    That thread never has Python's lock: handing it to and fro for each file would cost more than sifting one.  A
    context, with which the thread ends.
    """

    def __init__(self) -> None:
        self._packed: deque[bytes] = deque()
        self._handle = lib.tfdrift_ahead_new() if AVAILABLE else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._handle:
            lib.tfdrift_ahead_free(self._handle)
            self._handle = None

    def put(self, packed: bytes) -> None:
        """:raises RuntimeError: if ``AHEAD`` files wait to be taken."""
        # First: the thread reads these very bytes.
        self._packed.append(packed)
        if self._handle and not lib.tfdrift_ahead_put(self._handle, packed, len(packed)):
            self._packed.pop()
            raise RuntimeError(f"{AHEAD} files wait to be taken")

    def take(self) -> Sifted | None:
        """What ``sift`` gives for the oldest file."""
        packed = self._packed[0]
        if not self._handle:
            sifted = sift(packed)
        else:
            found = ffi.new("const char **")
            sifted = _sifted(packed, found, lib.tfdrift_ahead_take(self._handle, found))
        self._packed.popleft()
        return sifted
