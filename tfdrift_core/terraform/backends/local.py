"""State files on disk: a file, a directory, or a glob."""

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfdrift_core.terraform.backends.base import DEFAULT_WORKSPACE, Content, Context, Ref, check_size, options
from tfdrift_core.terraform.backends.sent import NOTHING_SENT
from tfdrift_core.terraform.scan import StateError

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

    def locked(self, ref: Ref) -> bool:
        path = Path(ref.key)
        return path.with_name(f".{path.name}.lock.info").exists()

    def close(self) -> None:
        """Nothing is held open."""


def create(given: Mapping[str, Any], context: Context) -> Local:
    return Local(options(Options, given, "local"), context)


def _workspace(path: Path) -> str:
    return path.parent.name if path.parent.parent.name == _WORKSPACES else DEFAULT_WORKSPACE


def _version(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_mtime_ns}-{stat.st_size}-{stat.st_ino}"


def _explained(error: OSError) -> StateError:
    what = error.strerror or str(error)
    hints = {FileNotFoundError: "check the path", PermissionError: "let the user that runs Falco read it"}
    return StateError(f"{what}; {hints.get(type(error), 'check the path and the disk')}")
