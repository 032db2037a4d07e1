"""Builds ``libtfdrift.so`` from the Python definitions and the C files beside this module."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cffi

import tfdrift_core
from tfdrift_core import config
from tfdrift_core.output import payload
from tfdrift_core.output.fields import FIELDS, LISTS, Field, Type
from tfdrift_core.records.scan import LARGE, MAX_RECORD_BYTES
from tfdrift_core.records.sift import AHEAD

NAME = "tfdrift"
"""Of the runtime directory, too, which all libraries share."""
PLUGIN_ID = 999
"""Falco's id for plugins in development; it goes into capture files."""
API_VERSION = "3.6.0"
"""The lowest plugin API that has all we use (``get_metrics``): Falco 0.39 and newer offer it."""
CONTACT = "https://github.com/tfdrift/tfdrift-falco"
OPEN_PARAMS = (
    ("/var/log/cloudtrail/*.json.gz", "CloudTrail files: a file, a directory or a pattern; ends after the last record"),
    ("s3://bucket/prefix", "the objects that CloudTrail writes to a bucket"),
    ("sqs://queue", "a queue (name or URL) that is told about new objects or records"),
    ("lookup://", "the LookupEvents API, polled"),
)

SOURCES = Path(__file__).with_name("csrc")


@dataclass(frozen=True)
class Library:
    """One shared object: what it is to Falco, and what it is made of."""

    name: str
    description: str
    event_source: str
    fields: Sequence[Field]
    bridge: str
    """The Python module that C calls."""
    module: str
    """The module that CFFI makes for it."""
    headers: Sequence[str]
    sources: Sequence[str]

    @property
    def file(self) -> str:
        return f"lib{self.name}.so"


_COMMON = ("plugin.c", "layout.c", "log.c", "metrics.c", "payload.c", "runtime.c", "sift.c")

TFDRIFT = Library(
    name=NAME,
    description="Reports AWS changes that were made outside of Terraform",
    event_source=NAME,
    fields=FIELDS,
    bridge="tfdrift_plugin.bridge",
    module="_tfdrift_cffi",
    headers=("bridge.h", "sift.h", "source_bridge.h"),
    sources=(*_COMMON, "source.c", "extract.c", "ahead.c"),
)
ENRICH = Library(
    name="tfdrift_enrich",
    description="Says what Terraform thinks of the events of the cloudtrail plugin",
    event_source="aws_cloudtrail",
    # Another plugin's fields for the same events, such as ct.*, must not be given twice.
    fields=tuple(f for f in (*FIELDS, *LISTS) if f.name.startswith(("drift.", "tf.", "cloud."))),
    bridge="tfdrift_plugin.enrich",
    module="_tfdrift_enrich_cffi",
    headers=("bridge.h", "enrich_bridge.h"),
    sources=(*_COMMON, "enrich.c"),
)
LIBRARIES = (TFDRIFT, ENRICH)

_C_TYPES = {
    Type.STRING: "FALCO_STRING",
    Type.UINT64: "FALCO_UINT64",
    Type.BOOL: "FALCO_BOOL",
    Type.ABSTIME: "FALCO_ABSTIME",
    Type.RELTIME: "FALCO_RELTIME",
}
_WARNINGS = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wconversion", "-Wvla")
_HARDENING = ("-O3", "-g", "-fPIC", "-fvisibility=hidden", "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2")
_LINKING = ("-Wl,-z,relro", "-Wl,-z,now", "-Wl,--no-undefined", "-Wl,--enable-new-dtags")
_INIT = """
from {module} import lib
import gc
import sys
import traceback
gc.disable()  # importing makes what stays; looking through it for garbage is a tenth of a start
try:
    if "{bridge}" in sys.modules:
        raise RuntimeError("another copy of {file} runs in this process; restart the process")
    import {bridge}
    gc.freeze()
except Exception:
    lib.tfdrift_set_bridge_error("".join(traceback.format_exception_only(*sys.exc_info()[:2])).encode())
    raise
finally:
    gc.enable()
"""


