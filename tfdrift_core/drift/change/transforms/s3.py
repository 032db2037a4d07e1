"""Access control lists of buckets, and the tags that an upload gives an object.

A canned list is spelled out as grants the way S3 does it
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl).  The owner's own FULL_CONTROL is
in every one of them, under an id that only an explicit list in the call, or state, tells.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.change.transforms.base import Transform
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.drift.compare.values import UNKNOWN, as_list
from tfdrift_core.terraform.model import Attributes

_ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
_AUTHENTICATED_USERS = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
_LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
_CANNED: Mapping[str, tuple[tuple[str, str], ...]] = {
    "public-read": ((_ALL_USERS, "READ"),),
    "public-read-write": ((_ALL_USERS, "READ"), (_ALL_USERS, "WRITE")),
    "authenticated-read": ((_AUTHENTICATED_USERS, "READ"),),
    "log-delivery-write": ((_LOG_DELIVERY, "WRITE"), (_LOG_DELIVERY, "READ_ACP")),
}
_HEADERS = {
    "x-amz-grant-full-control": "FULL_CONTROL",
    "x-amz-grant-read": "READ",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-write-acp": "WRITE_ACP",
}
_GRANTEE = re.compile(r'(id|uri|emailAddress)="?([^",]+)"?', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Grant:
    """One permission of one grantee; ``kind`` is CanonicalUser, Group or AmazonCustomerByEmail."""

    permission: str
    kind: str
    id: str = ""
    uri: str = ""
    email: str = ""


def _text(value: Any) -> str:
    """A header, which very old records log as a list of one."""
    return next((element for element in as_list(value) if isinstance(element, str)), "")


def _first_block(value: Any) -> Mapping[str, Any]:
    return next((entry for entry in as_list(value) if isinstance(entry, dict)), {})


def _listed(policy: Mapping[str, Any]) -> Iterator[Grant]:
    access = policy.get("AccessControlList")
    for entry in as_list(access.get("Grant") if isinstance(access, dict) else None):
        grantee = entry.get("Grantee") if isinstance(entry, dict) else None
        if isinstance(grantee, dict):
            permission = _text(entry.get("Permission", entry.get("permission")))
            yield Grant(
                permission,
                _text(grantee.get("xsi:type")),
                _text(grantee.get("ID")),
                _text(grantee.get("URI")),
                _text(grantee.get("EmailAddress")),
            )


def _granted(request: Mapping[str, Any]) -> Iterator[Grant]:
    for header, permission in _HEADERS.items():
        for name, value in _GRANTEE.findall(_text(request.get(header))):
            match name.lower():
                case "uri":
                    yield Grant(permission, "Group", uri=value)
                case "id":
                    yield Grant(permission, "CanonicalUser", id=value)
                case _:
                    yield Grant(permission, "AmazonCustomerByEmail", email=value)


def _grants(request: Mapping[str, Any], owner: str) -> list[Grant] | None:
    """The list after PutBucketAcl; ``None`` where the record does not tell it."""
    policy = request.get("AccessControlPolicy")
    if isinstance(policy, dict):
        return list(_listed(policy))
    headers = list(_granted(request))
    if headers:
        return headers
    canned = _text(request.get("x-amz-acl"))
    if canned != "private" and canned not in _CANNED:
        return None
    own = Grant("FULL_CONTROL", "CanonicalUser", id=owner or UNKNOWN)
    return [own, *(Grant(permission, "Group", uri=uri) for uri, permission in _CANNED.get(canned, ()))]


class S3BucketGrants(Transform):
    """``grant`` of a bucket, permissions of one grantee together.

    Provider 3 writes none where only the owner has any; its state has no ``object_lock_enabled`` either.
    """

    name = "s3_bucket_grants"

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        blocks = [entry for entry in as_list(attributes.get("grant")) if isinstance(entry, dict)]
        owners = [
            str(entry.get("id"))
            for entry in blocks
            if entry.get("type") == "CanonicalUser" and "FULL_CONTROL" in as_list(entry.get("permissions"))
        ]
        grants = _grants(scope.request, owners[0] if len(owners) == 1 else "")
        if grants is None:
            return {"grant": UNKNOWN}
        merged: dict[tuple[str, str, str], dict[str, Any]] = {}
        for grant in grants:
            entry = merged.setdefault(
                (grant.kind, grant.id, grant.uri),
                {"id": grant.id, "permissions": [], "type": grant.kind, "uri": grant.uri},
            )
            entry["permissions"].append(grant.permission)
        result = list(merged.values())
        if "object_lock_enabled" in attributes or len(result) != 1:
            return {"grant": result}
        private = result[0]["type"] == "CanonicalUser" and result[0]["permissions"] == ["FULL_CONTROL"]
        return {"grant": [] if private else result}


class S3AccessControlPolicy(Transform):
    """``access_control_policy`` of an ``aws_s3_bucket_acl``; its ``acl`` is never read back."""

    name = "s3_access_control_policy"

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        before = _first_block(attributes.get("access_control_policy"))
        owner = _first_block(before.get("owner"))
        grants = _grants(scope.request, str(owner.get("id") or ""))
        if grants is None:
            return {"access_control_policy": UNKNOWN}
        names = {
            grantee.get("id"): grantee.get("display_name")
            for entry in as_list(before.get("grant"))
            if isinstance(entry, dict)
            for grantee in as_list(entry.get("grantee"))
            if isinstance(grantee, dict)
        }
        after = [
            {
                "grantee": [
                    {
                        "display_name": names.get(grant.id) or "",
                        "email_address": grant.email,
                        "id": grant.id,
                        "type": grant.kind,
                        "uri": grant.uri,
                    }
                ],
                "permission": grant.permission,
            }
            for grant in grants
        ]
        return {"access_control_policy": [{**before, "grant": after}]}


class S3ObjectTags(Transform):
    """The tags of an object that was written anew: those of the header, or none; a copy keeps its source's."""

    name = "s3_object_tags"

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        request = scope.request
        source = _text(request.get("x-amz-copy-source")).lstrip("/")
        if source and request.get("x-amz-tagging-directive") != "REPLACE":
            if unquote(source) == f"{request.get('bucketName')}/{request.get('key')}":
                return {}
            return {"tags": UNKNOWN, "tags_all": UNKNOWN}
        tags = dict(parse_qsl(_text(request.get("x-amz-tagging")), keep_blank_values=True, max_num_fields=50))
        return {name: tags for name in ("tags", "tags_all") if name in attributes}
