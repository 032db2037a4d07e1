"""The shapes of the records that the judge writes, held against real records.

Every request of a real record that changed something is turned back into the parameters that boto3 would have taken,
written as a record again, and must come out as it was logged.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from tests.catalog import wire
from tests.judge import serializer
from tests.oracle.score import SUITES
from tests.shared import corpus, least

_VERSION = re.compile(r"(?:\d{8}|\d{4}_\d\d_\d\d)(?:v\d+)?$")
SERVICES = {
    # eventSource to the services whose operations log to it.
    "apigateway": ("apigateway", "apigatewayv2"),
    "autoscaling": ("autoscaling", "application-autoscaling"),
    "cloudfront": ("cloudfront",),
    "cloudtrail": ("cloudtrail",),
    "dynamodb": ("dynamodb",),
    "ec2": ("ec2",),
    "ecr": ("ecr",),
    "ecs": ("ecs",),
    "elasticfilesystem": ("efs",),
    "elasticloadbalancing": ("elbv2", "elb"),
    "events": ("events",),
    "iam": ("iam",),
    "kinesis": ("kinesis",),
    "kms": ("kms",),
    "lambda": ("lambda",),
    "logs": ("logs",),
    "monitoring": ("cloudwatch",),
    "rds": ("rds",),
    "redshift": ("redshift",),
    "route53": ("route53",),
    "s3": ("s3",),
    "secretsmanager": ("secretsmanager",),
    "sns": ("sns",),
    "sqs": ("sqs",),
    "ssm": ("ssm",),
}
NOISE = frozenset({"Host", "xmlns", "dryRun", "registryId", "host", "xmlns:xsi"})
"""Keys that are not the caller's."""


def _records() -> Iterator[tuple[str, OperationModel, Mapping[str, Any]]]:
    """Service, operation and request of every real record that changed something."""
    for entry in corpus():
        record = entry["record"]
        request = record.get("requestParameters")
        if entry["kind"] != "real" or record.get("readOnly") or record.get("errorCode") or not request:
            continue
        found = _operation(record)
        if found:
            yield *found, request


def _operation(record: Mapping[str, Any]) -> tuple[str, OperationModel] | None:
    renamed = {event: call for (_, call), event in serializer.EVENT_NAMES.items()}
    event, request = record["eventName"], record["requestParameters"]
    call = _VERSION.sub("", renamed.get(event, event))
    for service in SERVICES.get(record["eventSource"].partition(".")[0], ()):
        model = wire.model(service)
        if model is None or call not in model.operation_names:
            continue
        if service == "apigateway" and "template" not in request:
            continue  # version 2 of the API
        operation = model.operation_model(call)
        if len(SERVICES[record["eventSource"].partition(".")[0]]) > 1 and not _fits(operation, request):
            continue
        return service, operation
    return None


def _fits(operation: OperationModel, request: Mapping[str, Any]) -> bool:
    """Whether most keys of a request are members of the call, where two services share an event source."""
    members = {name.lower() for name in operation.input_shape.members} if operation.input_shape else set()
    known = [key for key in request if key.lower() in members or key.endswith("Input") or key == "template"]
    return len(known) * 2 > len(request)


# --- from a record back to boto3's parameters


