"""Reads the drift of Terraform's and OpenTofu's plans: ``terraform show -json``.

Source of the form: https://developer.hashicorp.com/terraform/internals/json-format#plan-representation
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from tfdrift_core.terraform.index import Index, State
from tfdrift_core.terraform.model import Attributes, Instance
from tfdrift_core.terraform.scan import StateError

MAX_BYTES: Final = 512 << 20
"""Of a plan, which is read as a whole."""

_MAKE: Final = "terraform plan -refresh-only -out=drift.plan && terraform show -json drift.plan > plan.json"


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
    """What drifted by one plan, and an index over the resources as state has them."""

    origin: str
    index: Index
    drifted: Sequence[Drifted] = field(default=())


def load(path: Path) -> Plan:
    """:raises PlanError: when the file cannot be read, or is not a plan as JSON."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise PlanError(f"{path}: is larger than {MAX_BYTES >> 20} MB; make plans of fewer resources with -target")
        data = path.read_bytes()
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}; make one with: {_MAKE}") from error
    return parse(data, str(path))


def parse(data: bytes, origin: str) -> Plan:
    """:raises PlanError: when it is not a plan as JSON."""
    if data.startswith(b"PK\x03\x04"):
        raise PlanError(
            f"{origin}: is a plan in Terraform's own form; write: terraform show -json {origin} > plan.json"
        )
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise PlanError(f"{origin}: is not JSON: {error}; make a plan with: {_MAKE}") from error
    if not isinstance(document, dict) or "format_version" not in document:
        kind = "a state" if isinstance(document, dict) and "lineage" in document else "not a plan"
        raise PlanError(f"{origin}: is {kind}; make a plan with: {_MAKE}")
    changes = list(_changes(document.get("resource_drift")))
    try:
        index = Index([State(orjson.dumps(_state(document, changes)), origin)])
    except StateError as error:
        raise PlanError(f"{origin}: its resource_drift cannot be read: {error}") from error
    instances = index.at(origin, {str(change["address"]) for change in changes})
    return Plan(
        origin,
        index,
        tuple(
            Drifted(
                instances[change["address"]], instances[change["address"]].attributes, change["change"].get("after")
            )
            for change in changes
            if change["address"] in instances
        ),
    )


def _changes(drift: object) -> Iterator[Mapping[str, Any]]:
    """The managed resources whose drift can be told; what was only moved has none."""
    for change in drift if isinstance(drift, list) else ():
        if (
            not isinstance(change, dict)
            or change.get("mode") != "managed"
            or not isinstance(change.get("change"), dict)
        ):
            continue
        before, after = change["change"].get("before"), change["change"].get("after")
        if isinstance(before, dict) and isinstance(after, dict | None) and isinstance(change.get("address"), str):
            yield change


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


def _state(plan: Mapping[str, Any], changes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """A state that holds the drifted resources as they were."""
    return {
        "version": 4,
        "terraform_version": str(plan.get("terraform_version") or ""),
        "serial": 1,
        "lineage": "plan",
        "resources": [
            {
                "mode": "managed",
                "type": change.get("type"),
                "name": change.get("name"),
                **({"module": change["module_address"]} if change.get("module_address") else {}),
                "provider": f'provider["{change.get("provider_name", "")}"]',
                "instances": [
                    {
                        **({"index_key": change["index"]} if "index" in change else {}),
                        "schema_version": 0,
                        "attributes": change["change"]["before"],
                        "sensitive_attributes": [
                            [{"type": "get_attr", "value": name}] for name in dict.fromkeys(_secret(change["change"]))
                        ],
                    }
                ],
            }
            for change in changes
        ],
    }
