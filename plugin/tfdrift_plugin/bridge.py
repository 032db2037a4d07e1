"""The Python half of the plugin: starts and ends pipelines for Falco and moves their events into the C queue.

The other half is in ``csrc``: ``plugin.c`` begins and ends, ``source.c`` opens and closes.  Every function that C calls
returns 1 for success; after an exception CFFI logs it through ``_failed`` and returns 0, which C takes as failure.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from types import TracebackType
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
from tfdrift_core.text import message
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

# Falco's severities: https://falco.org/docs/reference/plugins/plugin-api-reference/
_SEVERITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
_TRACE = 8


@dataclass(eq=False)
class _Plugin:
    """One ``plugin_init``.  ``handle`` is C's struct and is not to be used once ``alive`` is false."""

    handle: _Pointer
    settings: config.Config
    metrics: Metrics
    pipeline: Pipeline | None = None
    alive: bool = True
    workers: dict[_Pointer, _Worker] = field(default_factory=dict)

    def take_pipeline(self) -> Pipeline:
        """The pipeline that validated the configuration, or another one when that is already in use."""
        pipeline, self.pipeline = self.pipeline, None
        return pipeline or _new_pipeline(self.settings, self.metrics)

    def publish(self) -> None:
        for values, monotonic in ((self.metrics.counters(), 1), (self.metrics.gauges(), 0)):
            for name, value in values.items():
                lib.tfdrift_set_metric(self.handle, _c(name), max(int(value), 0), monotonic)


def _new_pipeline(settings: config.Config, metrics: Metrics) -> Pipeline:
    return Pipeline(settings, metrics, sifter=CSifter())


_plugins: dict[_Pointer, _Plugin] = {}
_current = threading.local()


class _FalcoHandler(logging.Handler):
    """Hands messages to the Falco instance that they belong to.

    A thread that works for one plugin says so in ``_current``; messages of any other thread go to a plugin that reads.
    ``logging`` holds this handler's lock meanwhile, so that no plugin can end while a message is on its way to it.
    """

    def emit(self, record: logging.LogRecord) -> None:
        plugins = list(_plugins.values())
        fallback = next((plugin for plugin in plugins if plugin.workers), plugins[-1] if plugins else None)
        plugin = getattr(_current, "plugin", None) or fallback
        if plugin is None or not plugin.alive:
            return
        severity = next((falco for level, falco in _SEVERITIES if record.levelno >= level), _TRACE)
        lib.tfdrift_log(plugin.handle, severity, _c(message(self.format(record))))

    def forget(self, plugin: _Plugin) -> None:
        """Send nothing to a plugin any more: Falco's owner of it is about to go."""
        with self.lock or nullcontext():
            plugin.alive = False


_handler = _FalcoHandler()


def _c(text: str) -> bytes:
    return payload.text_bytes(text) + b"\0"


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
        _current.plugin = self._plugin
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
        _current.plugin = self._plugin
        while not self._stop.wait(_PUBLISH_SECONDS):
            self._plugin.publish()


def _failed(_: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """CFFI's last resort: an exception that a function for C did not handle."""
    log.error("internal error:\n%s", "".join(traceback.format_exception(error)).rstrip())
    handle = trace.tb_frame.f_locals.get("handle") if trace else None
    if handle is not None:
        lib.tfdrift_set_error(handle, _c(f"internal error, please report it: {type(error).__name__}: {error}"))


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_ready() -> int:
    root = logging.getLogger("tfdrift")
    root.addHandler(_handler)
    root.propagate = False
    if root.level == logging.NOTSET:
        root.setLevel(logging.INFO)
    return 1


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_init(handle: _Pointer, text: _Pointer) -> int:
    try:
        settings = config.load(ffi.string(text).decode("utf-8", "replace"))
        plugin = _current.plugin = _Plugin(handle, settings, Metrics())
        plugin.pipeline = _new_pipeline(settings, plugin.metrics)
    except config.ConfigError as error:
        lib.tfdrift_set_error(handle, _c(str(error)))
        return 0
    finally:
        _current.plugin = None
    _plugins[handle] = plugin
    return 1


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_destroy(handle: _Pointer) -> int:
    plugin = _plugins.pop(handle, None)
    if plugin is None:
        return 1
    ended = [worker.end() for worker in plugin.workers.values()]
    if plugin.pipeline is not None:
        plugin.pipeline.close()
    _handler.forget(plugin)
    return int(all(ended))


@ffi.def_extern(error=0, onerror=_failed)
def tfdrift_py_open(handle: _Pointer, instance: _Pointer, params: _Pointer) -> int:
    plugin = _current.plugin = _plugins[handle]
    try:
        worker = _Worker(plugin, instance, ffi.string(params).decode("utf-8", "replace"))
    except (config.ConfigError, SourceError) as error:
        lib.tfdrift_set_error(handle, _c(str(error)))
        return 0
    finally:
        _current.plugin = None
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
    lib.tfdrift_set_selected(handle, _c(text))
    return 1


@lru_cache(maxsize=4)
def _parsed(record: bytes) -> dict[str, Any]:
    """The record of the event at hand; rules often ask for several paths of one event."""
    try:
        value = orjson.loads(record)
    except orjson.JSONDecodeError:
        return {}  # a capture that was not written by us
    return value if isinstance(value, dict) else {}
