"""What the provider's source says: services, resource types, the API calls they make, and attributes of members."""

import csv
import json
import re
import shutil
import subprocess
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tfdrift_core.drift.compare.schema import Block, resource_types, schema_for

_MODELS: Mapping[str, str] = {"configservice": "config", "deploy": "codedeploy", "s3api": "s3"}
"""Names of the AWS CLI whose service model has another one."""

Pair = tuple[str, str, str]
"""An API structure, the path of a member in it, and the attribute that it is; ``""`` is the resource's id."""


@dataclass(frozen=True)
class Call:
    """An API call that a resource makes; ``guards`` are the attributes without a change of which it is not made."""

    name: str
    guards: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resource:
    """One resource type and what its functions do."""

    type: str
    package: str
    tags: str
    creates: tuple[Call, ...]
    updates: tuple[Call, ...]
    deletes: tuple[Call, ...]
    reads: tuple[Call, ...]
    pairs: frozenset[Pair]
    ids: tuple[tuple[str, str], ...]
    separators: tuple[str, ...] = ()
    read: frozenset[str] = frozenset()
    """The attributes that its reading writes into state; none where the source does not tell."""

    @cached_property
    def block(self) -> Block:
        return schema_for(self.type) or Block({})

    def is_read(self, attribute: str) -> bool:
        """Whether a refresh can tell that the attribute changed; of those newer than the source nothing is known."""
        node = self.block.attributes.get(attribute)
        return not self.read or attribute in self.read or (node is not None and node.latest)

    @cached_property
    def attributes(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """Structure and member, both in lower case, to the attributes that the provider ties them to."""
        found: dict[tuple[str, str], dict[str, None]] = {}
        for shape, path, attribute in sorted(self.pairs):
            found.setdefault((shape.lower(), path.lower()), {})[attribute] = None
        return {key: tuple(name for name in names if not _is_prefix(name, names)) for key, names in found.items()}


def _is_prefix(name: str, names: Container[str]) -> bool:
    """Whether an attribute is what a name begins with, beside the name itself."""
    return name.endswith("_prefix") and name.removesuffix("_prefix") in names


@dataclass
class Service:
    """One package of the provider; ``model`` is botocore's name, ``""`` where it has none."""

    package: str
    model: str
    resources: list[Resource] = field(default_factory=list)
    tagging: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def types(self) -> Iterator[str]:
        """The service's resource types, with those that newer providers have."""
        yield from (resource.type for resource in self.resources)
        if self.prefix:
            yield from (type for type in resource_types() if re.match(self.prefix, type))


def read(source: Path) -> Iterator[Service]:
    """The services of a checkout of the provider."""
    names = dict(_names(source / "names" / "names_data.csv"))
    program = Path(__file__).with_name("facts.go")
    command = [shutil.which("go") or "go", "run", str(program), str(source / "internal" / "service")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    for line in printed.stdout.splitlines():
        package = json.loads(line)
        name, functions = package["package"], package["functions"]
        model, prefix = names.get(name, ("", ""))
        service = Service(name, model, tagging=tuple(sorted(_tagging(functions))), prefix=prefix)
        for entry in package["resources"] or ():
            if schema_for(entry["type"]) is not None:
                service.resources.append(_resource(name, entry, functions, source, frozenset(service.tagging)))
        if service.resources:
            yield service


def _names(table: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each package with its service model's name and a pattern that its resource types begin with."""
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            command = row["AWSCLIV2Command"]
            if command and not row["SplitPackageRealPackage"]:
                package = row["ProviderPackageActual"] or row["ProviderPackageCorrect"]
                prefix = row["ResourcePrefixActual"] or row["ResourcePrefixCorrect"]
                yield package, (_MODELS.get(command, command), prefix)


def _is_tagging(function: str) -> bool:
    return re.search(r"(?i)(update|create|add|set)\w*tags", function) is not None


def _tagging(functions: Mapping[str, Any]) -> Iterator[str]:
    for name, function in functions.items():
        if _is_tagging(name) and function["file"].startswith("tag"):
            yield from (call["name"] for call in function.get("calls") or ())


def _resource(
    package: str, entry: Mapping[str, str], functions: Mapping[str, Any], source: Path, tagging: frozenset[str]
) -> Resource:
    stages = {stage: entry.get(stage, "") for stage in ("create", "read", "update", "delete")}
    reached = {stage: _closure(name, functions, frozenset(stages.values()) - {name}) for stage, name in stages.items()}

    def calls(stage: str) -> tuple[Call, ...]:
        found: dict[str, Call] = {}
        for name, inherited in reached[stage].items():
            for call in functions[name].get("calls") or ():
                if call["name"] not in tagging:
                    guards = tuple(dict.fromkeys((*(call.get("guards") or ()), *inherited)))
                    found.setdefault(call["name"], Call(call["name"], guards))
        return tuple(found.values())

    everything = dict.fromkeys(name for names in reached.values() for name in names)
    return Resource(
        entry["type"],
        package,
        entry.get("tags", ""),
        calls("create"),
        calls("update"),
        calls("delete"),
        calls("read"),
        frozenset((*pair,) for name in everything for pair in functions[name].get("pairs") or ()),
        tuple(dict.fromkeys((*pair,) for name in reached["create"] for pair in functions[name].get("ids") or ())),
        tuple(_separators(source, entry["type"])),
        _read(functions[name].get("sets") or () for name in reached["read"]),
    )


def _read(sets: Iterable[Sequence[str]]) -> frozenset[str]:
    """The attributes that functions write into state, none where they compute a name or write nothing themselves."""
    found = frozenset(name.partition(".")[0] for names in sets for name in names)
    return frozenset() if "*" in found else found


def _closure(start: str, functions: Mapping[str, Any], others: Container[str]) -> Mapping[str, tuple[str, ...]]:
    """A function and those that it uses, without those of the resource's other stages, each with its guards."""
    found: dict[str, tuple[str, ...]] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(start, ())] if start in functions else []
    while waiting:
        name, guards = waiting.pop(0)
        if name in found or name in others or _is_tagging(name):
            continue
        found[name] = guards
        for used, own in sorted((functions[name].get("uses") or {}).items()):
            if used in functions:
                waiting.append((used, (*guards, *own)))
    return found


_SEPARATORS: Mapping[str, str] = {
    "colon": ":",
    "slash": "/",
    "comma": ",",
    "pipe": "|",
    "hash": "#",
    "underscore": "_",
    "hyphen": "-",
}


def _separators(source: Path, type: str) -> Iterator[str]:
    """What stands between the parts of a composite id, as the documentation of imports has it."""
    stem = type.removeprefix("aws_")
    for ending in (".html.markdown", ".markdown"):
        path = source / "website" / "docs" / "r" / f"{stem}{ending}"
        if path.is_file():
            _, _, text = path.read_text(encoding="utf-8").partition("## Import")
            found: list[str] = re.findall(r"`([^\w\s`])`", text)
            found += [_SEPARATORS[word] for word in re.findall(r"\w+", text.lower()) if word in _SEPARATORS]
            yield from dict.fromkeys(found[:2])
            return
