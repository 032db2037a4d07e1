"""What botocore's service models say: operations, their shapes, and the event sources of a service."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.session import Session

READS = (
    "BatchCheck",
    "BatchDescribe",
    "BatchGet",
    "Can",
    "Check",
    "Describe",
    "Detect",
    "Discover",
    "Download",
    "Estimate",
    "Export",
    "Filter",
    "Find",
    "Generate",
    "Get",
    "Head",
    "Is",
    "List",
    "Lookup",
    "Preview",
    "Query",
    "Receive",
    "Resolve",
    "Retrieve",
    "Scan",
    "Search",
    "Select",
    "Simulate",
    "Test",
    "Validate",
    "Verify",
    "View",
    "Wait",
)
"""How operations begin that change nothing."""

_READ = re.compile(rf"({'|'.join(READS)})(?![a-z])")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")


@cache
def _session() -> Session:
    return Session()


@cache
def model(name: str) -> ServiceModel:
    return _session().get_service_model(name)


@cache
def services() -> frozenset[str]:
    return frozenset(_session().get_available_services())


@cache
def _sources() -> Mapping[str, list[str]]:
    data: Mapping[str, list[str]] = yaml.safe_load(Path(__file__).with_name("sources.yaml").read_text(encoding="utf-8"))
    return data


def event_sources(name: str) -> list[str]:
    """The ``eventSource`` of the records of a service: what is known, else what its endpoint and signature say."""
    known = _sources().get(name)
    if known:
        return [f"{source}.amazonaws.com" for source in known]
    metadata = model(name).metadata
    prefix = metadata["endpointPrefix"].rpartition(".")[2]
    found = dict.fromkeys((prefix, metadata.get("signingName") or prefix))
    return [f"{source}.amazonaws.com" for source in found]


@cache
def operations(name: str) -> Mapping[str, OperationModel]:
    return {operation: model(name).operation_model(operation) for operation in model(name).operation_names}


def changes(operation: str) -> bool:
    """Whether an operation may change something, by its name."""
    return _READ.match(operation) is None


def members(shape: Shape | None) -> Mapping[str, Shape]:
    return shape.members if isinstance(shape, StructureShape) else {}


def element(shape: Shape) -> Shape:
    """The element of a list, else the shape itself."""
    return shape.member if isinstance(shape, ListShape) else shape


def required(operation: OperationModel) -> tuple[str, ...]:
    """The members that a call must have, with those that are part of its address."""
    shape = operation.input_shape
    if shape is None:
        return ()
    located = [name for name, member in members(shape).items() if member.serialization.get("location") == "uri"]
    return tuple(dict.fromkeys((*shape.required_members, *located)))


def words(name: str) -> list[str]:
    return _WORD.findall(name)


def verb(operation: str) -> str:
    """What an operation does; ``AdminCreateUser`` says before it who does it."""
    first = words(_done(operation))
    return first[0] + first[1] if first[0] == "Batch" and len(first) > 1 else first[0]


def noun(operation: str) -> str:
    return _done(operation)[len(verb(operation)) :]


def _done(operation: str) -> str:
    return re.sub(r"^Admin(?=[A-Z])", "", operation)


def logged(name: str) -> str:
    """The name under which a record has a member."""
    return name[:1].lower() + name[1:]
