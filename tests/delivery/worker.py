"""A pipeline in a process of its own that writes each event to a file, for tests that kill it."""

import ctypes
import json
import os
import queue
import signal
import struct
import threading
import time
from pathlib import Path
from typing import Any

from tfdrift_core import config
from tfdrift_core.drift.change import catalog
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.pipeline import Pipeline

# Processes are forked from one that has imported this: each begins with the catalog read.
catalog.load()


OUTPUT_SECONDS = 0.003
"""What the busy host's output takes for an alert."""

_write = ctypes.PyDLL(None).write
"""Unlike ``os.write`` it keeps the interpreter's lock.  Falco has none to wait for between an alert and its next call,
where a kill repeats the alert."""


class FileSink:
    """One line for each event; counts it as handed over at once, as Falco's next call does."""

    def __init__(self, path: str, progress: Any) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._progress = progress
        self._count = 0

    def put(self, event: DriftEvent) -> bool:
        line = f"{event.record.id} {event.id}\n".encode()
        _write(self._fd, line, len(line))
        self._count += 1
        if self._progress is not None:
            struct.pack_into("=Q", self._progress, 0, self._count)
        return True

    def handed_over(self) -> int:
        return self._count


def work(settings: dict[str, Any], output: str) -> None:
    """Runs until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pipeline = Pipeline(config.load(json.dumps(settings)))
    pipeline.open("")
    pipeline.run(FileSink(output, pipeline.progress), stop)
    pipeline.close()


def work_in_plugin(settings: dict[str, Any], output: str, library: str) -> None:
    """The same in the real plugin, read as Falco reads it, until the process is told to end."""
    from tfdrift_plugin.host.abi import Library

    signal.signal(signal.SIGTERM, _exit)
    file = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with (
        Library(Path(library)).init(json.dumps(settings), lambda *_: None) as plugin,
        plugin.open("") as instance,
    ):
        for event in instance.events():
            content = json.loads(event.info())
            line = f"{content['ct.id']} {content['drift.id']}\n".encode()
            _write(file, line, len(line))


def work_in_busy_host(settings: dict[str, Any], output: str, library: str) -> None:
    """The real plugin in a host that, as Falco does, takes events at once and writes them later from another thread."""
    from tfdrift_plugin.host.abi import Library

    signal.signal(signal.SIGTERM, _exit)
    file = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def write() -> None:
        while True:
            os.write(file, waiting.get())
            time.sleep(OUTPUT_SECONDS)

    threading.Thread(target=write, daemon=True).start()
    with (
        Library(Path(library)).init(json.dumps(settings), lambda *_: None) as plugin,
        plugin.open("") as instance,
    ):
        for event in instance.events():
            content = json.loads(event.info())
            mark = "repeated" if content.get("drift.repeated") else "new"
            waiting.put(f"{content['ct.id']} {content['drift.id']} {mark}\n".encode())


def _exit(*_: object) -> None:
    raise SystemExit(0)
