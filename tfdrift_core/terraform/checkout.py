"""Who owns a file of the configuration and who wrote a line of it, found out in threads that nobody waits for long."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from tfdrift_core.terraform import owners
from tfdrift_core.text import one_line

if TYPE_CHECKING:
    from tfdrift_core.terraform.blame import Author

log = logging.getLogger("tfdrift.config")

PATIENCE: Final = 1.0
"""Seconds that an event waits for what nobody has asked for before.  Falco waits twice as long for fields."""
_LASTING: Final = 60.0  # seconds until something is looked up anew, while the earlier answer is still given
_LONGEST: Final = 20.0  # seconds for the history of one file
_SHARE: Final = 0.1
_KEPT: Final = 1000

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


@dataclass(eq=False)
class _Answer(Generic[_Value]):
    value: _Value | None = None
    at: float | None = None
    asked: bool = False
    there: threading.Event = field(default_factory=threading.Event)


class Beside(Generic[_Key, _Value]):
    """Answers of a function that may take long, from a thread that ends when nothing is left to answer.

    All together wait ``patience`` seconds, and a tenth of the time in the long run; nobody does while the function has
    not come to an end that somebody has waited for in vain.
    """

    def __init__(self, find: Callable[[_Key], _Value | None], name: str, patience: float) -> None:
        self._find, self._name, self._patience = find, name, patience
        self._lock = threading.Lock()
        self._answers: OrderedDict[_Key, _Answer[_Value]] = OrderedDict()
        self._waiting: list[_Key] = []
        self._thread: threading.Thread | None = None
        self._late = False
        self._left, self._since = patience, time.monotonic()

    def get(self, key: _Key) -> _Value | None:
        with self._lock:
            answer = self._answers.setdefault(key, _Answer())
            if not answer.asked and (answer.at is None or time.monotonic() - answer.at > _LASTING):
                answer.asked = True
                self._waiting.append(key)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                    self._thread.start()
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)
            began = time.monotonic()
            self._left = min(self._patience, self._left + (began - self._since) * _SHARE)
            self._since = began
            late = self._late
        if not late and not answer.there.wait(max(self._left, 0)):
            self._late = True
        self._left -= time.monotonic() - began
        return answer.value

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread, self._late = None, False
                    return
                key = self._waiting.pop(0)
            value = self._find(key)
            with self._lock:
                answer = self._answers.get(key)
                if answer is not None:
                    answer.value, answer.at, answer.asked = value, time.monotonic(), False
                    answer.there.set()


class Checkouts:
    """The repositories that files of the configuration lie in."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._owners = Beside(_owners, "tfdrift-owners", patience)
        self._authors = Beside(self._look, "tfdrift-authors", patience)
        self._closed = threading.Event()
        self._told: set[Path] = set()

    def close(self) -> None:
        """What is under way ends at once."""
        self._closed.set()

    def owners(self, file: str) -> tuple[str, ...]:
        """The owners of a file as CODEOWNERS names them."""
        return self._owners.get(file) or ()

    def author(self, file: str, line: int) -> Author | None:
        """Who wrote a line, counted from 1, of a file as it is now; ``None`` where that is not known (yet)."""
        try:
            found = Path(file).stat()
        except (OSError, ValueError):
            return None
        lines = self._authors.get((file, found.st_mtime_ns, found.st_size)) or ()
        return lines[line - 1] if 0 < line <= len(lines) else None

    def _look(self, key: tuple[str, int, int]) -> Sequence[Author | None] | None:
        file = Path(os.path.realpath(key[0]))
        # Unlike Path's, these do not raise where Falco's user may not look.
        root = next((folder for folder in file.parents if os.path.exists(folder / ".git")), None)  # noqa: PTH110
        if root is None:
            return None
        # Only here: whoever asks for no author does not wait for the library at the start.
        from tfdrift_core.terraform import blame

        try:
            return blame.authors(root, file, blame.Deadline.within(_LONGEST, self._closed))
        except blame.TooLongError as error:
            self._tell(root, f"{error}; it may need a smaller file or a younger history")
        except Exception as error:  # noqa: BLE001 - what a damaged repository makes a library raise nobody knows
            self._tell(root, f"{type(error).__name__}: {error}")
        return None

    def _tell(self, root: Path, why: str) -> None:
        if root not in self._told and not self._closed.is_set():
            self._told.add(root)
            log.info("%s: who wrote a line is not known everywhere (tf.author): %s", one_line(str(root)), one_line(why))


def _owners(file: str) -> tuple[str, ...]:
    path = Path(os.path.realpath(file))
    root = owners.repository(path)
    if root is None:
        return ()
    try:
        return owners.owners(owners.read(root), path.relative_to(root).as_posix())
    except (OSError, ValueError) as error:
        log.debug("%s: its owners are not known: %s", root, error)
        return ()
