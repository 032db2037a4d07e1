"""What a command reads: what it follows, and a bar over the files."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tfdrift_core.config import Config
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.files import listing
from tfdrift_core.sources.location import locate, to_read

_LONG = 5


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run reads: sources that end, of which ``files`` are files, and those that are ``followed``."""

    files: Sequence[str] = ()
    followed: Sequence[str] = ()
    others: Sequence[str] = ()

    @property
    def keeps_nothing(self) -> bool:
        """Files that are read from their beginning each time leave nothing in ``data_dir``."""
        return bool(self.files) and not self.followed and not self.others

    @classmethod
    def of(cls, open_params: str, config: Config) -> "Reading":
        files: list[str] = []
        followed: list[str] = []
        others: list[str] = []
        for entry in to_read(open_params, config):
            try:
                place = locate(entry)
                (files if place.replays else others if place.ends else followed).append(place.url)
            except SourceError:
                continue  # opening it tells
        return cls(files, followed, others)


@contextmanager
def over_files(sources: Sequence[str], done: Callable[[], int], console: Console) -> Iterator[None]:
    """A bar, when ``console`` is a terminal and there are more than a few; all else prints above it.

    ``done`` gives how many were read by now, and is called in another thread.
    """
    total = _files(sources)
    if total <= _LONG or not console.is_terminal:
        yield
        return
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeElapsedColumn())
    ended = threading.Event()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=total)

        def follow() -> None:
            while not ended.wait(0.1):
                progress.update(task, completed=done())

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _files(sources: Sequence[str]) -> int:
    try:
        return sum(len(listing(source)) for source in sources if "://" not in source and source != "-")
    except SourceError:
        return 0
