"""Writes an AWS call as the record that CloudTrail would log of it.

Nothing here is shared with the code that reads records.  Where a rule is not in botocore's service model, it is what
real records show; ``test_serializer.py`` holds the shapes against such records.
"""

import hashlib
import json
import urllib.parse
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, cast

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape
from botocore.session import Session

Json = Any

ACCOUNT = "123456789012"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
EC2_XML = "http://ec2.amazonaws.com/doc/2016-11-15/"
S3_XML = "http://s3.amazonaws.com/doc/2006-03-01/"

SOURCES = {"application-autoscaling": "autoscaling", "memory-db": "memorydb", "mq": "amazonmq"}
GLOBAL = frozenset({"iam", "cloudfront", "route53"})
"""Services that log to us-east-1 alone."""

EVENT_NAMES = {
    ("s3", "PutPublicAccessBlock"): "PutBucketPublicAccessBlock",
    ("s3", "DeletePublicAccessBlock"): "DeleteBucketPublicAccessBlock",
    ("s3", "PutBucketLifecycleConfiguration"): "PutBucketLifecycle",
    ("s3", "PutBucketNotificationConfiguration"): "PutBucketNotification",
    ("s3", "GetBucketLifecycleConfiguration"): "GetBucketLifecycle",
}
LAMBDA_VERSIONS = {
    "UpdateFunctionConfiguration": "20150331v2",
    "UpdateFunctionCode": "20150331v2",
    "AddPermission": "20150331v2",
    "RemovePermission": "20150331v2",
    "TagResource": "20170331v2",
    "UntagResource": "20170331v2",
    "PutFunctionConcurrency": "20171031",
    "DeleteFunctionConcurrency": "20171031",
    "PublishLayerVersion": "20181031",
    "DeleteLayerVersion": "20181031",
    "GetFunction": "20150331v2",
    **dict.fromkeys(
        (
            "CreateFunction",
            "DeleteFunction",
            "CreateAlias",
            "UpdateAlias",
            "DeleteAlias",
            "CreateEventSourceMapping",
            "UpdateEventSourceMapping",
            "DeleteEventSourceMapping",
            "PublishVersion",
            "ListFunctions",
        ),
        "20150331",
    ),
}
BARE_RESPONSES = frozenset({"rds", "elasticache", "redshift", "docdb", "neptune"})
"""Services whose response is the changed object itself, without its name around it."""

ITEM_CALLS = frozenset({("dynamodb", "DeleteItem"), ("dynamodb", "UpdateItem")})
"""Data events that have the bare values of an item's key and no other value of it."""

S3_FLAGS = {
    "AccelerateConfiguration": "accelerate",
    "Acl": "acl",
    "Cors": "cors",
    "Encryption": "encryption",
    "LifecycleConfiguration": "lifecycle",
    "Lifecycle": "lifecycle",
    "Logging": "logging",
    "NotificationConfiguration": "notification",
    "OwnershipControls": "ownershipControls",
    "Policy": "policy",
    "PublicAccessBlock": "publicAccessBlock",
    "Replication": "replication",
    "RequestPayment": "requestPayment",
    "Tagging": "tagging",
    "Versioning": "versioning",
    "Website": "website",
    "ObjectLockConfiguration": "object-lock",
}

