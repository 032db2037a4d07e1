"""Follows local files that grow, and directories that new files are put into."""

import gzip
import hashlib
import logging
import os
import stat
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import orjson

from tfdrift_core.metrics import Metrics
from tfdrift_core.records.sift import Document, Sifter
from tfdrift_core.sources.base import Batch, Checkpoints, SourceError
from tfdrift_core.sources.files import GZIP, READ, DamagedError, documents, holds_lines, listing, packed, whole_lines
from tfdrift_core.sources.pump import Pump

POLL: Final = 0.5
LONGEST_POLL: Final = 2.0
"""Seconds between two looks at a directory that takes long to list."""

QUIET: Final = 1.0
"""Seconds after which a last line without a line break is complete."""

UNFINISHED: Final = 10.0
"""Seconds after which a document that ends in the middle is read as far as it goes; it is read anew when it goes on."""

ROTATED: Final = 60.0
"""Seconds without a change after which nobody writes any more to a file that was put aside."""

_PROOF = 4096
"""Bytes at the beginning and before the place that was reached, by which a file is known again."""

_SIBLINGS = 20
"""Files beside a rotated one that are tried for the rest of it, the newest first."""

_log = logging.getLogger("tfdrift.cloudtrail")


@dataclass(frozen=True, slots=True)
class _Mark:
    """How far a file has been read, and what it held there: inodes are reused, and files are rewritten.

    ``written`` is its time of modification if all of it has been read, else 0.  Without proofs, which marks of earlier
    versions do not have, the inode has to do.
    """

    path: str
    inode: int
    offset: int = 0
    written: int = 0
    head: str = ""
    tail: str = ""

    def fits(self, stream: BinaryIO, inode: int, size: int | None) -> bool:
        """Whether ``stream``, of that inode and size where they are known, goes on from what was read."""
        if size is not None and size < self.offset:
            return False
        if not self.head:
            return inode == self.inode
        return (self.head, self.tail) == _proofs(stream, self.offset)

    def saved(self) -> list[Any]:
        return [self.inode, self.offset, self.written, self.head, self.tail]


def _proofs(stream: BinaryIO, offset: int) -> tuple[str, str]:
    size = min(_PROOF, offset)
    stream.seek(0)
    head = stream.read(size)
    stream.seek(offset - size)
    tail = stream.read(size)
    return hashlib.blake2b(head, digest_size=16).hexdigest(), hashlib.blake2b(tail, digest_size=16).hexdigest()


@dataclass(slots=True)
class _Seen:
    """A file as it was at the last look; ``done`` when nothing in it is left to read."""

    status: tuple[int, int, int]
    since: float
    done: bool = False


