"""Reads the drift of Terraform's and OpenTofu's plans: ``terraform show -json``, and what HCP Terraform's API gives.

Source of the form: https://developer.hashicorp.com/terraform/internals/json-format#plan-representation.  A plan says
everything several times and may be large, so that it is walked through, and only its drift and one copy of the
resources are kept.
"""

import re
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Final

import orjson

from tfdrift_core.blame.providers import Providers
from tfdrift_core.terraform.index import Index, State, key_text
from tfdrift_core.terraform.model import Attributes, Instance
from tfdrift_core.terraform.scan import Reader, StateError

MAX_BYTES: Final = 512 << 20
"""Of a plan."""

MAKE: Final = "terraform plan -refresh-only -out=drift.plan && terraform show -json drift.plan > plan.json"
"""The command that makes a plan as it is read here."""

_HELD: Final = 16 << 20
_CHUNK: Final = 1 << 20
_LOOK: Final = 4096
_FORMAT: Final = 1
"""The newest major version of the form that is known; minor versions only add members."""


class PlanError(Exception):
    """A file that is no plan; the message says what it is, and which command makes a plan."""


@dataclass(frozen=True, slots=True)
class Drifted:
    """One resource of ``resource_drift``: ``before`` is what state has, ``after`` what is there; ``None`` is gone."""

    instance: Instance
    before: Attributes
    after: Attributes | None


@dataclass(frozen=True)
class Plan:
    """What drifted by one plan, and an index over the resources as state has them.

    ``notes`` say what the plan does not tell.
    """

    origin: str
    index: Index
    drifted: Sequence[Drifted] = field(default=())
    notes: Sequence[str] = ()


def load(path: Path) -> Plan:
    """The plan in a file; ``-`` is standard input.

    :raises PlanError: when the file cannot be read, or is not a plan as JSON.
    """
    if str(path) == "-":
        return _read(sys.stdin.buffer, "standard input")
    try:
        if path.is_dir():
            raise PlanError(f"{path}: is a directory; make a plan in it with: {MAKE}")
        with path.open("rb") as file:
            return _read(file, str(path))
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}; make one with: {MAKE}") from error


def _read(file: IO[bytes], origin: str) -> Plan:
    """What is small is read; what is large is mapped into memory, from a copy.

    Whoever shortens a file that is mapped ends the process.
    """
    # Windows' tools write a byte order mark in front of what they save.
    data = file.read(_HELD).removeprefix(BOM_UTF8)
    if len(data) < _HELD - len(BOM_UTF8):
        return parse(data, origin)
    with TemporaryFile(prefix="tfdrift-plan-") as copy:
        while data:
            copy.write(data)
            if copy.tell() > MAX_BYTES:
                raise _too_large(origin)
            data = file.read(_CHUNK)
        copy.flush()
        with mmap(copy.fileno(), 0, access=ACCESS_READ) as mapped:
            return parse(mapped, origin)


def parse(data: bytes | mmap, origin: str) -> Plan:
    """:raises PlanError: when it is not a plan as JSON."""
    if len(data) > MAX_BYTES:
        raise _too_large(origin)
    if data[:4] == b"PK\x03\x04":
        raise PlanError(
            f"{origin}: is a plan in Terraform's own form; write: terraform show -json {origin} > plan.json"
        )
    if data[:3] == BOM_UTF8:
        raise PlanError(f"{origin}: begins with a byte order mark; save it without")
    found, reader = _Document(data), Reader(data, "plan", f"make it anew with: {MAKE}")
    problem = ""
    try:
        found.read(reader)
        problem = _other(found.header)
        if not problem:
            reader.finish()
    except StateError as error:
        raise PlanError(f"{origin}: {_unreadable(data, error)}") from error
    except orjson.JSONDecodeError as error:
        raise PlanError(f"{origin}: is not JSON: {error}; make a plan with: {MAKE}") from error
    if problem:
        raise PlanError(f"{origin}: {problem}")
    try:
        state = State(found.state(), origin, scopes=found.providers.scopes)
    except (StateError, orjson.JSONDecodeError) as error:
        raise PlanError(f"{origin}: its resources cannot be read: {error}; make it anew with: {MAKE}") from error
    index = Index([state])
    instances = index.at(origin, found.drift.keys())
    drifted = (
        Drifted(instance, instance.attributes, change["change"].get("after"))
        for address, change in found.drift.items()
        if (instance := instances.get(address)) is not None
    )
    return Plan(origin, index, tuple(drifted), tuple(_notes(found)))