EC2_WRAPPED = frozenset(
    {
        "AssociateIamInstanceProfile",
        "CreateClientVpnEndpoint",
        "CreateClientVpnRoute",
        "CreateDefaultVpc",
        "CreateEgressOnlyInternetGateway",
        "CreateFleet",
        "CreateFlowLogs",
        "CreateLaunchTemplate",
        "CreateLaunchTemplateVersion",
        "CreateNatGateway",
        "CreateNetworkInsightsPath",
        "CreateNetworkInterfacePermission",
        "CreateSnapshots",
        "CreateTrafficMirrorFilter",
        "CreateTrafficMirrorFilterRule",
        "CreateTransitGateway",
        "CreateTransitGatewayRouteTable",
        "CreateVpcEndpoint",
        "DeleteEgressOnlyInternetGateway",
        "DeleteFlowLogs",
        "DeleteLaunchTemplate",
        "DeleteNatGateway",
        "DeleteNetworkInsightsPath",
        "DeleteTrafficMirrorTarget",
        "DeleteTransitGateway",
        "DeleteTransitGatewayRouteTable",
        "DeleteVpcEndpointServiceConfigurations",
        "DeleteVpcEndpoints",
        "DescribeHosts",
        "DescribeInstanceCreditSpecifications",
        "DescribeInstanceTypes",
        "DisableEbsEncryptionByDefault",
        "DisassociateClientVpnTargetNetwork",
        "DisassociateIamInstanceProfile",
        "EnableEbsEncryptionByDefault",
        "ImportImage",
        "ModifyInstanceCreditSpecification",
        "ModifyInstanceMetadataOptions",
        "ModifyLaunchTemplate",
        "ModifySecurityGroupRules",
        "ModifyTrafficMirrorSession",
        "ModifyTransitGateway",
        "ModifyVolume",
        "ModifyVpcEndpoint",
        "ModifyVpcPeeringConnectionOptions",
        "ReplaceIamInstanceProfileAssociation",
        "SearchTransitGatewayRoutes",
        "UpdateSecurityGroupRuleDescriptionsEgress",
        "UpdateSecurityGroupRuleDescriptionsIngress",
    }
)
EC2_LISTS: Mapping[str, tuple[str, str | None]] = {
    # Member of the API to the key that older calls log, and to the key that wraps each element when it is a scalar.
    "InstanceIds": ("instancesSet", "instanceId"),
    "Resources": ("resourcesSet", "resourceId"),
    "Tags": ("tagSet", None),
    "TagSpecifications": ("tagSpecificationSet", None),
    "IpPermissions": ("ipPermissions", None),
    "UserIdGroupPairs": ("groups", None),
    "IpRanges": ("ipRanges", None),
    "Ipv6Ranges": ("ipv6Ranges", None),
    "PrefixListIds": ("prefixListIds", None),
    "SecurityGroupRuleIds": ("securityGroupRuleIds", "securityGroupRuleId"),
    "SecurityGroupIds": ("groupSet", "groupId"),
    "Groups": ("groupSet", "groupId"),
    "BlockDeviceMappings": ("blockDeviceMapping", None),
    "SpotInstanceRequestIds": ("spotInstanceRequestIdSet", "spotInstanceRequestId"),
    "DhcpConfigurations": ("dhcpConfigurationSet", None),
    "PrivateIpAddresses": ("privateIpAddressesSet", "privateIpAddress"),
    "SpotFleetRequestIds": ("spotFleetRequestIdSet", "spotFleetRequestId"),
    "Values": ("valueSet", "value"),
}
EC2_NAMES = {
    ("ReplaceNetworkAclEntry", "Protocol"): "aclProtocol",
    ("CreateNetworkAclEntry", "Protocol"): "aclProtocol",
    ("CreateSecurityGroup", "Description"): "groupDescription",
    ("CreateVolume", "AvailabilityZone"): "zone",
    ("ModifySnapshotAttribute", "Attribute"): "attributeType",
    ("ModifyImageAttribute", "Attribute"): "attributeType",
}
EC2_EMPTY_LISTS = {"IpPermission": ("groups", "ipRanges", "ipv6Ranges", "prefixListIds")}

SECRETS: Mapping[tuple[str, str], Json] = {
    ("rds", "masterUserPassword"): "****",
    ("redshift", "masterUserPassword"): "****",
    ("elasticache", "authToken"): "****",
    ("ssm", "value"): HIDDEN,
    ("secretsmanager", "secretString"): None,
    ("secretsmanager", "secretBinary"): None,
    ("cloudfront", "comment"): HIDDEN,
    ("kms", "plaintext"): None,
    ("kms", "ciphertextBlob"): None,
    ("lambda", "zipFile"): None,
    ("lambda", "environment"): {},
    ("ec2", "userData"): "<sensitiveDataRemoved>",
    ("ec2", "keyMaterial"): "<sensitiveDataRemoved>",
    ("ec2", "publicKeyMaterial"): "<sensitiveDataRemoved>",
}
"""What is logged in place of a member, ``None`` for nothing at all."""

