"""The field table: the only place where a Falco field is defined.

The C field list, the payload's numbers, ``plugin_get_fields``, ``event_to_string`` and ``docs/fields.md`` are made from
it (``python -m tfdrift_core.output.fields`` prints that page).  Numbers are part of the capture-file format: never
change or reuse one.  An alias shares the number of the field that it stands for.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import orjson

from tfdrift_core.drift.classify.identity import Identity, identities
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.drift.present import change, imports
from tfdrift_core.drift.present.redact import Redactor
from tfdrift_core.output import services
from tfdrift_core.records.record import Record, is_true

Value = str | int | bool | Sequence[str] | None

TOO_DEEP = '"(nested too deeply to print)"'
"""Stands for a JSON value of more levels than any JSON writer here can print."""


class Type(StrEnum):
    """Falco's field types, named as the plugin API's field list names them."""

    STRING = "string"
    UINT64 = "uint64"
    BOOL = "bool"
    ABSTIME = "abstime"
    RELTIME = "reltime"


@dataclass(frozen=True, slots=True)
class Field:
    """One field.  ``get`` gives ``None`` (or an empty string or list) where the field is absent; ask it about ``shown``
    events only.

    ``path`` marks a field whose optional argument selects a value inside it (``ct.request[a.b]``), ``key`` one that is
    texts made by ``with_key``, of which its argument selects one (``tf.tags[Team]``).  ``index`` marks a list, of
    which an optional argument selects one (``ec2.imageids[0]``).  Times are nanoseconds since the epoch, durations
    nanoseconds.
    """

    number: int
    name: str
    type: Type
    desc: str
    get: Callable[[DriftEvent], Value]
    is_list: bool = False
    path: bool = False
    key: bool = False
    index: bool = False


def to_json(value: object) -> str:
    """A parsed JSON value as compact JSON text."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        # Lone surrogates, integers of more than 64 bits and deep nesting are legal in a record, but not for orjson.
        try:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        except RecursionError:
            return TOO_DEEP


def to_text(value: object) -> str | None:
    """A value of a record as a field shows it: strings bare, everything else as JSON, ``None`` where there is none."""
    if value is None or isinstance(value, str):
        return value
    return to_json(value)


def select(value: object, path: str) -> object:
    """The value at a dotted path (``a.b.0.c``), ``None`` where there is none.

    A key that itself contains dots is found too: the longest key that fits wins.
    """
    if not path:
        return value
    if isinstance(value, dict):
        if path in value:
            return value[path]
        steps = path.split(".")
        for end in range(len(steps) - 1, 0, -1):
            key = ".".join(steps[:end])
            if key in value:
                return select(value[key], ".".join(steps[end:]))
        return None
    if isinstance(value, list):
        step, _, rest = path.partition(".")
        if step.isascii() and step.isdigit() and int(step) < len(value):
            return select(value[int(step)], rest)
    return None


def with_key(key: str, value: str) -> str:
    """``key=value``, where a backslash in the key stands before each ``=`` and backslash of its own."""
    return f"{_IN_KEYS.sub(_BACKSLASHED, key)}={value}"


def keyed(texts: Iterable[str], key: str) -> str | None:
    """The value of a key among texts that ``with_key`` made."""
    start = with_key(key, "")
    return next((text[len(start) :] for text in texts if text.startswith(start)), None)


_IN_KEYS = re.compile(r"[=\\]")
_BACKSLASHED = r"\\\g<0>"


def _record(*steps: str) -> Callable[[DriftEvent], Value]:
    def get(event: DriftEvent) -> Value:
        value: Any = event.record.raw
        for step in steps:
            value = value.get(step) if isinstance(value, dict) else None
        return to_text(value)

    return get


def _flag(member: str) -> Callable[[DriftEvent], Value]:
    """Falco's cloudtrail plugin gives record booleans as text; AWS logs some of them as text, too."""

    def get(event: DriftEvent) -> Value:
        value = event.record.raw.get(member)
        return None if value is None else "true" if is_true(value) else "false"

    return get


