"""What ``tfdrift run`` shows: alerts as Falco prints them or for people, and what it is doing meanwhile."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from tfdrift_core.cli.progress import Reading, over_files
from tfdrift_core.cli.readable import FIELDS, readable
from tfdrift_core.output.fields import Type, Value
from tfdrift_core.text import counted
from tfdrift_plugin.host.abi import PluginEvent
from tfdrift_plugin.host.fields import Catalogue
from tfdrift_plugin.host.rules import Rule

BEAT = 60.0
"""Seconds between two lines that say that a run on a queue lives."""

Metrics = Mapping[str, int | float]


class Out:
    """Standard output: lines of Falco as they are, or for people; a bar that stands below is known to the console."""

    def __init__(self, catalogue: Catalogue, for_people: bool) -> None:
        self.console = Console(highlight=False, soft_wrap=True)
        self._catalogue = catalogue
        self._for_people = for_people and catalogue.has("drift.kind")

    def put(self, rule: Rule, event: PluginEvent, line: Callable[[], bytes]) -> None:
        if self._for_people:
            self.console.print(readable(values_of(event, self._catalogue, FIELDS), rule.name, rule.priority.name))
        elif self.console.is_terminal:
            self.console.print(Text(line().decode("utf-8", "replace")))
        else:
            sys.stdout.buffer.write(line() + b"\n")
            sys.stdout.buffer.flush()


def values_of(event: PluginEvent, catalogue: Catalogue, names: Iterable[str]) -> Mapping[str, Value]:
    """Fields of an event by name; those that are absent are left out."""
    found: dict[str, Value] = {}
    for name in names:
        field = catalogue.exact(name)
        values = event.get(field)
        if values:
            plain = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values]
            is_flag = field.type is Type.BOOL
            found[name] = tuple(map(str, plain)) if field.is_list else bool(plain[0]) if is_flag else plain[0]
    return found


class Pulse:
    """What a person is told of a run that follows its sources; one line each, as they become due."""

    def __init__(self, reading: Reading, beats: bool, now: float) -> None:
        self._reading, self._beats = reading, beats
        self._loaded = False
        self._due = now + BEAT

    def begins(self) -> str:
        return f"following {', '.join(self._reading.followed)}; Ctrl-C ends it"

    def due(self, metrics: Metrics, alerts: int, now: float) -> Iterator[str]:
        """``now`` is a monotonic clock's seconds, ``metrics`` the plugin's."""
        if not self._loaded and (metrics.get("states") or metrics.get("states_failing")):
            self._loaded = True
            yield f"loaded {_state(metrics)}"
        if self._beats and now >= self._due:
            self._due = now + BEAT
            records = counted(int(metrics.get("records_read", 0)), "record")
            open_drift = int(metrics.get("open_drifts", 0))
            yield f"alive: {records} read, {counted(alerts, 'alert')}, {open_drift} open; {_state(metrics)}"


def _state(metrics: Metrics) -> str:
    failing = int(metrics.get("states_failing", 0))
    text = (
        f"{counted(int(metrics.get('states', 0)), 'state')}"
        f" with {counted(int(metrics.get('state_resources', 0)), 'resource')}"
    )
    return f"{text}; {counted(failing, 'state')} cannot be read" if failing else text


@contextmanager
def told(
    reading: Reading, metrics: Callable[[], Metrics], alerts: Callable[[], int], say: Callable[[str], None], out: Out
) -> Iterator[None]:
    """A bar over files, or lines about what is followed; ``metrics`` is asked in another thread meanwhile."""
    if not reading.followed:
        console = out.console if out.console.is_terminal else Console(stderr=True)
        with over_files(reading.files, lambda: int(metrics().get("batches_read", 0)), console):
            yield
        return
    pulse = Pulse(reading, sys.stderr.isatty(), time.monotonic())
    say(pulse.begins())
    ended = threading.Event()

    def follow() -> None:
        while not ended.wait(1.0):
            for line in pulse.due(metrics(), alerts(), time.monotonic()):
                say(line)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
