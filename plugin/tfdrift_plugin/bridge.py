"""The Python half of the plugin: starts and ends pipelines for Falco and moves their events into the C queue.

The other half is in ``csrc``: ``plugin.c`` begins and ends, ``source.c`` opens and closes.  Every function that C calls
returns 1 for success; after an exception CFFI logs it through ``_failed`` and returns 0, which C takes as failure.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson
from _tfdrift_cffi import ffi, lib

from tfdrift_core import config
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.metrics import Metrics
from tfdrift_core.output import payload
from tfdrift_core.output.fields import PATH_ROOTS, select, to_text
from tfdrift_core.pipeline import Pipeline
from tfdrift_core.sources.base import NotYetError, SourceError
from tfdrift_plugin import falco
from tfdrift_plugin.falco import c_text
from tfdrift_plugin.sifter import CSifter

if TYPE_CHECKING:
    from _tfdrift_cffi import _Pointer

log = logging.getLogger("tfdrift.plugin")

_JOIN_SECONDS = 1.5
"""How long ``close`` waits for a worker, which a record or a stuck network call can hold up.

Then the thread is left to itself; what it had not finished comes again at the next start.
"""
_PUBLISH_SECONDS = 1.0
_RESTART_SECONDS = 30.0
_STANDBY_SECONDS = 1.0


@dataclass(eq=False)
class _Plugin(falco.Plugin):
    """The plugin that brings events."""

    pipeline: Pipeline | None = None
    workers: dict[_Pointer, _Worker] = field(default_factory=dict)

    @property
    def is_at_work(self) -> bool:
        return bool(self.workers)

    def take_pipeline(self) -> Pipeline:
        """The pipeline that validated the configuration, or another one when that is already in use."""
        pipeline, self.pipeline = self.pipeline, None
        return pipeline or _new_pipeline(self.settings, self.metrics)


def _new_pipeline(settings: config.Config, metrics: Metrics) -> Pipeline:
    return Pipeline(settings, metrics, sifter=CSifter(), baseline=True)


_plugins: dict[_Pointer, _Plugin] = {}


class _QueueSink:
    """Puts events into the C queue, which blocks while it is full and Falco is behind."""

    def __init__(self, handle: _Pointer, metrics: Metrics) -> None:
        self._handle = handle
        self._metrics = metrics
        self._lost = 0

    def put(self, event: DriftEvent) -> bool:
        try:
            data = payload.encode(event)
        except Exception:  # noqa: BLE001 - a fault of ours must not end detection
            log.error("event %s is left out, please report this:\n%s", event.id, traceback.format_exc())
            self._metrics.add("errors_internal")
            self._lost += 1
            return True
        result = lib.tfdrift_push(self._handle, event.record.time or event.time, data, len(data))
        if result < 0:
            log.error("event %s of %d bytes does not fit into memory; it is left out", event.id, len(data))
            self._metrics.add("events_too_large")
            self._lost += 1
        return result != 0

    def handed_over(self) -> int:
        return lib.tfdrift_handed_over(self._handle) + self._lost


class _Worker:
    """The threads of one ``plugin_open``: one runs the pipeline, one publishes its metrics."""

    def __init__(self, plugin: _Plugin, handle: _Pointer, params: str) -> None:
        self._plugin = plugin
        self._handle = handle
        self._stop = threading.Event()
        self._params = params
        self._obstacle = ""
        self._pipeline = plugin.take_pipeline()
        self._opened = self._open()
        self._threads = [
            threading.Thread(target=work, name=f"tfdrift-{name}", daemon=True)
            for name, work in (("pipeline", self._work), ("metrics", self._publish))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> bool:
        """Ask the threads to end and wait for them; false if one did not end in time."""
        self._stop.set()
        until = time.monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        stuck = [thread.name for thread in self._threads if thread.is_alive()]
        if stuck:
            log.warning("%s did not end within %.1f s and is left behind", ", ".join(stuck), _JOIN_SECONDS)
        self._plugin.publish()
        return not stuck

    def _open(self) -> bool:
        """False while there is something to wait for.

        In a rolling update the process that has the data_dir ends only once this one is up.
        """
        try:
            self._pipeline.open(self._params)
        except NotYetError as error:
            if str(error) != self._obstacle:
                log.error("%s; until then nothing is read", error)
            self._obstacle = str(error)
            return False
        if self._obstacle:
            log.warning("the data_dir can be used; reading begins")
        return True

    def _wait_for_turn(self) -> bool:
        """False when this worker is to end before it could begin."""
        while not self._opened:
            if self._stop.wait(_STANDBY_SECONDS):
                return False
            self._opened = self._open()
        progress = self._pipeline.progress
        if progress is not None:
            # C counts there itself: a crash may come before this thread has looked.
            count = ffi.from_buffer("uint64_t[]", progress, require_writable=True)
            lib.tfdrift_set_progress(self._handle, count)
        return True

    def _work(self) -> None:
        falco.current.plugin = self._plugin
        sink = _QueueSink(self._handle, self._plugin.metrics)
        try:
            while not self._stop.is_set() and not self._run(sink):
                self._stop.wait(_RESTART_SECONDS)
            lib.tfdrift_set_progress(self._handle, ffi.NULL)
            self._pipeline.close()
        finally:
            lib.tfdrift_finish(self._handle)

    def _run(self, sink: _QueueSink) -> bool:
        """Whether the pipeline came to its end; whatever stops it before that, Falco must go on."""
        try:
            if self._wait_for_turn():
                self._pipeline.run(sink, self._stop)
        except SourceError as error:
            log.error("%s; tried again in %.0f s", error, _RESTART_SECONDS)
            self._plugin.metrics.add("errors_sources")
        except Exception:  # noqa: BLE001 - the last place where it can be told
            log.error("the pipeline failed; it starts again in %.0f s\n%s", _RESTART_SECONDS, traceback.format_exc())
            self._plugin.metrics.add("errors_internal")
        else:
            return True
        return False

    def _publish(self) -> None:
        falco.current.plugin = self._plugin
        while not self._stop.wait(_PUBLISH_SECONDS):
            self._plugin.publish()


_failed = falco.failed(lib)


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_ready() -> int:
    falco.enter()
    return 1


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_init(handle: _Pointer, text: _Pointer) -> int:
    try:
        settings = config.load(ffi.string(text).decode("utf-8", "replace"))
        plugin = falco.current.plugin = _Plugin(lib, handle, settings, Metrics())
        plugin.pipeline = _new_pipeline(settings, plugin.metrics)
    except config.ConfigError as error:
        lib.tfdrift_set_error(handle, c_text(str(error)))
        return 0
    finally:
        falco.current.plugin = None
    _plugins[handle] = plugin
    falco.register(plugin)
    return 1


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_destroy(handle: _Pointer) -> int:
    plugin = _plugins.pop(handle, None)
    if plugin is None:
        return 1
    ended = [worker.end() for worker in plugin.workers.values()]
    if plugin.pipeline is not None:
        plugin.pipeline.close()
    falco.unregister(plugin)
    return int(all(ended))


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_open(handle: _Pointer, instance: _Pointer, params: _Pointer) -> int:
    plugin = falco.current.plugin = _plugins[handle]
    try:
        worker = _Worker(plugin, instance, ffi.string(params).decode("utf-8", "replace"))
    except (config.ConfigError, SourceError) as error:
        lib.tfdrift_set_error(handle, c_text(str(error)))
        return 0
    finally:
        falco.current.plugin = None
    plugin.workers[instance] = worker
    worker.start()
    return 1


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_close(handle: _Pointer, instance: _Pointer) -> int:
    plugin = _plugins.get(handle)
    worker = plugin.workers.pop(instance, None) if plugin is not None else None
    return int(worker is None or worker.end())


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_select(handle: _Pointer, name: _Pointer, path: _Pointer, record: _Pointer, size: int) -> int:
    root = PATH_ROOTS[ffi.string(name).decode()]
    start = _parsed(bytes(ffi.buffer(record, size))).get(root)
    text = to_text(select(start, ffi.string(path).decode("utf-8", "replace")))
    if not text:
        return 0
    lib.tfdrift_set_selected(handle, c_text(text))
    return 1


@lru_cache(maxsize=4)
def _parsed(record: bytes) -> dict[str, Any]:
    """The record of the event at hand; rules often ask for several paths of one event."""
    try:
        value = orjson.loads(record)
    except orjson.JSONDecodeError:
        return {}  # a capture that was not written by us
    return value if isinstance(value, dict) else {}