def _who(get: Callable[[Identity], Value]) -> Callable[[DriftEvent], Value]:
    return lambda event: get(identities.of(event.record))


def _short_source(event: DriftEvent) -> Value:
    return event.record.event_source.removesuffix(".amazonaws.com")


def _ct_user(event: DriftEvent) -> Value:
    """The name that Falco's cloudtrail plugin (0.16 and later) gives: the role, not the session, of an assumed role."""
    identity = event.record.identity
    match identity.get("type"):
        case "Root" | "IAMUser":
            return to_text(identity.get("userName"))
        case "AWSService":
            return to_text(identity.get("invokedBy"))
        case "AssumedRole":
            return to_text(select(dict(identity), "sessionContext.sessionIssuer.userName")) or "AssumedRole"
        case "AWSAccount" | "FederatedUser" as kind:
            return str(kind)
    return None


def _ct_original_user(event: DriftEvent) -> Value:
    identity = event.record.identity
    if identity.get("type") != "AssumedRole":
        return to_text(identity.get("userName"))
    for member, separator, parts in (("arn", "/", 3), ("principalId", ":", 2)):
        split = str(identity.get(member) or "").split(separator)
        if len(split) == parts:
            return split[-1]
    return None


def _ct_account(event: DriftEvent) -> Value:
    return to_text(event.record.identity.get("accountId")) or to_text(event.record.raw.get("recipientAccountId"))


def _ct_resources(event: DriftEvent) -> Value:
    resources = event.record.raw.get("resources")
    return ",".join(to_json(resource) for resource in resources) if isinstance(resources, list) else None


def _ct_info(event: DriftEvent) -> Value:
    record = event.record
    user, address = _ct_user(event), record.source_ip
    who = " via ".join(dict.fromkeys(str(part) for part in (user, address) if part))
    arrow = ("!" if record.error_code else "") + ("→" if _flag("readOnly")(event) == "false" else "←")
    what = next((f" {label}={record.request[key]}" for label, key in _INFO_KEYS if key in record.request), "")
    return f"{who} {arrow} {record.event_name}{what}".strip()


_INFO_KEYS = (("Bucket", "bucketName"), ("Key", "key"), ("Host", "Host"))


def _partition(event: DriftEvent) -> Value:
    if event.resource.arn.startswith("arn:"):
        return event.resource.arn.split(":")[1]
    region = event.resource.region or event.record.region
    return next((name for start, name in _PARTITIONS if region.startswith(start)), "aws")


