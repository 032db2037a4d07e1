"""Writes ``tfdrift_core/drift/present/sensitive.txt.gz``: ``python -m tests.drift.present.make_sensitive``.

One line for each operation that has members which the models of botocore mark sensitive: the names by which records may
know its service, the operation, and the members, each with the member that it is in.
"""

import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

import tfdrift_core.drift.present
from tfdrift_core.drift.present.sensitive import OF_MAP

TARGET = Path(tfdrift_core.drift.present.__file__).with_name("sensitive.txt.gz")

_INSIDE = {"list": ("member",), "map": ("key", "value")}

Member = tuple[str, str]
"""The names of the member around it ("" at the top) and of the member itself, without case and punctuation."""


def plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def operations() -> Iterator[tuple[frozenset[str], str, frozenset[Member]]]:
    """Service names, operation and sensitive members of every operation of every service."""
    loader = Loader()
    for service in loader.list_available_services("service-2"):
        model = loader.load_service_model(service, "service-2")
        head = model["metadata"]
        names = {service, head.get("endpointPrefix", service), head.get("signingName", service)}
        names |= {plain(name) for name in names} | {plain(head.get("serviceId", service))}
        for operation, given in model["operations"].items():
            found: set[Member] = set()
            for side in ("input", "output"):
                if side in given:
                    found |= _Members(model["shapes"]).of(given[side]["shape"])
            if found:
                yield frozenset(names), operation, frozenset(found)


class _Members:
    def __init__(self, shapes: Mapping[str, Any]) -> None:
        self._shapes = shapes
        self._seen: set[tuple[str, str]] = set()
        self._found: set[Member] = set()

    def of(self, shape: str) -> set[Member]:
        if self._is_sensitive({"shape": shape}):
            members = self._shapes[shape].get("members", {})
            return {("", plain(n)) for name, given in members.items() for n in (name, given.get("locationName", name))}
        self._walk(shape, ("",))
        return self._found

    def _walk(self, shape: str, parents: tuple[str, ...]) -> None:
        known = self._shapes[shape]
        if known["type"] == "list":
            self._walk(known["member"]["shape"], parents)
        elif known["type"] == "map":
            self._walk(known["value"]["shape"], tuple(f"{parent}{OF_MAP}" for parent in parents))
        for name, reference in known.get("members", {}).items() if known["type"] == "structure" else ():
            # Records have either name.
            names = tuple(dict.fromkeys((plain(name), plain(reference.get("locationName", name)))))
            if self._is_sensitive(reference):
                self._found |= {(parent, own) for parent in parents for own in names}
            elif (shape, names[0]) not in self._seen:
                self._seen.add((shape, names[0]))
                self._walk(reference["shape"], names)

    def _is_sensitive(self, reference: Mapping[str, Any]) -> bool:
        shape = self._shapes[reference["shape"]]
        if reference.get("sensitive") or shape.get("sensitive"):
            return True
        return any(self._is_sensitive(shape[part]) for part in _INSIDE.get(shape["type"], ()))


def text() -> str:
    lines = [
        "\t".join((",".join(sorted(names)), operation, " ".join(sorted(f"{a}.{b}" for a, b in members))))
        for names, operation, members in operations()
    ]
    return "\n".join(sorted(lines)) + "\n"


if __name__ == "__main__":
    TARGET.write_bytes(gzip.compress(text().encode(), mtime=0))
