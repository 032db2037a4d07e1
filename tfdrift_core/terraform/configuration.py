"""What a Terraform configuration directory tells about the resources in state, and about where the state is."""

import json
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from tfdrift_core.terraform import hcl
from tfdrift_core.terraform.hcl import Body, HclError
from tfdrift_core.terraform.model import NO_TAGS, IgnoredTags
from tfdrift_core.text import one_line

log = logging.getLogger("tfdrift.config")

_LOCAL = ("./", "../")
_MANIFEST = Path(".terraform", "modules", "modules.json")
_SUFFIXES = (".tf", ".tf.json", ".tofu", ".tofu.json")
_ROLE = re.compile(r"arn:[^:]*:iam::(\d{12}):role/")
_STEP = re.compile(r"\[[^\[\]]*\]")
_INSTANCE = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')


@dataclass(frozen=True, slots=True)
class Block:
    """One ``resource`` block.

    ``ignore_changes`` holds paths as written, ``("all",)`` for ``all``.  ``attribute_lines`` has top-level names and
    those one level below (``root_block_device.volume_size``, ``tags.Name``).
    """

    file: str = ""
    line: int = 0
    attribute_lines: Mapping[str, int] = field(default_factory=dict)
    ignore_changes: tuple[str, ...] = ()

    def attribute_line(self, path: str) -> int:
        """The line of an attribute, or of the closest thing around it that is written; 0 when nothing is."""
        steps = _STEP.sub(lambda m: "" if m[0][1:-1].isdigit() else "." + m[0][1:-1].strip('"'), path).split(".")
        for depth in range(min(len(steps), 2), 0, -1):
            if line := self.attribute_lines.get(".".join(steps[:depth])):
                return line
        return 0


NO_BLOCK = Block()


@dataclass(frozen=True, slots=True)
class Provider:
    """What a ``provider "aws"`` block states literally."""

    account: str = ""
    region: str = ""
    ignored_tags: IgnoredTags = NO_TAGS


NO_PROVIDER = Provider()


@dataclass(frozen=True, slots=True)
class Module:
    """One directory of configuration.  ``calls`` maps module names to a literal ``source``."""

    resources: Mapping[tuple[str, str], Block] = field(default_factory=dict)
    calls: Mapping[str, str] = field(default_factory=dict)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    backend: tuple[str, Body] | None = None


_MAX_DIRECTORIES = 2000
_MAX_FILES = 5000
_MAX_ENTRIES = 100_000
_MAX_DEPTH = 64
_MAX_SMALL = 16 << 20


NO_MODULE = Module()


class Configuration:
    """A root module with the local modules that it calls.

    Modules are found by their literal local source, or where ``terraform init`` put them.  ``warn`` is told what cannot
    be read.  Whatever is written there, reading ends: each real directory is read once, and only so many are.
    """

    def __init__(self, directory: str, warn: Callable[[str], None] = log.warning) -> None:
        self.directory = Path(directory).expanduser()
        self.warn = warn
        self._modules: dict[str, Module] = {}
        self._real_paths: dict[str, str] = {}
        self._installed = _installed(self.directory)

    @property
    def root(self) -> Module:
        return self._module(self.directory)

    def preload(self) -> None:
        """Read every module now, so that looking for a block does not wait for the parser later."""
        for _ in self.directories():
            pass

    def directories(self) -> Iterator[Path]:
        """The directories of the root module and of every module that it calls, each real one once."""
        waiting = [self.directory, *self._installed.values()]
        seen: set[str] = set()
        while waiting and len(seen) <= _MAX_DIRECTORIES:
            directory = waiting.pop()
            real = self._real(directory)
            if real not in seen:
                seen.add(real)
                local = [s for s in self._module(directory).calls.values() if s.startswith(_LOCAL)]
                waiting += [Path(os.path.normpath(directory / source)) for source in local]
                yield directory

    def files(self) -> Iterator[Path]:
        """Every file that is read for its resources, and where ``terraform init`` put the modules."""
        for directory in self.directories():
            yield from module_files(directory)
        if self._installed:
            yield self.directory / _MANIFEST

    def block(self, module: str, type: str, name: str) -> Block:
        """The block of a resource; ``module`` as in an address, with or without instance keys, "" for the root."""
        directory = self._directory(module_path(module))
        if directory is None:
            return NO_BLOCK
        return self._module(directory).resources.get((type, name), NO_BLOCK)

    def provider(self, alias: str) -> Provider:
        """The provider configuration of this alias, in the root or in the module that is written in front of it."""
        if not alias.startswith("module."):
            return self.root.providers.get(alias, NO_PROVIDER)
        module, _, own = alias.rpartition(".")
        directory = self._directory(module_path(module))
        return self._module(directory).providers.get(own, NO_PROVIDER) if directory is not None else NO_PROVIDER

    def _directory(self, path: str) -> Path | None:
        if path in self._installed:
            return self._installed[path]
        directory = self.directory
        names = path.split(".", _MAX_DEPTH) if path else []
        if len(names) > _MAX_DEPTH:
            return None
        for name in names:
            source = self._module(directory).calls.get(name, "")
            if not source.startswith(_LOCAL):
                log.debug("%s: module %s is not local; its resources have no file and line", directory, name)
                return None
            directory = Path(os.path.normpath(directory / source))
        return directory

    def _module(self, directory: Path) -> Module:
        key = self._real(directory)
        if key not in self._modules:
            if len(self._modules) >= _MAX_DIRECTORIES:
                self.warn(f"configuration {self.directory}: more than {_MAX_DIRECTORIES} module directories; "
                          "the others are left out: name the directories that matter under config")  # fmt: skip
                return NO_MODULE
            self._modules[key] = read_module(directory, self.warn) if key else NO_MODULE
        return self._modules[key]

    def _real(self, directory: Path) -> str:
        """What a path leads to, "" where it is none: links may lead to one directory in any number of ways."""
        path = str(directory)
        if path not in self._real_paths:
            try:
                self._real_paths[path] = os.path.realpath(path)
            except (OSError, ValueError) as error:
                self.warn(f"configuration {_shown(directory)}: {_problem(error)}; this module is left out")
                self._real_paths[path] = ""
        return self._real_paths[path]