class BuildError(Exception):
    """The plugin cannot be built here; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Python:
    """The CPython that the plugin embeds."""

    version: str  # 3.11
    include: Path
    library: Path  # the shared libpython
    prefix: Path
    stdlib: Path

    @staticmethod
    def running() -> "Python":
        """The Python that runs the build.

        :raises BuildError: if it has no shared library or no headers.
        """
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        include = Path(sysconfig.get_paths()["include"])
        name = sysconfig.get_config_var("INSTSONAME") or f"libpython{version}.so.1.0"
        folder = Path(sysconfig.get_config_var("LIBDIR") or "/usr/lib")
        folders = [folder, folder / str(sysconfig.get_config_var("MULTIARCH")), Path(sys.base_prefix) / "lib"]
        library = next((path for f in folders if ".so" in name and (path := f / name).is_file()), None)
        if library is None:
            raise BuildError(
                f"{sys.executable} has no shared library {name}, which the plugin embeds.\n"
                f"  Debian, Ubuntu: apt-get install libpython{version}-dev\n"
                f"  Fedora, RHEL, Amazon Linux: dnf install python{version}-devel\n"
                f"  pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install --force {version}"
            )
        if not (include / "Python.h").is_file():
            raise BuildError(
                f"{include}/Python.h is missing.\n"
                f"  Debian, Ubuntu: apt-get install libpython{version}-dev\n"
                f"  Fedora, RHEL, Amazon Linux: dnf install python{version}-devel"
            )
        stdlib = Path(sysconfig.get_paths()["stdlib"])
        return Python(version, include, library, Path(sys.base_prefix), stdlib)


def compiler() -> list[str]:
    """The C compiler's command (``CC``, else ``cc`` or ``gcc``).

    :raises BuildError: if there is none.
    """
    command = shlex.split(os.environ.get("CC", "")) or [
        next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), "cc")
    ]
    if shutil.which(command[0]) is None:
        raise BuildError(
            f"no C compiler: {command[0]} is not on PATH.\n"
            "  Debian, Ubuntu: apt-get install gcc libc6-dev\n"
            "  Fedora, RHEL, Amazon Linux: dnf install gcc"
        )
    return command


@dataclass(frozen=True)
class Inflater:
    """A library that decompresses."""

    header: str
    flags: tuple[str, ...]
    libraries: tuple[str, ...]


INFLATERS = (
    Inflater("libdeflate.h", ("-DTFD_LIBDEFLATE",), ("-ldeflate",)),
    Inflater("zlib.h", (), ("-lz",)),
)
"""What ``sift.c`` can be built with, the fastest first."""


def inflaters(cc: Sequence[str]) -> Sequence[Inflater]:
    """Those that this machine has the header of.

    :raises BuildError: if there is none.
    """
    found = [choice for choice in INFLATERS if _has_header(cc, choice.header)]
    if found:
        return found
    raise BuildError(
        f"{' and '.join(choice.header for choice in INFLATERS)} are missing; the first is the faster one.\n"
        "  Debian, Ubuntu: apt-get install libdeflate-dev\n"
        "  Fedora, RHEL, Amazon Linux: dnf install libdeflate-devel, or zlib-devel"
    )


def _has_header(cc: Sequence[str], name: str) -> bool:
    command = [*cc, "-include", name, "-E", "-x", "c", os.devnull]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own command


def fields_json(fields: Sequence[Field] = FIELDS) -> str:
    """The answer to ``plugin_get_fields``."""
    return json.dumps([_field_json(f) for f in fields], ensure_ascii=True)


def _field_json(field: Field) -> dict[str, object]:
    entry: dict[str, object] = {"name": field.name, "type": str(field.type), "desc": field.desc.replace("`", "'")}
    if field.is_list:
        entry["isList"] = True
    if field.path or field.key:
        entry["arg"] = {"isRequired": field.key, "isKey": True}
    if field.index:
        entry["arg"] = {"isRequired": False, "isIndex": True}
    return entry


def header(python: Python, library: Library = TFDRIFT) -> str:
    """``generated.h``: everything that C needs to know from the Python definitions."""
    open_params = [{"value": value, "desc": desc} for value, desc in OPEN_PARAMS]
    texts = {
        "VERSION": tfdrift_core.__version__,
        "API_VERSION": API_VERSION,
        "NAME": library.name,
        "SOURCE": library.event_source,
        "SOURCES_JSON": json.dumps([library.event_source]),
        "DESCRIPTION": library.description,
        "CONTACT": CONTACT,
        "PYTHON_VERSION": python.version,
        "FIELDS_JSON": fields_json(library.fields),
        "SCHEMA_JSON": json.dumps(json.loads(config.schema_text())),
        "OPEN_PARAMS_JSON": json.dumps(open_params),
    }
    numbers: Mapping[str, int] = {
        "PLUGIN_ID": PLUGIN_ID,
        "PAYLOAD_VERSION": payload.VERSION,
        "RAW_NUMBER": payload.RAW,
        "FIELD_COUNT": len(library.fields),
        "MAX_RECORD": MAX_RECORD_BYTES,
        "MAX_DOCUMENT": LARGE,
        "AHEAD": AHEAD,
    }
    rows = ", ".join(
        f"{{{f.number}, {_C_TYPES[f.type]}, {int(f.is_list)}, {int(f.path)}, {int(f.key)}, {int(f.index)}, "
        f"{_c_string(f.name)}}}"
        for f in library.fields
    )
    lines = [
        "/* Made by build_plugin.py from the Python definitions. */",
        "#ifndef TFD_GENERATED_H",
        "#define TFD_GENERATED_H",
    ]
    lines += [f"#define TFD_{name} {_c_string(text)}" for name, text in texts.items()]
    lines += [f"#define TFD_{name} {number}" for name, number in numbers.items()]
    lines += [f"#define TFD_FIELDS {{ {rows} }}", "#endif", ""]
    return "\n".join(lines)


def _c_string(text: str) -> str:
    # Octal escapes end after three digits, so that nothing that follows can become part of them.
    return (
        '"'
        + "".join(c if c.isascii() and c.isprintable() and c not in '"\\?' else f"\\{ord(c):03o}" for c in text)
        + '"'
    )


def _declarations(library: Library) -> tuple[str, str]:
    """CFFI's declarations from the bridge's headers: what Python implements, and what C offers."""
    text = "".join((SOURCES / name).read_text(encoding="utf-8") for name in library.headers)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    statements = [" ".join(s.split()) + ";" for s in re.split(r";(?![^{]*})", body) if s.strip()]
    python = [s.removeprefix("extern ") for s in statements if s.startswith("extern ")]
    c = [s for s in statements if not s.startswith("extern ")]
    return "\n".join(python), "\n".join(c)


def _emit_bridge(library: Library, target: Path) -> None:
    python, c = _declarations(library)
    ffi = cffi.FFI()
    ffi.cdef(
        "typedef struct tfd_plugin falco_plugin; typedef struct tfd_instance falco_instance;\n"
        f'{c}\nextern "Python+C" {{ {python} }}'
    )
    ffi.set_source(library.module, "\n".join(f'#include "{name}"' for name in library.headers))
    ffi.embedding_api("")
    ffi.embedding_init_code(_INIT.format(module=library.module, bridge=library.bridge, file=library.file))
    ffi.emit_c_code(str(target))


def compile_library(
    output: Path,
    work: Path,
    python: Python,
    rpath: str,
    *,
    library: Library = TFDRIFT,
    flags: Sequence[str] = (),
    link: Sequence[str] = (),
) -> None:
    """Compile and link a shared object.  ``work`` is for generated and object files; ``flags`` go to both steps.

    :raises BuildError: with the compiler's output.
    """
    work.mkdir(parents=True, exist_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    (work / "generated.h").write_text(header(python, library), encoding="ascii")
    bridge = work / "bridge.c"
    _emit_bridge(library, bridge)
    cc = compiler()
    inflater = inflaters(cc)[0]
    sources = [SOURCES / name for name in library.sources]
    objects = _compile(sources, work, python, (*inflater.flags, *flags))
    # CFFI's C is not ours to clean.
    objects += _compile([bridge], work, python, flags, warnings=("-w",))
    temporary = output.with_suffix(".new")
    libraries = [
        str(python.library),
        *inflater.libraries,
        "-ldl",
        "-lpthread",
        f"-Wl,-rpath,{rpath}",
        f"-Wl,-soname,{library.file}",
    ]
    shared = ("-shared", "-Wl,-z,nodelete")
    _run([*cc, *shared, *_LINKING, *flags, "-o", str(temporary), *objects, *libraries, *link])
    # A running process may have the old file mapped: replace it, never write into it.
    temporary.replace(output)


def compile_launcher(
    output: Path, work: Path, python: Python, rpath: str, *, flags: Sequence[str] = (), link: Sequence[str] = ()
) -> None:
    """Compile and link ``bin/tfdrift``, which runs the command in the Python beside it; the rest as for a library.

    :raises BuildError: with the compiler's output.
    """
    work.mkdir(parents=True, exist_ok=True)
    output.parent.mkdir(parents=True, exist_ok=True)
    (work / "generated.h").write_text(header(python), encoding="ascii")
    objects = _compile([SOURCES / name for name in ("launcher.c", "layout.c")], work, python, flags)
    # Extension modules take Python's symbols from whatever is in the process.
    libraries = ["-Wl,--no-as-needed", str(python.library), "-ldl", "-lpthread", f"-Wl,-rpath,{rpath}"]
    _run([*compiler(), "-pie", *_LINKING, *flags, "-o", str(output), *objects, *libraries, *link])


def _compile(
    sources: Sequence[Path], work: Path, python: Python, flags: Sequence[str], warnings: Sequence[str] = _WARNINGS
) -> list[str]:
    """The object files, in ``work``, where ``generated.h`` is."""
    includes = [f"-I{SOURCES}", f"-I{work}", "-isystem", str(python.include)]
    objects: list[str] = []
    for source in sources:
        target = work / f"{source.stem}.o"
        _run([*compiler(), *warnings, *_HARDENING, *flags, *includes, "-c", str(source), "-o", str(target)])
        objects.append(str(target))
    return objects


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise BuildError(f"{shlex.join(command)}\nfailed:\n{done.stdout}{done.stderr}")


def runtime_conf(home: str, paths: Sequence[str]) -> str:
    """``runtime.conf``, which tells the library where its Python is."""
    lines = ["# Where libtfdrift.so finds Python; relative paths start in this directory.", f"home={home}"]
    return "\n".join([*lines, *(f"path={path}" for path in paths), ""])


def build(output: Path, *, flags: Sequence[str] = (), link: Sequence[str] = ()) -> Path:
    """Build for this machine: the library uses the Python, and the modules, that run the build.

    :raises BuildError: if something is missing.
    """
    python = Python.running()
    for library in LIBRARIES:
        # The first has the name that was asked for; the others lie beside it.
        target = output if library is TFDRIFT else output.with_name(library.file)
        work = output.parent / "work" / library.name
        rpath = str(python.library.parent)
        compile_library(target, work, python, rpath, library=library, flags=flags, link=link)
    own = [
        str(Path(module.__file__ or "").parents[1].resolve())
        for module in (tfdrift_core, sys.modules[__package__ or ""])
    ]
    installed = [path for key in ("purelib", "platlib") if Path(path := sysconfig.get_paths()[key]).is_dir()]
    standard = [str(python.stdlib), str(python.stdlib / "lib-dynload")]
    runtime = output.parent / f"{NAME}-{tfdrift_core.__version__}"
    runtime.mkdir(parents=True, exist_ok=True)
    text = runtime_conf(str(python.prefix), list(dict.fromkeys([*standard, *own, *installed])))
    (runtime / "runtime.conf").write_text(text, encoding="utf-8")
    return output
