"""The plugin's sifter: ``csrc/sift.c`` and ``csrc/ahead.c``, which work without Python's lock."""

import threading
from collections import deque
from typing import Any, Self

from _tfdrift_cffi import ffi, lib

from tfdrift_core.records.sift import AHEAD, MAX_PACKED, Sifted


class _Memory(threading.local):
    """Each thread has its own."""

    def __init__(self) -> None:
        self.handle = ffi.gc(lib.tfdrift_sifter_new(), lib.tfdrift_sifter_free)
        self.found = ffi.new("const char **")


class CSifter:
    """Finds the records of compressed files that may have changed something."""

    def __init__(self) -> None:
        self._memory = _Memory()

    def sift(self, packed: bytes) -> Sifted | None:
        if len(packed) > MAX_PACKED:
            return None
        memory = self._memory
        return _sifted(packed, memory.found, lib.tfdrift_sift(memory.handle, packed, len(packed), memory.found))

    def ahead(self) -> "_Ahead":
        return _Ahead(self)


def _sifted(packed: bytes, found: Any, size: int) -> Sifted | None:
    return Sifted(packed, bytes(ffi.buffer(found[0], size))) if size else None


class _Ahead:
    """A thread in C.  It never has Python's lock: handing that to and fro for each file costs more than sifting one."""

    def __init__(self, sifter: CSifter) -> None:
        self._sifter = sifter
        self._packed: deque[bytes] = deque()
        self._handle = lib.tfdrift_ahead_new()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._handle:
            lib.tfdrift_ahead_free(self._handle)
            self._handle = ffi.NULL

    def put(self, packed: bytes) -> None:
        # First: the thread reads these very bytes.
        self._packed.append(packed)
        if self._handle and not lib.tfdrift_ahead_put(self._handle, packed, len(packed)):
            self._packed.pop()
            raise RuntimeError(f"{AHEAD} files wait to be taken")

    def take(self) -> Sifted | None:
        packed = self._packed[0]
        if not self._handle:
            sifted = self._sifter.sift(packed)
        else:
            found = ffi.new("const char **")
            sifted = _sifted(packed, found, lib.tfdrift_ahead_take(self._handle, found))
        self._packed.popleft()
        return sifted