class Reader:
    """Turns a logged request into parameters; ``unknown`` holds the logged keys that no model has."""

    def __init__(self, service: str, operation: OperationModel) -> None:
        self.service = service
        self.call = operation.name
        self.shape = operation.input_shape or StructureShape("Empty", {"type": "structure", "members": {}})
        self.unknown: set[str] = set()
        self.wrapped = False

    def parameters(self, request: Mapping[str, Any]) -> dict[str, Any]:
        logged = dict(request)
        if self.service == "ec2" and f"{self.call}Request" in logged:
            self.wrapped = True
            body = logged[f"{self.call}Request"]
            logged = dict(body) if isinstance(body, dict) else {}
        body = f"{self.call[:1].lower()}{self.call[1:]}Input"
        if self.service == "apigateway":
            members = self.shape.members
            names = {
                shape.serialization.get("name", name): name
                for name, shape in members.items()
                if not shape.serialization.get("location")
            }
            inner = {names.get(key, key): value for key, value in logged.pop(body, {}).items()}
            logged = {**logged, **inner}
            logged.pop("template", None)
        if self.service == "s3":
            logged = {key: value for key, value in logged.items() if value != "" or key == "key"}
            if isinstance(logged.get("bucketPolicy"), dict):
                logged["bucketPolicy"] = json.dumps(logged["bucketPolicy"])
        found = self._read(self.shape, logged)
        assert isinstance(found, dict)
        return found

    def _read(self, shape: Shape, logged: Any) -> Any:
        if isinstance(shape, StructureShape):
            if not isinstance(logged, dict):
                return {}
            names = {key: name for name, member in shape.members.items() for key in self._keys(shape, name, member)}
            result = {}
            for key, value in logged.items():
                name = names.get(key)
                if name is None:
                    if key not in NOISE and not (self.wrapped and key == "tag"):
                        self.unknown.add(key)
                    continue
                result[name] = self._read(shape.members[name], value)
            return result
        if isinstance(shape, ListShape):
            return [self._read(shape.member, element) for element in self._elements(shape, logged)]
        if isinstance(shape, MapShape):
            return {key: self._read(shape.value, value) for key, value in (logged or {}).items()}
        if self.wrapped and isinstance(logged, dict):
            logged = logged.get("content")
        return str(logged).lower() if shape.type_name == "string" and isinstance(logged, bool) else logged

    def _keys(self, shape: Shape, name: str, member: Shape) -> list[str]:
        serialized = member.serialization.get("name", name)
        if self.service == "s3":
            return {"Bucket": ["bucketName"], "Key": ["key"], "Policy": ["bucketPolicy"]}.get(name, [serialized])
        if self.wrapped:
            return [serialized[:1].upper() + serialized[1:], name]
        if self.service == "ec2":
            listed = serializer.EC2_LISTS.get(name, ("", None))[0] if isinstance(member, ListShape) else ""
            if name == "Tags" and shape.name == "TagSpecification":
                return ["tags"]
            return [serializer.EC2_NAMES.get((self.call, name)) or listed or name[:1].lower() + name[1:]]
        return [name[:1].lower() + name[1:]]

    def _elements(self, shape: ListShape, logged: Any) -> list[Any]:
        if self.service == "s3" and not shape.serialization.get("flattened") and isinstance(logged, dict):
            logged = logged.get(shape.member.serialization.get("name", "member"))
        if self.service == "ec2" and not self.wrapped and isinstance(logged, dict):
            logged = logged.get("items", [])
            if not isinstance(shape.member, StructureShape):
                return [next(iter(e.values())) if isinstance(e, dict) else e for e in logged]
        if logged in ("", None, {}):
            return []
        return logged if isinstance(logged, list) else [logged]


def _plain(value: Any, without: frozenset[str] | set[str]) -> Any:
    """A request without the keys that are not the caller's; what is empty is left out."""
    if isinstance(value, dict):
        members = {key: _plain(member, without) for key, member in value.items() if key not in without}
        return {key: member for key, member in members.items() if member not in ("", None, {}, [])}
    if isinstance(value, list):
        return [_plain(element, without) for element in value]
    return value


def test_real_requests_come_out_as_they_were_logged() -> None:
    exact, differing = 0, []
    unknown: set[tuple[str, str]] = set()
    for service, operation, request in _records():
        reader = Reader(service, operation)
        parameters = reader.parameters(request)
        if not operation.name.startswith(wire.READS):
            unknown |= {(operation.name, key) for key in reader.unknown}
        again = serializer.request_parameters(service, operation, parameters)
        without = NOISE | reader.unknown
        if _plain(again, without) == _plain(request, without):
            exact += 1
        else:
            differing.append((operation.name, json.dumps(request)[:400], json.dumps(again)[:400]))
    other = [entry for entry in differing if entry[0] not in KNOWN]
    assert not other, f"{exact} alike, {len(other)} not:\n" + "\n".join("\n  ".join(entry) for entry in other)
    assert exact >= least(380, 780), exact
    assert unknown <= INTERNAL, unknown - INTERNAL


INTERNAL = {
    ("CreateRestApi", "ipv6"),
    ("CreateNetworkInterface", "denyAllIgwTraffic"),
    ("DeleteTransitGatewayVpcAttachment", "DelTGwVpcAttachReq"),
    ("CreateLoadBalancer", "listeners"),
    ("CreateLoadBalancer", "loadBalancerName"),
    ("UpdateFunctionCode", "fullyQualifiedArn"),
    ("PutBucketReplication", "Bucket"),
    ("CreateQueue", "attribute"),
}
"""Logged keys of changing calls that no model has; classic load balancers are read as version 2 here."""

KNOWN = {
    "DescribeClassicLinkInstances": "read-only, and from before records said so",
    "DescribeHosts": "read-only; the source of one record has turned its numbers into text",
}
"""Event names whose real records have a form that no call of the judge takes, with the reason."""


def test_the_judge_writes_no_key_that_real_records_of_the_event_lack() -> None:
    """For every event of the fixtures of which there are real records, in the keys at the top."""
    shapes = wire.requests()
    for scenario in SUITES["judge"].scenarios:
        for record in scenario["records"]:
            seen = shapes.get((record["eventSource"], record["eventName"]))
            request = record["requestParameters"] or {}
            if seen and not any(key in seen for key in request):
                pytest.fail(f"{scenario['name']}: {record['eventName']} has {list(request)}, real ones {sorted(seen)}")