_PARTITIONS = (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"))
_CONSOLES = {"aws-cn": "console.amazonaws.cn", "aws-us-gov": "console.amazonaws-us-gov.com"}


def _link(event: DriftEvent) -> Value:
    record, region = event.record.id, event.record.region
    if not record or not region:
        return None
    host = _CONSOLES.get(str(_partition(event)), "console.aws.amazon.com")
    query, fragment = (quote(text, "", errors="replace") for text in (region, record))
    return f"https://{host}/cloudtrailv2/home?region={query}#/events/{fragment}"


def _change(event: DriftEvent) -> Value:
    found = change.parts(event.old_value, event.new_value, event.added, event.removed)
    return change.in_words(found, event.resource.account or event.record.account)


def _latency(event: DriftEvent) -> Value:
    return max(event.time - event.record.time, 0) if event.time and event.record.time else None


def _duration(event: DriftEvent) -> Value:
    if event.opening is None or not event.opening.opened:
        return None
    until = event.record.time if event.resolution is not None and event.record.time else event.time
    return max(until - event.opening.opened, 0) if until else None


def _numbered(first: int, rows: Iterable[tuple[str, str, Callable[[DriftEvent], Value]]]) -> tuple[Field, ...]:
    return tuple(Field(first + i, name, Type.STRING, desc, get) for i, (name, desc, get) in enumerate(rows))


_S, _B, _N = Type.STRING, Type.BOOL, Type.UINT64

_DRIFT = (
    Field(
        1,
        "drift.kind",
        _S,
        "What happened: `modified`, `deleted`, `unmanaged`, `expected`, `attempted` (and denied), or, to an earlier "
        "drift: `resolved` or `open`.",
        lambda e: e.kind.value,
    ),
    Field(2, "drift.attribute", _S, "The top-level Terraform attribute that changed.", lambda e: e.attribute),
    Field(
        3,
        "drift.path",
        _S,
        "The full path of what changed, such as `root_block_device[0].volume_size`.",
        lambda e: e.path,
    ),
    Field(4, "drift.old_value", _S, "The value in Terraform state, as Terraform prints it.", lambda e: e.old_value),
    Field(5, "drift.new_value", _S, "The value that the call set, or was to set.", lambda e: e.new_value),
    Field(6, "drift.added", _S, "Elements added to a set.", lambda e: e.added, is_list=True),
    Field(7, "drift.removed", _S, "Elements removed from a set.", lambda e: e.removed, is_list=True),
    Field(
        8,
        "drift.attributes",
        _S,
        "Every attribute of the resource that the same call changed.",
        lambda e: e.attributes,
        is_list=True,
    ),
    Field(
        9,
        "drift.confidence",
        _S,
        "`exact` when the catalog knows the call, `derived` when public sources tell what it does, else `inferred`; "
        "`verified` when a plan of Terraform shows it.",
        lambda e: e.confidence.value,
    ),
    Field(10, "drift.reason", _S, "Why the event was raised, or why it was expected.", lambda e: e.reason),
    Field(
        11,
        "drift.id",
        _S,
        "Identifies the drift; the same record and attribute always give the same id.",
        lambda e: e.id,
    ),
    Field(12, "drift.user", _S, "The person or program that made the call.", _who(lambda i: i.user)),
    Field(13, "drift.user.arn", _S, "The ARN of the identity that made the call.", _who(lambda i: i.arn)),
    Field(
        14, "drift.user.type", _S, "The kind of identity, such as `IAMUser` or `AssumedRole`.", _who(lambda i: i.type)
    ),
    Field(15, "drift.user.account", _S, "The account of the identity that made the call.", _who(lambda i: i.account)),
    Field(16, "drift.user.role", _S, "The role that was assumed.", _who(lambda i: i.role)),
    Field(17, "drift.user.session", _S, "The session name of the assumed role.", _who(lambda i: i.session)),
    Field(18, "drift.srcip", _S, "Where the call came from.", lambda e: e.record.source_ip),
    Field(19, "drift.useragent", _S, "The program that made the call.", lambda e: e.record.user_agent),
    Field(20, "drift.console", _B, "Whether the call was made in the AWS console.", _who(lambda i: i.console)),
    Field(
        21,
        "drift.mfa",
        _B,
        "Whether the session was authenticated with MFA; absent where AWS does not say.",
        _who(lambda i: i.mfa),
    ),
    Field(22, "drift.time", Type.ABSTIME, "When the call was made.", lambda e: e.record.time or None),
    Field(23, "drift.latency", Type.RELTIME, "Time from the call to this event.", _latency),
    Field(24, "drift.hint", _S, "What to do about it.", lambda e: e.hint),
    Field(25, "drift.link", _S, "The record in the CloudTrail console.", lambda e: _link(e)),
    Field(
        26,
        "drift.change",
        _S,
        "What was added and removed, in at most 300 characters: JSON documents by path.",
        _change,
    ),
    Field(
        27,
        "drift.import",
        _S,
        "An `import` block that takes over what was created outside Terraform; absent where its form is not sure.",
        lambda e: imports.block(e.resource, imports.Import(e.import_id, e.import_identity)),
    ),
    Field(
        30,
        "drift.opened",
        Type.ABSTIME,
        "Of a drift that ended or is still open: when the call was made that opened it.",
        lambda e: e.opening.opened or None if e.opening else None,
    ),
    Field(31, "drift.duration", Type.RELTIME, "How long the drift was open, or has been open by now.", _duration),
    Field(
        32,
        "drift.opened_by",
        _S,
        "Who made the call that opened the drift.",
        lambda e: e.opening.by if e.opening else None,
    ),
    Field(
        33,
        "drift.opened_id",
        _S,
        "The `drift.id` of the event that told of the drift first.",
        lambda e: e.opening.id if e.opening else None,
    ),
    Field(
        34,
        "drift.resolution",
        _S,
        "How the drift ended: `reverted` by another call, `applied` by Terraform, `adopted` by a newer state, "
        "`removed` with its resource, or `gone` as a plan of Terraform sees it.",
        lambda e: e.resolution.value if e.resolution else None,
    ),
    Field(
        35,
        "drift.user.verified",
        _S,
        "The caller's name as AWS vouches for it, never one that the caller chose: IAM user, role, Identity Center "
        "person, `root` or service; the ARN of a caller of another account.",
        _who(lambda i: i.verified),
    ),
    Field(
        36,
        "drift.user.foreign",
        _B,
        "Whether the caller is of another account than the resource.",
        _who(lambda i: i.cross_account),
    ),
    Field(
        37,
        "drift.repeated",
        _B,
        "True where the same event was handed over before, shortly before a restart: its alert may have been lost. "
        "Absent otherwise.",
        lambda e: e.repeated or None,
    ),
    Field(
        67,
        "drift.resource",
        _S,
        "The resource's Terraform address, else its ARN or id.",
        lambda e: e.resource.address or e.resource.arn or e.resource.id,
    ),
)

_TF = (
    Field(
        40,
        "tf.address",
        _S,
        'The resource\'s address, such as `module.web["a"].aws_instance.app[0]`.',
        lambda e: e.resource.address,
    ),
    Field(41, "tf.type", _S, "The Terraform resource type.", lambda e: e.resource.type),
    Field(42, "tf.name", _S, "The resource's name in the configuration.", lambda e: e.resource.name),
    Field(43, "tf.module", _S, "The module's address; absent in the root module.", lambda e: e.resource.module),
    Field(44, "tf.workspace", _S, "The workspace of the state.", lambda e: e.resource.workspace),
    Field(45, "tf.state", _S, "Where the state was read from.", lambda e: e.resource.state),
    Field(46, "tf.file", _S, "The configuration file that declares the resource.", lambda e: e.resource.file),
    Field(47, "tf.line", _N, "The line in that file.", lambda e: e.resource.line or None),
    Field(
        50,
        "tf.tags",
        _S,
        "A tag of the resource in state, default tags of the provider included: `tf.tags[Team]`.",
        lambda e: tuple(with_key(key, value) for key, value in e.resource.tags),
        key=True,
    ),
    Field(
        51,
        "tf.owner",
        _S,
        "The owners of that file, as CODEOWNERS names them.",
        lambda e: e.context.owners,
        is_list=True,
    ),
    Field(52, "tf.commit", _S, "The commit that brought the line, in a Git checkout.", lambda e: e.context.commit),
    Field(
        53,
        "tf.author",
        _S,
        "Who wrote the line: `Name <address>`; absent where it is not committed, or the clone is shallow.",
        lambda e: e.context.author,
    ),
    Field(
        48,
        "tf.dependents",
        _S,
        "Addresses that depend on the resource by what state says, directly and through others; at most 50.",
        lambda e: e.context.dependents,
        is_list=True,
    ),
    Field(
        49,
        "tf.dependents.count",
        _N,
        "How many instances depend on the resource; counted up to 10,000.",
        lambda e: e.context.dependents_count,
    ),
)

_CLOUD = (
    Field(60, "cloud.provider", _S, "The cloud: `aws`.", lambda e: "aws"),
    Field(61, "cloud.service", _S, "The service that was called, such as `ec2`.", lambda e: e.record.service),
    Field(62, "cloud.region", _S, "The region of the resource.", lambda e: e.resource.region or e.record.region),
    Field(63, "cloud.account", _S, "The account of the resource.", lambda e: e.resource.account or e.record.account),
    Field(64, "cloud.partition", _S, "The AWS partition, such as `aws` or `aws-cn`.", _partition),
    Field(65, "cloud.resource.id", _S, "The resource's id.", lambda e: e.resource.id),
    Field(66, "cloud.resource.arn", _S, "The resource's ARN.", lambda e: e.resource.arn),
)

# Names and meanings are those of Falco's own cloudtrail plugin (0.17), so that conditions written for it move over.
_CT = _numbered(
    100,
    (
        ("ct.id", "The record's id.", _record("eventID")),
        ("ct.error", "The error code, absent if there was no error.", _record("errorCode")),
        ("ct.errormessage", "The description of the error.", _record("errorMessage")),
        ("ct.time", "When the call was made, as logged.", _record("eventTime")),
        ("ct.src", "The service, such as `ec2.amazonaws.com`.", _record("eventSource")),
        ("ct.shortsrc", "The service without `.amazonaws.com`.", _short_source),
        ("ct.name", "The name of the call, as logged.", _record("eventName")),
        ("ct.user", "The user name; for an assumed role, the role.", _ct_user),
        ("ct.originaluser", "The user name; for an assumed role, the session.", _ct_original_user),
        ("ct.user.accountid", "The account of the user.", _ct_account),
        ("ct.user.identitytype", "The kind of identity.", _record("userIdentity", "type")),
        ("ct.user.principalid", "The unique id of the identity.", _record("userIdentity", "principalId")),
        ("ct.user.arn", "The ARN of the identity.", _record("userIdentity", "arn")),
        ("ct.region", "The region that was called.", _record("awsRegion")),
        ("ct.response.subnetid", "The subnet id in the response.", _record("responseElements", "subnetId")),
        (
            "ct.response.reservationid",
            "The reservation id in the response.",
            _record("responseElements", "reservationId"),
        ),
        ("ct.response", "The response, or the value at a path in it.", _record("responseElements")),
        (
            "ct.request.availabilityzone",
            "The availability zone in the request.",
            _record("requestParameters", "availabilityZone"),
        ),
        ("ct.request.cluster", "The cluster in the request.", _record("requestParameters", "cluster")),
        ("ct.request.functionname", "The function name in the request.", _record("requestParameters", "functionName")),
        ("ct.request.groupname", "The group name in the request.", _record("requestParameters", "groupName")),
        ("ct.request.host", "The host in the request.", _record("requestParameters", "Host")),
        ("ct.request.name", "The name in the request.", _record("requestParameters", "name")),
        ("ct.request.policy", "The policy in the request.", _record("requestParameters", "policy")),
        ("ct.request.reason", "The reason in the request.", _record("requestParameters", "reason")),
        ("ct.request.target", "The target in the request.", _record("requestParameters", "target")),
        ("ct.request.documentname", "The document name in the request.", _record("requestParameters", "documentName")),
        ("ct.request.serialnumber", "The serial number in the request.", _record("requestParameters", "serialNumber")),
        ("ct.request.servicename", "The service name in the request.", _record("requestParameters", "serviceName")),
        ("ct.request.subnetid", "The subnet id in the request.", _record("requestParameters", "subnetId")),
        (
            "ct.request.taskdefinition",
            "The task definition in the request.",
            _record("requestParameters", "taskDefinition"),
        ),
        ("ct.request.username", "The user name in the request.", _record("requestParameters", "userName")),
        ("ct.request", "The request, or the value at a path in it.", _record("requestParameters")),
        ("ct.srcip", "Where the call came from.", _record("sourceIPAddress")),
        ("ct.useragent", "The program that made the call.", _record("userAgent")),
        ("ct.info", "A summary of the record.", _ct_info),
        ("ct.managementevent", "`true` for a management event.", _flag("managementEvent")),
        ("ct.readonly", "`true` if the call only reads.", _flag("readOnly")),
        ("ct.requestid", "The id of the request.", _record("requestID")),
        ("ct.eventtype", "The kind of record, such as `AwsApiCall`.", _record("eventType")),
        ("ct.apiversion", "The version of the API.", _record("apiVersion")),
        ("ct.resources", "The resources that the record names.", _ct_resources),
        ("ct.recipientaccountid", "The account that received the record.", _record("recipientAccountId")),
        ("ct.serviceeventdetails", "What triggered a service event, and its result.", _record("serviceEventDetails")),
        ("ct.sharedeventid", "The id shared by the copies of a record.", _record("sharedEventID")),
        ("ct.vpcendpointid", "The VPC endpoint of the request.", _record("vpcEndpointId")),
        ("ct.eventcategory", "The category of the record.", _record("eventCategory")),
        ("ct.addendum.reason", "Why the record was late or changed.", _record("addendum", "reason")),
        ("ct.addendum.updatedfields", "What the addendum changed.", _record("addendum", "updatedFields")),
        ("ct.addendum.originalrequestid", "The original request id.", _record("addendum", "originalRequestID")),
        ("ct.addendum.originaleventid", "The original record id.", _record("addendum", "originalEventID")),
        (
            "ct.sessioncredentialfromconsole",
            "`true` if the session began in the console.",
            _flag("sessionCredentialFromConsole"),
        ),
        ("ct.edgedevicedetails", "The edge devices of the request.", _record("edgeDeviceDetails")),
        ("ct.tlsdetails.tlsversion", "The TLS version of the request.", _record("tlsDetails", "tlsVersion")),
        ("ct.tlsdetails.ciphersuite", "The TLS ciphers of the request.", _record("tlsDetails", "cipherSuite")),
        (
            "ct.tlsdetails.clientprovidedhostheader",
            "The host that the client named.",
            _record("tlsDetails", "clientProvidedHostHeader"),
        ),
        ("ct.additionaleventdata", "What else the service logged.", _record("additionalEventData")),
    ),
)

# The cloudtrail plugin's fields of single services, with its meanings.
_SERVICES = (
    Field(200, "s3.uri", _S, "The object's URI, `s3://bucket/key`.", services.s3_uri),
    Field(201, "s3.bucket", _S, "The bucket in the request.", services.text_at("requestParameters", "bucketName")),
    Field(202, "s3.key", _S, "The object's key in the request.", services.text_at("requestParameters", "key")),
    Field(
        203,
        "s3.bytes",
        _N,
        "Bytes of an upload or download.",
        services.transferred("bytesTransferredIn", "bytesTransferredOut"),
    ),
    Field(204, "s3.bytes.in", _N, "Bytes of an upload.", services.transferred("bytesTransferredIn")),
    Field(205, "s3.bytes.out", _N, "Bytes of a download.", services.transferred("bytesTransferredOut")),
    Field(206, "s3.cnt.get", _N, "1 for `GetObject`.", services.one_of("get")),
    Field(207, "s3.cnt.put", _N, "1 for `PutObject`.", services.one_of("put")),
    Field(208, "s3.cnt.other", _N, "1 for every other call, of any service.", services.one_of("other")),
    Field(209, "ec2.name", _S, "The tag `Name` that the request gives an instance.", services.instance_name),
    Field(210, "ec2.imageid", _S, "The first of `ec2.imageids`.", lambda e: next(iter(services.images(e)), None)),
    Field(211, "ec2.imageids", _S, "The images of the instances.", services.images, is_list=True, index=True),
    Field(
        212,
        "ecr.repository",
        _S,
        "The repository in the request.",
        services.text_at("requestParameters", "repositoryName"),
    ),
    Field(
        213, "ecr.imagetag", _S, "The image's tag in the request.", services.text_at("requestParameters", "imageTag")
    ),
    Field(214, "iam.role", _S, "The role in the request.", services.text_at("requestParameters", "roleName")),
    Field(215, "iam.policy", _S, "The policy in the request.", services.text_at("requestParameters", "policyName")),
)

PATH_ROOTS = {"ct.request": "requestParameters", "ct.response": "responseElements"}
"""Fields that take a path, and the record's member that the path starts in."""


_DOTLESS = "The same as `{}`; in outputs only, up to Falco 0.43."


def _table() -> tuple[Field, ...]:
    fields = tuple(replace(f, path=f.name in PATH_ROOTS) for f in (*_DRIFT, *_TF, *_CLOUD, *_CT, *_SERVICES))
    by_name = {f.name: f for f in fields}
    return (
        *fields,
        replace(by_name["ct.name"], name="evt.name", desc="The same as `ct.name`."),
        # As the overview's rule prints them.  Falco 0.44 refuses names without a dot in outputs, too.
        replace(by_name["cloud.resource.id"], name="resource", desc=_DOTLESS.format("cloud.resource.id")),
        replace(by_name["drift.user"], name="user", desc=_DOTLESS.format("drift.user")),
    )


def _change_line(event: DriftEvent) -> str:
    old, new = (value if value is not None else "" for value in (event.old_value, event.new_value))
    return f"{event.path}: {old} → {new}" if event.path else event.kind.value


_EACH = "Of every drift of the event, in one order: "

LISTS: tuple[Field, ...] = tuple(
    Field(number, name, _S, _EACH + desc, get, is_list=True)
    for number, name, desc, get in (
        (0x4000, "drift.kinds", "its kind.", lambda e: e.kind.value),
        (0x4001, "drift.paths", "its path.", lambda e: e.path),
        (0x4002, "drift.old_values", "the value in Terraform state.", lambda e: e.old_value or ""),
        (0x4003, "drift.new_values", "the value that the call set.", lambda e: e.new_value or ""),
        (0x4004, "drift.changes", "`path: old → new`.", _change_line),
        (0x4005, "tf.addresses", "the resource's address.", lambda e: e.resource.address),
    )
)
"""Fields of an event that may be several drifts, where ``FIELDS`` speak of the first.

``get`` gives one drift's item.  They are never stored, so their numbers only have to be higher than all others.
"""

FIELDS: tuple[Field, ...] = _table()
BY_NAME: dict[str, Field] = {f.name: f for f in FIELDS}


def shown(event: DriftEvent) -> DriftEvent:
    """The event free of secrets: the form that ``Field.get`` may be asked about."""
    return Redactor.of(event.redacted).event(event)


def values(event: DriftEvent) -> dict[str, Value]:
    """Every present field of an event, by name; secrets are hidden."""
    safe = shown(event)
    return {f.name: value for f in FIELDS if (value := f.get(safe)) not in (None, "", (), [])}


_INTRODUCTION = """# Fields

Fields that start with `ct.`, `s3.`, `ec2.`, `ecr.` or `iam.` have the names and meanings of Falco's own cloudtrail
plugin, so that conditions written for it move over. `ct.request[a.b.c]` and `ct.response[a.b.c]` give one value inside.
"""


def markdown() -> str:
    """``docs/fields.md``."""
    rows = [_INTRODUCTION, "| field | type | argument | meaning |", "|---|---|---|---|"]
    for f in FIELDS:
        kind = f"{f.type} list" if f.is_list else str(f.type)
        argument = "path" if f.path else "key, required" if f.key else "index" if f.index else ""
        rows.append(f"| `{f.name}` | {kind} | {argument} | {f.desc} |")
    return "\n".join(rows) + "\n"


__all__ = [
    "BY_NAME",
    "FIELDS",
    "PATH_ROOTS",
    "Field",
    "Record",
    "Type",
    "Value",
    "keyed",
    "markdown",
    "select",
    "to_text",
    "values",
    "with_key",
]

if __name__ == "__main__":
    print(markdown(), end="")