class Follow:
    """A file that grows, or a directory that files are put into, for ever.

    JSON lines are read line by line as they are written.  Any other file is read as a whole once it has stayed the same
    for one look.  A file that was replaced or written anew is read from its beginning, and before that the rest of what
    it was from the file beside it that holds it now.
    """

    finite = False

    def __init__(self, pattern: str, checkpoints: Checkpoints, metrics: Metrics, sifter: Sifter | None = None) -> None:
        self.name = pattern
        self._pattern, self._checkpoints, self._metrics, self._sifter = pattern, checkpoints, metrics, sifter
        self._pump = Pump(pattern)
        self._marks: dict[str, _Mark] = {}
        self._seen: dict[str, _Seen] = {}
        self._aside: set[Path] = set()
        self._told: dict[str, str] = {}

    def batches(self) -> Iterator[Batch | None]:
        self._pump.start(self._watch)
        yield from self._pump.batches()

    def acknowledge(self, batch: Batch) -> None:
        if isinstance(mark := batch.token, _Mark):
            self._checkpoints.save(f"files {mark.path}", mark.saved())

    def close(self) -> None:
        self._pump.close()

    def _files(self) -> list[Path]:
        try:
            return listing(self._pattern)
        except SourceError:
            # It may appear later: that is what following means.
            return []

    def _watch(self) -> None:
        missing = False
        while not self._pump.stop.is_set():
            begun = time.monotonic()
            files = [file.absolute() for file in self._files()]
            took = time.monotonic() - begun
            if not files and not missing:
                _log.warning("%s: nothing there yet; waiting for it", self._pattern)
            missing = not files
            for gone in self._seen.keys() - {str(file) for file in (*files, *self._aside)}:
                for known in (self._seen, self._marks, self._told):
                    cast(dict[str, Any], known).pop(gone, None)
            for file in (*files, *self._aside.difference(files)):
                self._try(file)
            # What has been read until now says nothing about how soon the next file comes.
            self._pump.stop.wait(min(max(POLL, 5 * took), LONGEST_POLL))

    def _try(self, file: Path) -> None:
        try:
            self._look(file)
        except FileNotFoundError:
            self._aside.discard(file)
        except OSError as error:
            self._tell(str(file), str(error.strerror or error))

    def _tell(self, name: str, problem: str) -> None:
        """Logs a problem once for each file, however often the file is looked at."""
        if self._told.get(name) != problem:
            self._told[name] = problem
            self._metrics.add("errors_files")
            _log.error("%s: %s", name, problem)

    def _look(self, file: Path) -> None:
        name, status, now = str(file), file.stat(), time.monotonic()
        if not stat.S_ISREG(status.st_mode):
            return
        look = status.st_ino, status.st_size, status.st_mtime_ns
        seen = self._seen.get(name)
        if seen is None or seen.status != look:
            seen = self._seen[name] = _Seen(look, now)
        age = now - seen.since
        if file in self._aside and age > ROTATED:
            self._aside.discard(file)
        mark = self._marks.get(name) or self._recalled(name, status.st_ino)
        if seen.done or look == (mark.inode, mark.offset, mark.written):
            return
        with file.open("rb") as stream:
            if not mark.fits(stream, status.st_ino, status.st_size):
                self._find_rest(file, mark)
                mark = _Mark(name, status.st_ino)
            self._marks[name] = mark
            stream.seek(0)
            head = stream.read(READ)
            if not head:
                seen.done = True
            elif head.startswith(GZIP) or not holds_lines(head):
                if age >= POLL:
                    self._whole(stream, head, _Mark(name, *look), seen)
            else:
                self._lines(stream, mark, look, seen, quiet=age >= QUIET)

    def _recalled(self, name: str, inode: int) -> _Mark:
        saved = self._checkpoints.checkpoint(f"files {name}")
        return _Mark(name, *saved) if saved else _Mark(name, inode)

    def _lines(self, stream: BinaryIO, mark: _Mark, look: tuple[int, int, int], seen: _Seen, *, quiet: bool) -> None:
        offset = mark.offset
        stream.seek(offset)
        while data := whole_lines(stream):
            if not self._marks[mark.path].fits(stream, look[0], None):
                # Written anew while it was read: the next look begins at its beginning.
                return
            if not self._give_lines(stream, data, offset := offset + len(data), mark.path, look):
                return
        stream.seek(offset)
        rest = stream.read(max(look[1] - offset, 0)) if quiet else b""
        if rest.strip():
            try:
                orjson.loads(rest)
            except ValueError:
                self._tell(mark.path, "its last line is no whole record; it is read once it is, or has a line break")
            else:
                self._give_lines(stream, rest, offset + len(rest), mark.path, look)
        seen.done = quiet or offset == look[1]

    def _give_lines(self, stream: BinaryIO, data: bytes, offset: int, path: str, look: tuple[int, int, int]) -> bool:
        """Gives the new lines.  False once the source is closing."""
        inode, size, written = look
        mark = _Mark(path, inode, offset, written if offset == size else 0, *_proofs(stream, offset))
        stream.seek(offset)
        if not self._pump.put(Batch(path, (data,), mark)):
            return False
        self._marks[path] = mark
        return True

    def _whole(self, stream: BinaryIO, head: bytes, mark: _Mark, seen: _Seen) -> None:
        """One batch for each document.  Only the last one marks the file as read."""
        partial = len(head) < READ and not head.startswith(GZIP) and head.rstrip()[-1:] not in (b"]", b"}", b"")
        if partial and time.monotonic() - seen.since < UNFINISHED:
            return
        mark = _Mark(mark.path, mark.inode, mark.offset, mark.written, *_proofs(stream, mark.offset))
        last: Document = b""
        try:
            stream.seek(0)
            sifted = self._sifter.sift(packed(stream)) if self._sifter is not None else None
            stream.seek(0)
            for document in documents(stream) if sifted is None else (sifted,):
                if last and not self._pump.put(Batch(mark.path, (last,))):
                    return
                last = document
        except DamagedError as error:
            self._metrics.add("errors_files")
            _log.error("%s: %s; what was before is read", mark.path, error)
        if self._pump.put(Batch(mark.path, (last,) if last else (), mark)):
            self._marks[mark.path] = mark
            seen.done = True

    def _find_rest(self, file: Path, mark: _Mark) -> None:
        """Follows the rotated file, renamed or copied beside this one, to the end of what was not read."""
        stem = file.name.partition(".")[0]
        beside = [entry for entry in os.scandir(file.parent) if entry.name.startswith(stem) and entry.is_file()]
        for entry in sorted(beside, key=lambda entry: -entry.stat().st_mtime_ns)[:_SIBLINGS]:
            other = Path(entry.path)
            if other == file or not mark.offset or not _goes_on(other, mark):
                continue
            self._aside.add(other)
            inode = other.stat().st_ino
            self._marks[str(other)] = _Mark(str(other), inode, mark.offset, 0, mark.head, mark.tail)
            self._seen.pop(str(other), None)
            self._try(other)
            return


def _goes_on(path: Path, mark: _Mark) -> bool:
    """Whether a file still begins with what was read up to a mark.  It may be compressed since."""
    try:
        with path.open("rb") as raw:
            if raw.read(len(GZIP)) != GZIP:
                return mark.fits(raw, os.fstat(raw.fileno()).st_ino, os.fstat(raw.fileno()).st_size)
            raw.seek(0)
            with gzip.GzipFile(fileobj=raw) as stream:
                return mark.fits(cast(BinaryIO, stream), 0, None)
    except (OSError, EOFError, zlib.error):
        # It may be just being written; what is in it is not lost, for it is still there.
        return False
