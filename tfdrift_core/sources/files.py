"""Local files, directories and standard input, read once or followed while they grow."""

import glob
import io
import logging
import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from isal import isal_zlib

from tfdrift_core.metrics import Metrics
from tfdrift_core.records.sift import AHEAD, MAX_PACKED, Packed, Sifted, Sifter
from tfdrift_core.sources.base import Batch, SourceError
from tfdrift_core.sources.pump import Pump

MAX_DOCUMENT: Final = 128 << 20
"""Bytes of one decompressed document; a larger one is read as far as this."""

CHUNK: Final = 4 << 20
STDIN: Final = "-"

READ: Final = 1 << 20
GZIP: Final = b"\x1f\x8b"
_SUFFIXES = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_NOT_RECORDS = frozenset({"CloudTrail-Digest", "CloudTrail-Insight"})

_log = logging.getLogger("tfdrift.cloudtrail")


class DamagedError(ValueError):
    """A compressed stream ends early or is damaged.  What could be read before that has been given."""


def decompressed(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of ``stream`` in pieces, decompressed where they are gzip (several members allowed).

    :raises DamagedError: after the last piece that could be read.
    """
    head = stream.read(READ)
    if not head.startswith(GZIP):
        while head:
            yield head
            head = stream.read(READ)
        return
    inflater, data = isal_zlib.decompressobj(31), head
    try:
        while data:
            piece = inflater.decompress(data, CHUNK)
            if piece.startswith(GZIP):
                raise DamagedError("the data is compressed twice; decompress it once")
            if piece:
                yield piece
            if inflater.eof:
                data = inflater.unused_data.lstrip(b"\0") or stream.read(READ)
                if not data:
                    return
                if not data.startswith(GZIP):
                    raise DamagedError("something that is not gzip follows the gzip data")
                inflater = isal_zlib.decompressobj(31)
            else:
                data = inflater.unconsumed_tail or stream.read(READ)
    except isal_zlib.IsalError as error:  # type: ignore[misc]  # its stub declares a value
        raise DamagedError(f"the gzip data is damaged: {error}") from error
    raise DamagedError("the gzip data is cut off")


class LargeError(Exception):
    """A document is larger than the limit."""


def documents(stream: BinaryIO, largest: int | None = None) -> Iterator[bytes]:
    """The documents of ``stream``: JSON lines in pieces of whole lines, everything else as one.

    :raises DamagedError: after the last document that could be read.
    :raises LargeError: as soon as one has more than ``largest`` bytes.
    """
    held: list[bytes] = []
    size = 0
    lines: bool | None = None
    damage: DamagedError | None = None
    pieces = decompressed(stream)
    while True:
        try:
            piece = next(pieces, None)
        except DamagedError as error:
            damage, piece = error, None
        if piece is None:
            break
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            lines = holds_lines(b"".join(held)) if lines is None else lines
            end = piece.rfind(b"\n") + 1
            if lines and end:
                yield b"".join([*held[:-1], piece[:end]])
                held = [piece[end:]]
                size = len(held[0])
            elif largest is not None and size > largest:
                raise LargeError
            elif size > MAX_DOCUMENT:
                damage = DamagedError(
                    f"the document has more than {MAX_DOCUMENT:,} bytes; split it, or write JSON lines"
                )
                break
    if size:
        yield b"".join(held)
    if damage is not None:
        raise damage


def unpacked(packed: Packed) -> Iterator[bytes]:
    """The documents of a file, decompressed one after the other.

    :raises DamagedError: after the last document that could be read.
    """
    size = 0
    for document in documents(io.BytesIO(packed.data)):
        yield document
        size += len(document)
        if size > MAX_DOCUMENT:
            raise DamagedError(f"more than {MAX_DOCUMENT:,} bytes when decompressed")


def holds_lines(data: bytes) -> bool:
    """Whether a document with this beginning is JSON lines."""
    return data.lstrip()[:1] == b"{" and data[: max(data.find(b"\n"), 0)].rstrip().endswith(b"}")


def whole_lines(stream: BinaryIO) -> bytes:
    """The next lines, as many as fit into a piece and at least one; nothing while the first is not complete.

    A line that is longer than any document may be comes in pieces, so that the lines after it are read.
    """
    held = bytearray()
    while data := stream.read(CHUNK):
        held += data
        if end := held.rfind(b"\n") + 1:
            return bytes(held[:end])
        if len(held) > MAX_DOCUMENT:
            return bytes(held)
    return b""


def listing(pattern: str) -> list[Path]:
    """The files that a path, directory or glob names, sorted.

    :raises SourceError: when there is none, or one cannot be read.
    """
    path = Path(pattern)
    try:
        if path.is_dir():
            found = [Path(top, name) for top, _, names in os.walk(path, onerror=_raise) for name in names]
            files = [file for file in found if _holds_records(file)]
            if not files:
                raise SourceError(f"{pattern}: no {', '.join(_SUFFIXES[:2])} or .jsonl file in this directory")
        elif path.exists():
            files = [path]
        else:
            files = [
                Path(name)
                for name in glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no absolute pattern
                if not Path(name).is_dir()
            ]
            if not files:
                raise SourceError(f"{pattern}: no such file or directory, and no file matches it as a pattern")
    except OSError as error:
        raise SourceError(f"{pattern}: cannot be listed: {error.strerror or error}") from error
    return sorted(files)


def _raise(error: OSError) -> None:
    raise error


def _holds_records(path: Path) -> bool:
    return path.name.endswith(_SUFFIXES) and not _NOT_RECORDS.intersection(path.parts)


def packed(stream: BinaryIO) -> bytes:
    """The bytes of a compressed file that may be sifted; nothing for any other file."""
    if os.fstat(stream.fileno()).st_size > MAX_PACKED or stream.read(len(GZIP)) != GZIP:
        return b""
    return GZIP + stream.read()


class Files:
    """Local files, each read once.  Nothing is remembered: the next run reads them again."""

    finite = True

    def __init__(self, pattern: str, metrics: Metrics, sifter: Sifter | None = None) -> None:
        self.name = "stdin" if pattern == STDIN else pattern
        self._pattern, self._metrics, self._sifter = pattern, metrics, sifter
        self._pump = Pump(self.name)

    def files(self) -> list[Path]:
        """The files that will be read.

        :raises SourceError: when there is nothing, or it cannot be read.
        """
        files = [] if self._pattern == STDIN else listing(self._pattern)
        unreadable = [file for file in files if not os.access(file, os.R_OK)]
        if unreadable:
            raise SourceError(f"{unreadable[0]}: permission denied; make it readable for user {os.geteuid()}")
        return files

    def batches(self) -> Iterator[Batch | None]:
        files = self.files()
        batches = self._read_all(files) if files else self._read(sys.stdin.buffer, "stdin")
        if files and all(file.is_file() for file in files):
            yield from batches
        else:
            # Nobody knows when a pipe's other end will write.
            self._pump.start(lambda: self._fill(batches))
            yield from self._pump.batches()

    def acknowledge(self, batch: Batch) -> None:
        """Nothing to do: files are read anew by the next run."""

    def close(self) -> None:
        if self._pattern == STDIN:
            # A read of standard input cannot be interrupted; the daemon thread ends with the process.
            self._pump.stop.set()
        else:
            self._pump.close()

    def _fill(self, batches: Iterator[Batch]) -> None:
        for batch in batches:
            if not self._pump.put(batch):
                return

    def _read_all(self, files: list[Path]) -> Iterator[Batch]:
        if self._sifter is None:
            for file in files:
                yield from self._one(file, None)
            return
        waiting: deque[Path] = deque()
        with self._sifter.ahead() as ahead:
            for file in files:
                ahead.put(self._packed(file))
                waiting.append(file)
                if len(waiting) == AHEAD:
                    yield from self._one(waiting.popleft(), ahead.take())
            for file in waiting:
                yield from self._one(file, ahead.take())

    def _packed(self, file: Path) -> bytes:
        if not file.is_file():
            # What is read from a pipe is gone.
            return b""
        try:
            with file.open("rb") as stream:
                return packed(stream)
        except OSError:
            # Told when it is read in its turn.
            return b""

    def _one(self, file: Path, sifted: Sifted | None) -> Iterator[Batch]:
        if sifted is not None:
            yield Batch(str(file), (sifted,), durable=False)
            return
        try:
            with file.open("rb") as stream:
                yield from self._read(stream, str(file))
        except OSError as error:
            self._fault(str(file), error.strerror or error)

    def _read(self, stream: BinaryIO, origin: str) -> Iterator[Batch]:
        try:
            for document in documents(stream):
                yield Batch(origin, (document,), durable=False)
        except DamagedError as error:
            self._fault(origin, error)

    def _fault(self, origin: str, problem: object) -> None:
        self._metrics.add("errors_files")
        _log.error("%s: %s; what was before is read", origin, problem)