def _problem(error: Exception) -> str:
    return str(error.strerror if isinstance(error, OSError) else error)


def _shown(path: Path) -> str:
    """A path that anybody may have written, as a text that can be printed."""
    return one_line(str(path).encode("utf-8", "replace").decode())


def module_path(module: str) -> str:
    """``module.web["a"].module.db`` without its instance keys: ``web.db``."""
    return ".".join(_INSTANCE.sub("", module).split(".")[1::2])


def is_read(name: str) -> bool:
    return name.endswith(_SUFFIXES) and not name.startswith(".")


def module_files(directory: Path, warn: Callable[[str], None] = log.debug) -> Iterable[Path]:
    """The files that Terraform reads, override files last; a ``.tofu`` file hides the ``.tf`` file of its name."""
    try:
        names = {p.name for p in islice(directory.iterdir(), _MAX_ENTRIES) if is_read(p.name)}
    except (OSError, ValueError) as error:
        warn(f"configuration {_shown(directory)}: {_problem(error)}; check the path")
        return []
    if len(names) > _MAX_FILES:
        warn(f"configuration {directory}: more than {_MAX_FILES} files; it is left out: check the path")
        return []
    kept = {n for n in names if ".tofu" in n or n.replace(".tf", ".tofu", 1) not in names}
    return [directory / name for name in sorted(kept, key=lambda n: (_is_override(n), n))]


def read_module(directory: Path, warn: Callable[[str], None]) -> Module:
    """Read one directory; a file that cannot be read is told to ``warn`` and left out."""
    resources: dict[tuple[str, str], Block] = {}
    calls: dict[str, str] = {}
    providers: dict[str, Provider] = {}
    backend = None
    bodies = list(_bodies(directory, warn))
    names = {f"local.{n}": v for _, body in bodies for b in body.all("locals") for n, v in b.body.attributes.items()}
    for path, body in bodies:
        for block in body.all("resource"):
            if len(block.labels) == 2:
                key = (block.labels[0], block.labels[1])
                found = _resource(block, str(path))
                resources[key] = _overridden(resources[key], found) if key in resources else found
        for block in body.all("module"):
            source = block.body.attributes.get("source")
            if block.labels and source and isinstance(source.literal, str):
                calls[block.labels[0]] = source.literal
        for block in body.all("provider", "aws"):
            alias = block.body.literals().get("alias", "")
            providers[str(alias)] = _provider(block.body, names, f"{path}:{block.line}", warn)
        for block in body.all("terraform"):
            for inner in block.body.blocks:
                if inner.type == "backend" and inner.labels:
                    backend = (inner.labels[0], inner.body)
                elif inner.type == "cloud":
                    backend = ("cloud", inner.body)
    return Module(resources, calls, providers, backend)


def _bodies(directory: Path, warn: Callable[[str], None]) -> Iterator[tuple[Path, Body]]:
    for path in module_files(directory, warn):
        try:
            yield path, hcl.read(path)
        except HclError as error:
            warn(f"{path}: {error}; its resources have no file, line and ignore_changes")


