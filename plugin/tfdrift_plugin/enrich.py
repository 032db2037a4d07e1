"""The Python half of ``libtfdrift_enrich.so``: what Terraform thinks of the events of another plugin.

The other half is ``csrc/enrich.c``, which hands over the records that may have changed something, one by one, and waits
for the answer within bounds.  A pipeline reads them like any other source.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from _tfdrift_enrich_cffi import ffi, lib

from tfdrift_core import config
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.metrics import Metrics
from tfdrift_core.output import payload
from tfdrift_core.pipeline import Pipeline
from tfdrift_core.sources.base import Batch
from tfdrift_plugin import falco
from tfdrift_plugin.falco import c_text

if TYPE_CHECKING:
    from _tfdrift_cffi import _Pointer

log = logging.getLogger("tfdrift.plugin")

OF_SOURCES: Final = ("sources", "data_dir", "redeliver", "remind_after", "store")
"""Settings of the plugin that brings events."""

MAX_ANSWERS: Final = 1000
"""So many records get the same answer when they come again."""

_JOIN_SECONDS = 1.5
_PUBLISH_SECONDS = 1.0
_RESTART_SECONDS = 5.0


class Records:
    """The records that C asks about, as a source, and at once the sink of what they come to.

    ``batches`` may be called again: what it was at when it failed stays without an answer.
    """

    name, finite = "the cloudtrail plugin's events", False

    def __init__(self, handle: _Pointer, stop: threading.Event) -> None:
        self._handle, self._stop = handle, stop
        self._found: list[DriftEvent] = []
        self._count = 0
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()

    def batches(self) -> Iterator[Batch | None]:
        lib.tfdrift_ready(self._handle)
        ticket, record = ffi.new("uint64_t *"), ffi.new("const char **")
        while not self._stop.is_set():
            size = lib.tfdrift_take(self._handle, ticket, record)
            if not size:
                yield None
                continue
            number, document = ticket[0], bytes(ffi.buffer(record[0], size))
            if document not in self._answers:
                self._found = []
                yield Batch(self.name, (document,), durable=False)
                # The pipeline comes back when it has worked on it.
                self._keep(document, payload.encode_all(self._found) if self._found else b"")
            answer = self._answers[document]
            lib.tfdrift_answer(self._handle, number, answer, len(answer))

    def acknowledge(self, batch: Batch) -> None:
        """Nothing to do: Falco has the event already."""

    def close(self) -> None:
        """Nothing to do: C has the records."""

    def put(self, event: DriftEvent) -> bool:
        # What a newer state has ended, and no call, says nothing of the record at hand.
        if event.record.event_name:
            self._found.append(event)
        self._count += 1
        return not self._stop.is_set()

    def handed_over(self) -> int:
        return self._count

    def _keep(self, document: bytes, answer: bytes) -> None:
        self._answers[document] = answer
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)


@dataclass(eq=False)
class _Plugin(falco.Plugin):
    worker: _Worker | None = None

    @property
    def is_at_work(self) -> bool:
        return self.worker is not None


class _Worker:
    """The threads of one plugin: one answers, one publishes metrics."""

    def __init__(self, plugin: _Plugin) -> None:
        self._plugin = plugin
        self._stop = threading.Event()
        self._pipeline = Pipeline(plugin.settings, plugin.metrics)
        self._threads = [
            threading.Thread(target=work, name=f"tfdrift-enrich-{name}", daemon=True)
            for name, work in (("answers", self._work), ("metrics", self._publish))
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> bool:
        """Ask the threads to end and wait for them; false if one did not end in time."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        falco.current.plugin = self._plugin
        records = Records(self._plugin.handle, self._stop)
        self._pipeline.open_with(lambda: records)
        while not self._stop.is_set():
            try:
                self._pipeline.run(records, self._stop)
            except Exception:  # noqa: BLE001 - the last place where it can be told
                trace = traceback.format_exc()
                log.error("enriching failed; it starts again in %.0f s\n%s", _RESTART_SECONDS, trace)
                self._plugin.metrics.add("errors_internal")
                self._stop.wait(_RESTART_SECONDS)
        self._pipeline.close()

    def _publish(self) -> None:
        falco.current.plugin = self._plugin
        while not self._stop.wait(_PUBLISH_SECONDS):
            self._plugin.publish()


def settings_of(text: str) -> config.Config:
    """The configuration of a library that adds fields.

    :raises ConfigError: also for what only concerns sources.
    """
    settings, default = config.load(text), config.Config()
    for name in OF_SOURCES:
        if getattr(settings, name) != getattr(default, name):
            raise config.ConfigError(
                f"{name}: leave it out; it is a setting of the plugin tfdrift, which brings events of its own, and"
                " tfdrift_enrich adds fields to those of the cloudtrail plugin"
            )
    # A rule asks what an event is; and Falco does not wait for a run of Terraform to end.
    return replace(settings, emit_expected=True, apply_wait=0.0)


_plugins: dict[_Pointer, _Plugin] = {}
_failed = falco.failed(lib)


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_ready() -> int:
    falco.enter()
    return 1


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_init(handle: _Pointer, text: _Pointer) -> int:
    try:
        settings = settings_of(ffi.string(text).decode("utf-8", "replace"))
        plugin = falco.current.plugin = _Plugin(lib, handle, settings, Metrics())
        Pipeline(settings, plugin.metrics).close()
    except config.ConfigError as error:
        lib.tfdrift_set_error(handle, c_text(str(error)))
        return 0
    finally:
        falco.current.plugin = None
    _plugins[handle] = plugin
    falco.register(plugin)
    return 1


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_begin(handle: _Pointer) -> int:
    plugin = _plugins[handle]
    plugin.worker = _Worker(plugin)
    return 1


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_destroy(handle: _Pointer) -> int:
    plugin = _plugins.pop(handle, None)
    if plugin is None:
        return 1
    ended = plugin.worker is None or plugin.worker.end()
    falco.unregister(plugin)
    return int(ended)
