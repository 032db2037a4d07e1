"""State files on disk: a file, a directory, or a glob."""

import glob
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdrift_core.terraform.backends.base import (
    DEFAULT_WORKSPACE,
    Content,
    Context,
    History,
    Ref,
    Version,
    check_size,
    options,
)
from tfdrift_core.terraform.backends.sent import NOTHING_SENT
from tfdrift_core.terraform.scan import StateError, identity

_TRIES = 3
_WORKSPACES = "terraform.tfstate.d"


@dataclass(frozen=True, slots=True)
class Options:
    path: str
    workspace: str = ""


class Local:
    """``path`` may be a file, a directory (every ``*.tfstate`` below it) or a glob (``**`` for any depth)."""

    locks_are_listed = False
    sent = NOTHING_SENT

    def __init__(self, settings: Options, context: Context) -> None:
        self.origin = settings.path
        self._workspace = settings.workspace
        self._context = context

    def refs(self) -> Sequence[Ref]:
        path = Path(self.origin).expanduser()
        try:
            if path.is_file():
                paths = [path]
            elif path.is_dir():
                next(path.iterdir(), None)  # raises when it may not be listed; rglob would find nothing
                paths = [p for p in sorted(path.rglob("*.tfstate")) if ".terraform" not in p.parts]
            elif glob.has_magic(self.origin):
                paths = [Path(p) for p in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute too
            else:
                path.stat()  # says why
                raise StateError(f"{path} is not a regular file; check the path")
            if not paths:
                raise StateError("no *.tfstate file is there; check the path")
            return [Ref(str(p), str(p), self._workspace or _workspace(p), _version(p)) for p in paths if p.is_file()]
        except OSError as error:
            raise _explained(error) from None

    def read(self, ref: Ref, known: str) -> Content | None:
        path = Path(ref.key)
        try:
            for _ in range(_TRIES):
                version = _version(path)
                if version == known:
                    return None
                check_size(path.stat().st_size, self._context)
                content = Content(path.read_bytes(), version)
                if _version(path) == version:  # Terraform writes in place: this is no torn copy
                    break
            return content
        except OSError as error:
            raise _explained(error) from None

    def histories(self) -> Sequence[History]:
        """The copies of each state that lie there: its backups, and files of the same lineage, by their serials."""
        path = Path(self.origin).expanduser()
        try:
            if path.is_file():
                lineage = identity(self._bytes(path))[0]
                copies = [copy for copy in self._copies(_states(path.parent.iterdir())) if copy.lineage == lineage]
                return [self._history(copies, path)]
            if glob.has_magic(self.origin):
                there = [Path(p) for p in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207 - absolute too
            else:
                next(path.iterdir(), None)  # raises when it may not be listed
                there = list(_states(p for p in path.rglob("*") if ".terraform" not in p.parts))
        except OSError as error:
            raise _explained(error) from None
        by_lineage: dict[str, list[_Copy]] = {}
        for copy in self._copies(p for p in there if p.is_file()):
            by_lineage.setdefault(copy.lineage, []).append(copy)
        if not by_lineage:
            raise StateError("no state and no backup of one is there; check the path")
        return [self._history(copies, None) for copies in by_lineage.values()]

    def read_version(self, ref: Ref, version: Version) -> bytes:
        try:
            return self._bytes(Path(version.key))
        except OSError as error:
            raise _explained(error) from None

    def _bytes(self, path: Path) -> bytes:
        check_size(path.stat().st_size, self._context)
        return path.read_bytes()

    def _copies(self, paths: Iterable[Path]) -> Iterator["_Copy"]:
        for path in paths:
            try:
                lineage, serial = identity(self._bytes(path))
            except StateError as error:
                raise StateError(f"{path}: {error}") from None
            yield _Copy(path, lineage, serial, path.stat().st_mtime_ns)

    def _history(self, copies: Sequence["_Copy"], named: Path | None) -> History:
        states = [copy.path for copy in sorted(copies, key=lambda copy: copy.serial) if not copy.is_backup]
        path = named or (states or [copy.path for copy in copies])[-1]
        return History(Ref(str(path), str(path), self._workspace or _workspace(path)), tuple(_versions(copies)))

    def locked(self, ref: Ref) -> bool:
        path = Path(ref.key)
        return path.with_name(f".{path.name}.lock.info").exists()

    def close(self) -> None:
        """Nothing is held open."""


def create(given: Mapping[str, Any], context: Context) -> Local:
    return Local(options(Options, given, "local"), context)


@dataclass(frozen=True, slots=True)
class _Copy:
    """One file with a version of a state, and when it was written."""

    path: Path
    lineage: str
    serial: int
    written: int

    @property
    def is_backup(self) -> bool:
        """Terraform writes a backup when the next version comes; other copies are made when their own does."""
        return self.path.suffix == ".backup"


def _states(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are states or backups of them by their names."""
    for path in sorted(paths):
        if path.is_file() and (path.suffix == ".tfstate" or (path.suffix == ".backup" and ".tfstate" in path.name)):
            yield path


def _versions(copies: Sequence[_Copy]) -> Iterator[Version]:
    """When each version began.  A backup tells when its version ended: it began where the one before it did so.

    :raises StateError: when the files' times do not follow their serials.
    """
    first: dict[int, _Copy] = {}
    for copy in sorted(copies, key=lambda copy: (copy.serial, copy.is_backup, copy.written)):
        first.setdefault(copy.serial, copy)
    ended, latest, known = 0, 0, False
    for copy in first.values():
        if copy.written < latest:
            raise StateError(
                f"{copy.path} has serial {copy.serial} and is older than the version before it: such times do not tell "
                "when a version was current; keep the times of files that are copied (cp -p)"
            )
        latest = copy.written
        if not copy.is_backup:
            yield Version(copy.written, str(copy.path))
        elif ended or not known:
            yield Version(ended, str(copy.path))
        ended, known = copy.written if copy.is_backup else 0, True


def _workspace(path: Path) -> str:
    return path.parent.name if path.parent.parent.name == _WORKSPACES else DEFAULT_WORKSPACE


def _version(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"


def _explained(error: OSError) -> StateError:
    what = error.strerror or str(error)
    hints = {FileNotFoundError: "check the path", PermissionError: "let the user that runs Falco read it"}
    return StateError(f"{what}; {hints.get(type(error), 'check the path and the disk')}")
