"""What our libraries share: a plugin for each ``plugin_init``, and messages that reach the one they belong to."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from tfdrift_core import config
from tfdrift_core.metrics import Metrics
from tfdrift_core.output import payload
from tfdrift_core.text import message

if TYPE_CHECKING:
    from _tfdrift_cffi import _Pointer

log = logging.getLogger("tfdrift.plugin")

# Falco's severities: https://falco.org/docs/reference/plugins/plugin-api-reference/
_SEVERITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
_TRACE = 8


class Lib(Protocol):
    """What C offers in each library; see ``csrc/bridge.h``."""

    def tfdrift_set_error(self, plugin: _Pointer, text: bytes) -> None: ...
    def tfdrift_log(self, plugin: _Pointer, severity: int, text: bytes) -> None: ...
    def tfdrift_set_metric(self, plugin: _Pointer, name: bytes, value: int, monotonic: int) -> None: ...


@dataclass(eq=False)
class Plugin:
    """One ``plugin_init``.  ``handle`` is C's struct and is not to be used once ``alive`` is false."""

    lib: Lib
    handle: _Pointer
    settings: config.Config
    metrics: Metrics
    alive: bool = True

    @property
    def is_at_work(self) -> bool:
        """Messages of threads that belong to nobody go to such a one."""
        return False

    def publish(self) -> None:
        for values, monotonic in ((self.metrics.counters(), 1), (self.metrics.gauges(), 0)):
            for name, value in values.items():
                self.lib.tfdrift_set_metric(self.handle, c_text(name), max(int(value), 0), monotonic)


class _Current(threading.local):
    plugin: Plugin | None = None


current = _Current()
"""The plugin that this thread works for."""

_plugins: list[Plugin] = []


class _FalcoHandler(logging.Handler):
    """Hands messages to the Falco instance that they belong to.

    A thread that works for one plugin says so in ``current``; messages of any other thread go to a plugin that is at
    work.  ``logging`` holds this handler's lock meanwhile, so that no plugin ends while a message is on its way to it.
    """

    def emit(self, record: logging.LogRecord) -> None:
        plugins = list(_plugins)
        fallback = next((plugin for plugin in plugins if plugin.is_at_work), plugins[-1] if plugins else None)
        plugin = current.plugin or fallback
        if plugin is None or not plugin.alive:
            return
        severity = next((falco for level, falco in _SEVERITIES if record.levelno >= level), _TRACE)
        plugin.lib.tfdrift_log(plugin.handle, severity, c_text(message(self.format(record))))

    def forget(self, plugin: Plugin) -> None:
        """Send nothing to a plugin any more: Falco's owner of it is about to go."""
        with self.lock or nullcontext():
            plugin.alive = False


_handler = _FalcoHandler()


def c_text(text: str) -> bytes:
    return payload.text_bytes(text) + b"\0"


def enter() -> None:
    """Let Falco have our messages; for each library that is loaded."""
    root = logging.getLogger("tfdrift")
    root.addHandler(_handler)
    root.propagate = False
    if root.level == logging.NOTSET:
        root.setLevel(logging.INFO)


def register(plugin: Plugin) -> None:
    _plugins.append(plugin)


def unregister(plugin: Plugin) -> None:
    """Its messages, and those of nobody's threads, do not reach it any more."""
    _plugins.remove(plugin)
    _handler.forget(plugin)


def failed(lib: Lib) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    """CFFI's last resort: an exception that a function for C did not handle."""

    def tell(_: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.error("internal error:\n%s", "".join(traceback.format_exception(error)).rstrip())
        handle = trace.tb_frame.f_locals.get("handle") if trace else None
        if handle is not None:
            text = f"internal error, please report it: {type(error).__name__}: {error}"
            lib.tfdrift_set_error(handle, c_text(text))

    return tell