CALLERS: Sequence[tuple[Json, str, str]] = (
    (
        {
            "type": "IAMUser",
            "principalId": "AIDAJUDGE00000000001",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/carol",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAJUDGE00000000001",
            "userName": "carol",
        },
        "192.0.2.77",
        "aws-cli/2.17.32 md/awscrt#0.21.2 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.11.9",
    ),
    (
        {
            "type": "AssumedRole",
            "principalId": "AROAJUDGE00000000001:dave@example.com",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSReservedSSO_Operators_0123456789abcdef/dave@example.com",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAJUDGE00000000001",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROAJUDGE00000000001",
                    "arn": f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/"
                    "AWSReservedSSO_Operators_0123456789abcdef",
                    "accountId": ACCOUNT,
                    "userName": "AWSReservedSSO_Operators_0123456789abcdef",
                },
                "attributes": {"creationDate": "2026-01-05T08:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "198.51.100.9",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    ),
)


@cache
def _model(service: str) -> ServiceModel:
    return Session().get_service_model(service)


def operation(service: str, name: str) -> OperationModel:
    """The model of ``UpdateTable`` of ``dynamodb``."""
    return _model(service).operation_model(name)


def record(
    service: str,
    name: str,
    parameters: Mapping[str, Any],
    response: Mapping[str, Any] | None,
    *,
    error: tuple[str, str] | None = None,
    region: str = "us-east-1",
    number: int = 0,
    scenario: str = "",
) -> dict[str, Json]:
    """The record of one call.

    ``parameters`` and ``response`` are boto3's; ``error`` is code and message of a failed call.  ``scenario`` and
    ``number`` make the ids and pick the caller, so that the same call gives the same record.
    """
    model = operation(service, name)
    prefix = _model(service).endpoint_prefix.removeprefix("api.")
    source = SOURCES.get(prefix, prefix)
    digest = hashlib.sha256(f"{scenario}/{number}".encode()).hexdigest()
    identity, address, agent = CALLERS[int(digest[0], 16) % len(CALLERS)]
    event = EVENT_NAMES.get((service, name), name)
    if service == "lambda":
        event += LAMBDA_VERSIONS.get(name, "")
    result: dict[str, Json] = {
        "eventVersion": "1.09",
        "userIdentity": identity,
        "eventTime": f"2026-01-05T09:{number // 60:02}:{number % 60:02}Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": event,
        "awsRegion": "us-east-1" if service in GLOBAL else region,
        "sourceIPAddress": address,
        "userAgent": agent,
        "requestParameters": request_parameters(service, model, parameters) or None,
        "responseElements": None if error else response_elements(service, model, response or {}),
        "requestID": _uuid(digest[:32]),
        "eventID": _uuid(digest[32:]),
        "readOnly": name.startswith(("Get", "List", "Describe", "BatchGet", "Head")),
        "eventType": "AwsApiCall",
        "managementEvent": (service, name) not in ITEM_CALLS,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data" if (service, name) in ITEM_CALLS else "Management",
    }
    if error:
        result["errorCode"], result["errorMessage"] = error
    if result["readOnly"]:
        result["responseElements"] = None
    return result


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def request_parameters(service: str, model: OperationModel, parameters: Mapping[str, Any]) -> dict[str, Json]:
    """``requestParameters`` of a call with boto3's ``parameters``."""
    if service == "ec2":
        return _ec2_request(model, parameters)
    if service == "s3":
        return _s3_request(model, parameters)
    plain = cast(dict[str, Json], _plain(service, model.input_shape, parameters)) if parameters else {}
    if (service, model.name) in ITEM_CALLS:
        plain.pop("expressionAttributeValues", None)
        plain["key"] = {name: next(iter(typed.values())) for name, typed in parameters["Key"].items()}
    if service == "apigateway":
        members = _input(model).members
        uri = {name for name, shape in members.items() if shape.serialization.get("location")}
        body = {members[name].serialization.get("name", name): plain[name] for name in plain if name not in uri}
        plain = {name: value for name, value in plain.items() if name in uri}
        if body:
            plain[f"{model.name[:1].lower()}{model.name[1:]}Input"] = body
        plain["template"] = False
    return plain


def response_elements(service: str, model: OperationModel, response: Mapping[str, Any]) -> Json:
    """``responseElements``: null where the call answers nothing."""
    shape = model.output_shape
    body = {name: value for name, value in response.items() if name != "ResponseMetadata"}
    if service == "s3" or (service, model.name) in ITEM_CALLS:
        return None
    if service == "ec2":
        return _ec2_response(model, body)
    if shape is None or not body:
        return None
    plain = _plain(service, shape, body, response=True)
    if service in BARE_RESPONSES and len(plain) == 1:
        (inner,) = plain.values()
        return inner if isinstance(inner, dict) else plain
    return plain or None


def _input(model: OperationModel) -> StructureShape:
    """The members of a call; botocore has none for a call without parameters."""
    return model.input_shape or StructureShape("Empty", {"type": "structure", "members": {}})


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _plain(service: str, shape: Shape | None, value: Any, response: bool = False) -> Json:
    """The general form: member names with the first letter in lower case, lists and maps as they are."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        result: dict[str, Json] = {}
        for name, member in shape.members.items():
            if name not in value:
                continue
            key = _lower(name)
            if (service, key) in SECRETS and not (service == "ssm" and shape.name == "Tag"):
                masked = SECRETS[service, key]
                if masked is not None and not (response and service == "ssm"):
                    result[key] = masked
                continue
            result[key] = _plain(service, member, value[name], response)
            if response and service == "iam" and key.endswith(("ocument", "policyDocument")):
                result[key] = urllib.parse.quote(_document(value[name]), safe="")
        if service == "cloudfront" and result.get("quantity") == 0:
            result.pop("items", None)
        return result
    if isinstance(shape, ListShape) and isinstance(value, Sequence):
        return [_plain(service, shape.member, element, response) for element in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {key: _plain(service, shape.value, member, response) for key, member in value.items()}
    return _scalar(value)


def _document(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _scalar(value: Any) -> Json:
    if isinstance(value, datetime):
        hour = value.hour % 12 or 12
        return f"{value:%b} {value.day}, {value.year}, {hour}:{value:%M:%S} {value:%p}"
    if isinstance(value, bytes):
        return None
    if hasattr(value, "read"):
        return None
    return value


# --- EC2


def _ec2_request(model: OperationModel, parameters: Mapping[str, Any]) -> dict[str, Json]:
    shown = {name: value for name, value in parameters.items() if name != "DryRun"}
    if model.name in EC2_WRAPPED:
        body = _ec2_wrapped(_input(model), shown)
        return {f"{model.name}Request": body or ""}
    result = _ec2_legacy(model.name, _input(model), shown)
    if model.name in ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"):
        result.setdefault("ipPermissions", {})
    return cast(dict[str, Json], result)


def _ec2_legacy(call: str, shape: Shape, value: Any) -> Json:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        result: dict[str, Json] = {}
        for name, member in shape.members.items():
            if name not in value:
                continue
            if isinstance(member, ListShape):
                key, wrapper = EC2_LISTS.get(name, (_lower(name), None))
                elements = [_ec2_legacy(call, member.member, element) for element in value[name]]
                if wrapper and member.member.type_name != "structure":
                    elements = [{wrapper: element} for element in elements]
                in_specification = name == "Tags" and shape.name == "TagSpecification"
                result["tags" if in_specification else key] = (
                    elements if in_specification else {"items": elements} if elements else {}
                )
                continue
            key = EC2_NAMES.get((call, name), _lower(name))
            logged = _ec2_legacy(call, member, value[name])
            if key == "userData" and call == "ModifyInstanceAttribute":
                logged = SECRETS["ec2", "userData"]
            elif ("ec2", key) in SECRETS:
                logged = SECRETS["ec2", key]
            result[key] = logged
        for key in EC2_EMPTY_LISTS.get(shape.name, ()):
            result.setdefault(key, {})
        return result
    return _scalar(value)


def _ec2_wrapped(shape: Shape, value: Any) -> Json:
    """The body of a newer call: query names, a list of one as its element, each element numbered."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        result: dict[str, Json] = {}
        for name, member in shape.members.items():
            if name not in value:
                continue
            if isinstance(member, ListShape):
                key = member.serialization.get("name", name)
                key = key[:1].upper() + key[1:]
                elements = []
                for number, element in enumerate(value[name], 1):
                    logged = _ec2_wrapped(member.member, element)
                    elements.append(
                        {**logged, "tag": number} if isinstance(logged, dict) else {"tag": number, "content": logged}
                    )
                if elements:
                    result[key] = elements[0] if len(elements) == 1 else elements
            else:
                result[name] = _ec2_wrapped(member, value[name])
        return result
    return _coerced(_scalar(value))


def _coerced(value: Json) -> Json:
    """XML knows no types: what looks like a truth value or a number is logged as one."""
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, str) and value.isdigit() and (value == "0" or not value.startswith("0")) and len(value) < 10:
        return int(value)
    return value


def _ec2_response(model: OperationModel, body: Mapping[str, Any]) -> Json:
    request = {"requestId": _uuid(hashlib.sha256(model.name.encode()).hexdigest()[:32])}
    wrapped = model.name in EC2_WRAPPED
    result = _ec2_output(model.output_shape, body, "item" if wrapped else "items") if model.output_shape else {}
    if wrapped:
        return {f"{model.name}Response": {"xmlns": EC2_XML, **request, **result}}
    result = {**request, **({} if result else {"_return": True}), **result}
    if "return" in result:
        result["_return"] = result.pop("return")
    return result


def _ec2_output(shape: Shape, value: Any, item: str) -> Json:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {
            member.serialization.get("name", _lower(name)): _ec2_output(member, value[name], item)
            for name, member in shape.members.items()
            if name in value and ("ec2", _lower(name)) not in SECRETS
        }
    if isinstance(shape, ListShape) and isinstance(value, Sequence):
        elements = [_ec2_output(shape.member, element, item) for element in value]
        if item == "items":
            return {item: elements} if elements else {}
        return {item: elements[0] if len(elements) == 1 else elements} if elements else ""
    return _scalar(value)


# --- S3


def _s3_request(model: OperationModel, parameters: Mapping[str, Any]) -> dict[str, Json]:
    shape = _input(model)
    result: dict[str, Json] = {}
    payload = shape.serialization.get("payload")
    for name, value in parameters.items():
        member = shape.members[name]
        location = member.serialization.get("location")
        if name == "Bucket":
            result["bucketName"] = value
            result["Host"] = f"{value}.s3.amazonaws.com"
        elif name == "Key":
            result["key"] = value
        elif name == payload and name == "Policy":
            result["bucketPolicy"] = json.loads(value)
        elif name == payload and isinstance(member, StructureShape):
            root = member.serialization.get("name", name)
            result[root] = {"xmlns": S3_XML, **(_s3_xml(member, value) or {})}
        elif location in ("header", "querystring"):
            result[member.serialization["name"]] = value
    flag = next((flag for what, flag in S3_FLAGS.items() if model.name in _s3_calls(what)), None)
    if flag:
        result[flag] = ""
    return result


def _s3_calls(what: str) -> frozenset[str]:
    return frozenset(f"{verb}{thing}{what}" for verb in ("Put", "Delete", "Get") for thing in ("Bucket", "Object", ""))


def _s3_xml(shape: Shape, value: Any) -> Json:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        result: dict[str, Json] = {}
        for name, member in shape.members.items():
            if name not in value:
                continue
            key = member.serialization.get("name", name)
            if isinstance(member, ListShape):
                elements = [_s3_xml(member.member, element) for element in value[name]]
                logged = elements[0] if len(elements) == 1 else elements
                if member.serialization.get("flattened"):
                    if elements:
                        result[key] = logged
                else:
                    inner = member.member.serialization.get("name", "member")
                    result[key] = {inner: logged} if elements else ""
            elif member.serialization.get("xmlAttribute"):
                result["xmlns:xsi"] = "http://www.w3.org/2001/XMLSchema-instance"
                result[key] = value[name]
            else:
                result[key] = _s3_xml(member, value[name])
        return result or ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return _coerced(_scalar(value))
