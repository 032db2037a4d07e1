"""The stand-in plugin: compiles it, and writes the files that it reads its events from."""

import hashlib
import json
import os
import shutil
import struct
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.real.forky import CACHE

SOURCE = Path(__file__).with_name("standin.c")

# name: (type, list, takes an argument); the order gives the ids.
FIELDS: Mapping[str, tuple[str, bool, bool]] = {
    "t.s": ("string", False, False),
    "t.o": ("string", False, False),
    "t.l": ("string", True, False),
    "t.m": ("string", True, False),
    "t.n": ("uint64", False, False),
    "t.k": ("uint64", False, False),
    "t.ln": ("uint64", True, False),
    "t.b": ("bool", False, False),
    "t.t": ("abstime", False, False),
    "t.r": ("reltime", False, False),
    "t.arg": ("string", False, True),
    "resource": ("string", False, False),
}
KINDS = {name: kind for name, (kind, _, _) in FIELDS.items()}

Value = str | bytes | int
Event = Mapping[str, Value | Sequence[Value]]


def fields_json() -> str:
    entries = [
        {"name": name, "type": kind, "desc": "x", "isList": is_list, **({"arg": {"isKey": True}} if key else {})}
        for name, (kind, is_list, key) in FIELDS.items()
    ]
    return json.dumps(entries)


@cache
def library(api: str = "3.6.0", fields: str = "") -> Path:
    """The compiled plugin; ``fields`` is what it answers to ``get_fields``."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise RuntimeError("no C compiler: apt-get install gcc libc6-dev")
    source, fields = SOURCE.read_bytes(), fields or fields_json()
    name = hashlib.sha256(b"\0".join((source, api.encode(), fields.encode()))).hexdigest()[:16]
    out = CACHE / "standin" / f"lib{name}.so"
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        unfinished = out.with_suffix(f".{os.getpid()}")
        define = [f"-DSTANDIN_API={json.dumps(api)}", f"-DSTANDIN_FIELDS={json.dumps(fields)}"]
        flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden"]
        subprocess.run([compiler, *flags, *define, "-o", str(unfinished), str(SOURCE)], check=True)
        unfinished.rename(out)
    return out


def _encode(kind: str, value: Value) -> bytes:
    if kind == "string":
        return (value if isinstance(value, bytes) else str(value).encode()) + b"\0"
    return bytes([int(value)]) if kind == "bool" else struct.pack("<Q", int(value))


def write(path: Path, events: Iterable[Event], kinds: Mapping[str, str] = KINDS) -> Path:
    """An event file; event n has the time n seconds (from 1) and 5 nanoseconds.

    ``kinds`` are the types of all fields in their order.  The value of ``name[argument]`` may be given as such.
    """
    ids = {name: number for number, name in enumerate(kinds)}
    with path.open("wb") as file:
        for second, event in enumerate(events, 1):
            payload = b""
            for full, given in event.items():
                name, bracket, argument = full.partition("[")
                for value in [given] if isinstance(given, Value) else given:
                    data = _encode(kinds[name], value)
                    if bracket:
                        data = argument.removesuffix("]").encode() + b"=" + data
                    payload += struct.pack("<BI", ids[name], len(data)) + data
            file.write(struct.pack("<QI", second * 10**9 + 5, len(payload)) + payload)
    return path