def _unreadable(data: bytes | mmap, error: StateError) -> str:
    start = bytes(data[:_LOOK]).lstrip()
    if not start:
        return f"is empty: what should have written it has failed; make a plan with: {MAKE}"
    if start[:1] in b'["':
        return f"is not a plan; make a plan with: {MAKE}"
    told = str(error).partition("; check the location")[0]
    return f"is not JSON: {told}" + ("" if MAKE in told else f"; make a plan with: {MAKE}")


class _Document:
    """What is looked at of a plan.  ``header`` has its small members, ``drift`` the changes by address."""

    def __init__(self, data: bytes | mmap) -> None:
        self._data = data
        self.header: dict[str, Any] = {}
        self.drift: dict[str, Mapping[str, Any]] = {}
        self.deferred = 0
        self.providers = Providers({}, {})
        self._prior: Sequence[tuple[int, int]] = ()

    def read(self, reader: Reader) -> None:
        configuration: object = {}
        for name in reader.members():
            if name == b"resource_drift":
                self.drift = {change["address"]: change for change in reader.objects() if _is_told(change)}
            elif name == b"prior_state":
                self._prior = list(_values(reader))
            elif name == b"configuration":
                configuration = reader.value()
            elif name == b"deferred_changes":
                self.deferred = sum(1 for _ in reader.objects())
            elif name in _SMALL:
                self.header[name.decode()] = reader.value()
            else:
                self.header[name.decode(errors="replace")] = reader.skip()
        self.providers = Providers(configuration, self.header.get("variables"))

    def state(self) -> bytes:
        """A state that holds the drifted resources as they were, and all others as they are."""
        head = {"version": 4, "terraform_version": str(self.header.get("terraform_version") or ""), "serial": 1}
        texts = [orjson.dumps(self._resource(change, _before(change))) for change in self.drift.values()]
        for start, end in self._prior:
            resource = orjson.loads(self._data[start:end])
            if isinstance(resource, dict) and _is_managed(resource) and resource["address"] not in self.drift:
                texts.append(orjson.dumps(self._resource(resource, {"attributes": resource.get("values")})))
        return orjson.dumps(head)[:-1] + b',"lineage":"plan","resources":[' + b",".join(texts) + b"]}"

    def _resource(self, told: Mapping[str, Any], instance: Mapping[str, Any]) -> dict[str, Any]:
        type, name, key = str(told.get("type") or ""), str(told.get("name") or ""), told.get("index")
        own = f"{type}.{name}" + ("" if key is None else f"[{key_text(key)}]")
        module = str(told["address"]).removesuffix(own).removesuffix(".")
        alias = self.providers.alias(module, type, name)
        home, _, alias = alias.rpartition(".")
        provider = f'{home}.provider["{told.get("provider_name", "")}"].{alias}'
        return {
            "mode": "managed",
            "type": type,
            "name": name,
            **({"module": module} if module else {}),
            "provider": provider.removeprefix(".").removesuffix("."),
            "instances": [
                {
                    **({"index_key": key} if key is not None else {}),
                    "schema_version": 0,
                    **instance,
                }
            ],
        }


_SMALL: Final = frozenset(
    {b"format_version", b"terraform_version", b"variables", b"errored", b"lineage", b"data", b"@level", b"complete"}
)


def _values(reader: Reader) -> Iterator[tuple[int, int]]:
    """Where the resources of a ``prior_state`` are."""
    if reader.opening != b"{":
        reader.skip()
        return
    for name in reader.members():
        if name in (b"values", b"root_module"):
            yield from _values(reader)
        elif name == b"resources":
            yield from reader.spans()
        elif name == b"child_modules" and reader.opening == b"[":
            for _ in reader.items():
                yield from _values(reader)
        else:
            reader.skip()


