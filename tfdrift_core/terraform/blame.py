"""Who wrote each line of a file in a Git checkout.

The repository may belong to somebody else, and Git executes what a repository's configuration names (hooks, filters,
``core.fsmonitor``, diff programs).  So Git is not run, and no configuration is read: only refs and objects are, as
data.  Time, lines and commits are bounded whatever they hold; what cannot be told within the bounds is not told.
"""

import heapq
import os
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dulwich.diff_tree import CHANGE_DELETE, tree_changes
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import DiskRefsContainer, Ref

_MAX_BYTES: Final = 2 << 20
_MAX_LINES: Final = 20_000
_MAX_COMMITS: Final = 100_000
_MAX_KNOWN: Final = 50_000
_MAX_RENAMED: Final = 200
_ALIKE: Final = 0.5
"""So much of a file has to be in another that was there before it: it was renamed then, as Git sees it."""
_MAX_NAME: Final = 300
_MAX_LINK: Final = 4096

Lines = Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Author:
    """The commit that a line came with, as 40 digits, and who wrote it: ``Name <address>``."""

    commit: str
    name: str


class TooLongError(Exception):
    """There is too much history or too large a file to be looked through."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock, or that somebody does not want to know any more."""

    at: float
    over: threading.Event

    @classmethod
    def within(cls, seconds: float, over: threading.Event | None = None) -> "Deadline":
        return cls(time.monotonic() + seconds, over or threading.Event())

    def check(self) -> None:
        """:raises TooLongError: when it has come."""
        if time.monotonic() > self.at or self.over.is_set():
            raise TooLongError("it took too long")


def authors(root: Path, file: Path, deadline: Deadline) -> Sequence[Author | None]:
    """Who wrote each line of a file of the checkout ``root`` as it is now; ``None`` where no commit that is here did.

    :raises TooLongError: when that cannot be found out within bounds.
    :raises OSError, ValueError, KeyError, AssertionError: when there is no repository, or it is damaged.
    """
    lines = _lines(_content(file))
    with _opened(root) as repository:
        return repository.authors(os.fsencode(file.relative_to(root).as_posix()), lines, deadline)


def _opened(root: Path) -> "_Repository":
    control = root / ".git"
    if control.is_file():  # of a worktree or a submodule
        control = root / _link(control).removeprefix("gitdir:").strip()
    common = control / _link(control / "commondir") if (control / "commondir").is_file() else control
    refs = DiskRefsContainer(os.fsencode(common), os.fsencode(control))
    shallow = common / "shallow"
    grafted = frozenset(shallow.read_bytes().split()) if shallow.is_file() else frozenset()
    return _Repository(DiskObjectStore(os.fspath(common / "objects")), refs[Ref(b"HEAD")], grafted)


def _link(path: Path) -> str:
    with path.open("rb") as file:
        return os.fsdecode(file.read(_MAX_LINK)).strip()


def _content(file: Path) -> bytes:
    if not file.is_file():
        raise ValueError("it is no regular file")
    with file.open("rb") as opened:
        content = opened.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise TooLongError("the file is too large")
    return content


def _lines(content: bytes) -> Lines:
    """Without line ends, which a checkout may have changed."""
    found = content.replace(b"\r\n", b"\n").split(b"\n")
    if len(content) > _MAX_BYTES or len(found) > _MAX_LINES:
        raise TooLongError("the file is too large")
    return found


@dataclass
class _Suspects:
    """Lines that a commit may have brought, by a path that the file had in it: number there to numbers now."""

    at: dict[bytes, dict[int, list[int]]] = field(default_factory=dict)

    def add(self, path: bytes, there: int, now: Sequence[int]) -> None:
        self.at.setdefault(path, {}).setdefault(there, []).extend(now)

    def take(self, other: "_Suspects") -> None:
        for path, lines in other.at.items():
            for there, now in lines.items():
                self.add(path, there, now)

    def numbers(self) -> Iterator[int]:
        return (number for lines in self.at.values() for now in lines.values() for number in now)