def _resource(block: hcl.Block, file: str) -> Block:
    lines = {}
    for name, value in block.body.attributes.items():
        lines[name] = value.line
        lines.update({f"{name}.{member}": line for member, line in value.members.items()})
    for inner in block.body.blocks:
        name, body = inner.type, inner.body
        if name == "dynamic" and inner.labels:
            name = inner.labels[0]
            body = next((content.body for content in body.all("content")), body)
        lines.setdefault(name, inner.line)
        for attribute, value in body.attributes.items():
            lines.setdefault(f"{name}.{attribute}", value.line)
    ignored: tuple[str, ...] = ()
    for lifecycle in block.body.all("lifecycle"):
        if paths := lifecycle.body.attributes.get("ignore_changes"):
            ignored = _ignored(paths)
    return Block(file, block.line, lines, ignored)


def _ignored(value: hcl.Value) -> tuple[str, ...]:
    """Paths as they are written; before Terraform 0.12 they were quoted, and ``"*"`` meant all."""
    if value.text.strip().strip('"') == "all":
        return ("all",)
    paths = tuple(_unquoted(item) for item in value.items)
    return ("all",) if "*" in paths else paths


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _overridden(base: Block, other: Block) -> Block:
    """An override file changes arguments of the block, but the block stays where it is."""
    return replace(base, ignore_changes=other.ignore_changes or base.ignore_changes)


def _provider(body: Body, names: Mapping[str, hcl.Value], place: str, warn: Callable[[str], None]) -> Provider:
    literals = body.literals()
    region = literals.get("region")
    allowed = literals.get("allowed_account_ids")
    account = allowed[0] if isinstance(allowed, list) and len(allowed) == 1 else ""
    roles: list[Any] = [block.body.literals().get("role_arn") for block in body.all("assume_role")]
    assumed = literals.get("assume_role")
    if isinstance(assumed, dict):  # JSON syntax may give a map
        roles.append(assumed.get("role_arn"))
    for role in roles:
        if isinstance(role, str) and (match := _ROLE.match(role)):
            account = account or match[1]
    ignored = NO_TAGS
    for block in body.all("ignore_tags"):
        ignored |= _ignored_tags(block, names, place, warn)
    return Provider(str(account or ""), region if isinstance(region, str) else "", ignored)


def _ignored_tags(
    block: hcl.Block, names: Mapping[str, hcl.Value], place: str, warn: Callable[[str], None]
) -> IgnoredTags:
    found: dict[str, list[str]] = {}
    for name in ("keys", "key_prefixes"):
        value = block.body.attributes.get(name)
        if value is None:
            continue
        value = names.get(value.text.strip(), value)
        listed = value.literal if isinstance(value.literal, list) else [_quoted(item) for item in value.items]
        found[name] = [text for text in listed if isinstance(text, str)]
        if not isinstance(value.literal, list):
            warn(f"{place}: {name} of ignore_tags is not literal; changes of tags that only it names are reported")
    return IgnoredTags(frozenset(found.get("keys", ())), tuple(found.get("key_prefixes", ())))


def _quoted(text: str) -> Any:
    """The literal that an element of a list is, as it is written; nothing for an expression."""
    return hcl.parse(f"a = {text}").attributes["a"].literal


def _installed(directory: Path) -> Mapping[str, Path]:
    """Where ``terraform init`` put each module: its manifest maps ``web.db`` to a directory."""
    manifest = directory / _MANIFEST
    try:
        entries = json.loads(small_text(manifest))["Modules"]
        return {e["Key"]: Path(os.path.normpath(directory / e["Dir"])) for e in entries if e.get("Key")}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        log.debug("%s: %r; only local modules are followed", manifest, error)
        return {}


def small_text(path: Path) -> str:
    """What ``terraform init`` wrote.

    :raises OSError, ValueError: when it is not there, no regular file, or larger than Terraform would make it.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        data = file.read(_MAX_SMALL + 1)
    if len(data) > _MAX_SMALL:
        raise ValueError(f"it has more than {_MAX_SMALL >> 20} MB")
    return data.decode("utf-8")


def _is_override(name: str) -> bool:
    stem = name.partition(".")[0]
    return stem == "override" or stem.endswith("_override")


def literal_blocks(body: Body, type: str) -> Iterator[Mapping[str, Any]]:
    """The literals of nested blocks, or of a map attribute of that name."""
    for block in body.all(type):
        yield block.body.literals()
    given = body.attributes.get(type)
    if given and isinstance(given.literal, dict):
        yield given.literal