def _other(header: Mapping[str, Any]) -> str:
    """What a document is that is no plan, and how to come by one; "" for a plan."""
    version = header.get("format_version")
    if "lineage" in header or ("values" in header and "planned_values" not in header):
        return f"is a state; make a plan with: {MAKE}"
    if "@level" in header:
        return f"is the log that -json makes terraform plan write; make a plan with: {MAKE}"
    if isinstance(data := header.get("data"), (dict, list)):
        kind = data.get("type") if isinstance(data, dict) else None
        kind = kind if kind in ("plans", "assessment-results") else "plans"
        return f"is what HCP Terraform's API says about a plan; the plan is at /api/v2/{kind}/ID/json-output"
    if not isinstance(version, str) or "provider_schemas" in header:
        return f"is not a plan; make a plan with: {MAKE}"
    major = version.partition(".")[0]
    if not major.isdecimal() or len(major) > 9 or int(major) > _FORMAT:
        return f"has format {version[:20]}, which is newer than this TFDrift knows ({_FORMAT}); update TFDrift"
    return ""


def _notes(found: _Document) -> Iterator[str]:
    """Why the plan may not tell all drift."""
    header = found.header
    if header.get("errored") is True:
        yield "the plan ended with an error, and may not tell all drift; make it anew once terraform plan succeeds"
    if found.deferred:
        yield f"Terraform deferred {found.deferred} changes, and may not have looked at what they are about"
    written = _VERSION.match(str(header.get("terraform_version") or ""))
    if written and tuple(map(int, written.groups())) < _TELLS_DRIFT:
        needed = ".".join(map(str, _TELLS_DRIFT))
        yield f"Terraform {written[0]} wrote the plan, which tells no drift; use {needed} or newer"


_VERSION: Final = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})")
_TELLS_DRIFT: Final = (0, 15, 4)
"""Since when a plan has ``resource_drift``: https://github.com/hashicorp/terraform/blob/v0.15/CHANGELOG.md."""


def _is_told(change: Mapping[str, Any]) -> bool:
    """Whether it is a managed resource whose drift can be told; what was only moved has none, a deposed object goes."""
    made = change.get("change")
    if not _is_managed(change) or not isinstance(made, dict) or change.get("deposed"):
        return False
    after = made.get("after")
    return (
        isinstance(made.get("before"), dict)
        and isinstance(after, dict | None)
        and isinstance(change.get("address"), str)
    )


def _is_managed(told: Mapping[str, Any]) -> bool:
    """Whether it is a managed resource, with all that a state says of one."""
    names = (told.get(member) for member in ("address", "type", "name"))
    return told.get("mode") == "managed" and all(isinstance(name, str) and name for name in names)


def _before(change: Mapping[str, Any]) -> dict[str, Any]:
    marks = dict.fromkeys(_secret(change["change"]))
    return {
        "attributes": change["change"]["before"],
        "sensitive_attributes": [[{"type": "get_attr", "value": name}] for name in marks],
    }


def _secret(change: Mapping[str, Any]) -> Iterator[str]:
    """The attributes in which any value is marked as sensitive, before or after."""
    for side in ("before", "after"):
        marks = change.get(f"{side}_sensitive")
        if marks is True:
            yield from change.get(side) or ()
        elif isinstance(marks, dict):
            yield from (name for name, mark in marks.items() if _marked(mark))


def _marked(mark: object) -> bool:
    """Whether a mark is, or holds, a true one: what is not sensitive has the form of the value, with false in it."""
    left = [mark]
    while left:
        mark = left.pop()
        if mark is True:
            return True
        left += mark.values() if isinstance(mark, dict) else mark if isinstance(mark, list) else ()
    return False


def _too_large(origin: str) -> PlanError:
    return PlanError(f"{origin}: is larger than {MAX_BYTES >> 20} MB; make plans of fewer resources with -target")
