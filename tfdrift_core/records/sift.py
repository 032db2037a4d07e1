"""Finds the records in a compressed file that may have changed something, without parsing the others.

The sources take a ``Sifter`` for this; the plugin's is in C.  Without one, and for every file that is not exactly what
CloudTrail writes, the whole document is decompressed and scanned.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, Self

from isal import isal_zlib

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
    """A compressed file of CloudTrail records (``packed``), and what was found in it."""

    packed: bytes
    found: bytes

    def __len__(self) -> int:
        return len(self.packed) + len(self.found)

    @property
    def read(self) -> int:
        """How many records the file has."""
        return self._tail()[0]

    def candidates(self) -> Iterator[Candidate]:
        """The records that may have changed something, in the file's order."""
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
        """The whole file, decompressed."""
        return isal_zlib.decompress(self.packed, _GZIP)

    def _tail(self) -> tuple[int, int]:
        read, rows = _TAIL.unpack_from(self.found, len(self.found) - _TAIL.size)
        return read, rows


Document = bytes | Sifted
"""JSON, undecoded and decompressed, or what was sifted from it."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A file that is still compressed.  It is decompressed only when it is read, since it may become very large."""

    data: bytes

    def __len__(self) -> int:
        return len(self.data)


class Ahead(Protocol):
    """Sifts the next files in a thread while earlier ones are compared.  Leaving the context ends the thread."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def put(self, packed: bytes) -> None:
        """:raises RuntimeError: if ``AHEAD`` files wait to be taken."""

    def take(self) -> Sifted | None:
        """The result of ``sift`` for the oldest file that was put and not yet taken."""


class Sifter(Protocol):
    """Finds candidates in compressed files.  The host hands it to the pipeline; it must be safe in any thread."""

    def sift(self, packed: bytes) -> Sifted | None:
        """The candidates in a file's bytes, or ``None`` if the whole document has to be scanned."""

    def ahead(self) -> Ahead: ...