class _Repository:
    def __init__(self, store: DiskObjectStore, head: ObjectID, shallow: frozenset[bytes]) -> None:
        self._store, self._head, self._shallow = store, head, shallow
        self._found: dict[tuple[bytes, bytes], ObjectID | None] = {}

    def __enter__(self) -> "_Repository":
        return self

    def __exit__(self, *error: object) -> None:
        self._store.close()

    def authors(self, path: bytes, lines: Lines, deadline: Deadline) -> Sequence[Author | None]:
        result: list[Author | None] = [None] * len(lines)
        head = self._commit(self._head)
        blob = self._blob(head, path)
        if blob is None:
            return result
        suspects = {head.id: _Suspects()}
        for number, there in matching(lines, self._text(blob), deadline):
            suspects[head.id].add(path, there, [number])
        waiting = [(-head.commit_time, head.id)]
        for _ in range(_MAX_COMMITS):
            if not waiting:
                return result
            deadline.check()
            commit = self._commit(heapq.heappop(waiting)[1])
            own = suspects.pop(commit.id)
            parents = [] if commit.id in self._shallow else [self._commit(parent) for parent in commit.parents]
            for passed, parent in self._passed_on(commit, own, parents, deadline):
                if parent not in suspects:
                    suspects[parent] = _Suspects()
                    heapq.heappush(waiting, (-self._commit(parent).commit_time, parent))
                suspects[parent].take(passed)
            # What a shallow clone begins with is older than all that is here.
            author = None if commit.id in self._shallow else _author(commit)
            for number in own.numbers():
                result[number] = author
        raise TooLongError("there are too many commits")

    def _passed_on(
        self, commit: Commit, own: _Suspects, parents: Sequence[Commit], deadline: Deadline
    ) -> Iterator[tuple[_Suspects, ObjectID]]:
        """What the parents had already; it is taken out of ``own``."""
        for path, numbers in own.at.items():
            blob = self._blob(commit, path)
            origins = [(parent, self._origin(commit, parent, path, deadline)) for parent in parents]
            found = [(parent, name, self._blob(parent, name)) for parent, name in origins if name]
            # A merge that took one side's file is not where its lines come from.
            same = [origin for origin in found if origin[2] == blob]
            for parent, name, theirs in same[:1] or found:
                if not numbers or theirs is None or blob is None:
                    continue
                passed = _Suspects()
                if theirs == blob:
                    passed.at[name] = dict(numbers)
                    numbers.clear()
                else:
                    for line, there in matching(self._text(blob), self._text(theirs), deadline):
                        if line in numbers:
                            passed.add(name, there, numbers.pop(line))
                yield passed, parent.id

    def _origin(self, commit: Commit, parent: Commit, path: bytes, deadline: Deadline) -> bytes:
        """Where the file was in a parent, "" where it was not there: renames are followed."""
        if self._blob(parent, path) is not None:
            return path
        blob = self._blob(commit, path)
        changes = tree_changes(self._store, parent.tree, commit.tree)
        gone = [change.old for change in changes if change.type == CHANGE_DELETE and change.old and change.old.path]
        same = next((old.path for old in gone if old.sha == blob), None)
        if same or blob is None:
            return same or b""
        lines, name = self._text(blob), path.rpartition(b"/")[2]
        best, likeness = b"", _ALIKE
        for old in sorted(gone, key=lambda old: (old.path or b"").rpartition(b"/")[2] != name)[:_MAX_RENAMED]:
            deadline.check()
            if old.sha is not None and (share := self._share(old.sha, lines)) >= likeness:
                best, likeness = old.path or b"", share
        return best

    def _share(self, id: ObjectID, lines: Lines) -> float:
        """How much two files have in common, by their lines; nothing where one is too large to say."""
        try:
            theirs = self._text(id)
        except (TooLongError, ValueError):
            return 0.0
        return sum((Counter(theirs) & Counter(lines)).values()) / max(len(theirs), len(lines))

    def _commit(self, id: ObjectID) -> Commit:
        found = self._store[id]
        if not isinstance(found, Commit):
            raise ValueError("a commit is something else")
        return found

    def _text(self, id: ObjectID) -> Lines:
        found = self._store[id]
        if not isinstance(found, Blob):
            raise ValueError("a file is something else")
        return _lines(found.data)

    def _blob(self, commit: Commit, path: bytes) -> ObjectID | None:
        """The file of a commit, ``None`` where it has none at this path.  Most commits change few folders."""
        at: ObjectID | None = commit.tree
        rest = path
        while at is not None and rest:
            known = self._found.get((at, rest))
            name, _, below = rest.partition(b"/")
            if known is None:
                tree = self._store[at]
                entries: Mapping[bytes, tuple[int, ObjectID]] = (
                    {entry.path: (entry.mode, entry.sha) for entry in tree.items()} if isinstance(tree, Tree) else {}
                )
                known = entries[name][1] if name in entries else None
                if len(self._found) >= _MAX_KNOWN:
                    self._found.clear()
                self._found[at, rest] = known
            at, rest = known, below
        return at


def _author(commit: Commit) -> Author:
    return Author(commit.id.decode("ascii"), commit.author.decode("utf-8", "replace")[:_MAX_NAME])


def matching(mine: Lines, theirs: Lines, deadline: Deadline) -> Iterator[tuple[int, int]]:
    """Numbers of lines that are the same in two versions of a file, in no order.

    What begins and ends alike is, then lines that both have once, and so on between those: the patience difference,
    whose time does not grow with how often a line comes.
    """
    ranges = [(0, len(mine), 0, len(theirs))]
    while ranges:
        deadline.check()
        a, a_end, b, b_end = ranges.pop()
        while a < a_end and b < b_end and mine[a] == theirs[b]:
            yield a, b
            a, b = a + 1, b + 1
        while a < a_end and b < b_end and mine[a_end - 1] == theirs[b_end - 1]:
            a_end, b_end = a_end - 1, b_end - 1
            yield a_end, b_end
        if a == a_end or b == b_end:
            continue
        anchors = _anchors(mine[a:a_end], theirs[b:b_end])
        yield from ((a + i, b + j) for i, j in anchors)
        if anchors:
            starts = [(a, b), *((a + i + 1, b + j + 1) for i, j in anchors)]
            ends = [*((a + i, b + j) for i, j in anchors), (a_end, b_end)]
            ranges += [(i, i_end, j, j_end) for (i, j), (i_end, j_end) in zip(starts, ends, strict=True)]


def _anchors(mine: Lines, theirs: Lines) -> Sequence[tuple[int, int]]:
    """The longest ascending row of lines that both have exactly once."""
    once = {line for line, count in Counter(mine).items() if count == 1}
    once &= {line for line, count in Counter(theirs).items() if count == 1}
    places = {line: number for number, line in enumerate(theirs) if line in once}
    pairs = [(number, places[line]) for number, line in enumerate(mine) if line in once]
    tops: list[int] = []  # the least end of an ascending row of each length, and which pair it is
    last: list[int] = []
    before: list[int] = []
    for number, (_, there) in enumerate(pairs):
        length = bisect_left(tops, there)
        tops[length : length + 1] = [there]
        last[length : length + 1] = [number]
        before.append(last[length - 1] if length else -1)
    row: list[tuple[int, int]] = []
    at = last[-1] if last else -1
    while at >= 0:
        row.append(pairs[at])
        at = before[at]
    return row[::-1]
