"""The ``s3`` backend: one key, a pattern of keys, or every state below a prefix.

Where the workspaces are: https://developer.hashicorp.com/terraform/language/backend/s3
"""

import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from tfdrift_core import aws
from tfdrift_core.terraform.backends.base import (
    DEFAULT_WORKSPACE,
    Content,
    Context,
    History,
    Ref,
    Version,
    gather,
    options,
)
from tfdrift_core.terraform.backends.sent import NOTHING_SENT, Sent, server_of
from tfdrift_core.terraform.scan import StateError

log = logging.getLogger("tfdrift.state")

_MAGIC = frozenset("*?[")
_LOCK = ".tflock"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """``key`` may be a pattern; ``prefix`` stands for every ``*.tfstate`` below it.

    ``dynamodb_table`` holds the locks of runs, where the bucket does not.
    With ``workspace_key_prefix`` the key's other workspaces are loaded too, or only the one that ``workspace`` names.
    """

    bucket: str
    key: str = ""
    prefix: str = ""
    workspace: str = ""
    workspace_key_prefix: str = ""
    region: str = ""
    profile: str = ""
    role_arn: str = ""
    external_id: str = ""
    session_name: str = ""
    endpoint_url: str = ""
    use_path_style: bool = False
    dynamodb_table: str = ""


class S3:
    def __init__(self, settings: Options, context: Context) -> None:
        self._settings = settings
        self._context = context
        given = {name: getattr(settings, name) for name in ("region", "profile", "endpoint_url", "session_name")}
        self._access = replace(context.aws, **{name: value for name, value in given.items() if value})
        if settings.role_arn:
            self._access = replace(self._access, role_arn=settings.role_arn, external_id=settings.external_id)
        self._key = settings.key or f"{settings.prefix}*.tfstate"
        if settings.workspace and settings.workspace != DEFAULT_WORKSPACE:
            home = settings.workspace_key_prefix or "env:"
            self._key = f"{home}/{settings.workspace}/{self._key}"
        self._locks: frozenset[str] = frozenset()
        self._told = False
        self.locks_are_listed = bool(_MAGIC & set(self._key)) or bool(settings.workspace_key_prefix)
        self.origin = f"s3://{settings.bucket}/{self._key}"
        self._own_endpoint = settings.endpoint_url in ("", context.aws.endpoint_url)

    @cached_property
    def sent(self) -> Sent:
        """Requests are signed, so that no key is sent; the token of a session is."""
        if self._own_endpoint:
            return NOTHING_SENT
        try:
            found = aws.session(self._access).get_credentials()
            token = bool(found and found.get_frozen_credentials().token)
        except aws.ERRORS:
            token = True
        return Sent(server_of(self._settings.endpoint_url), "an AWS session token" if token else "", bound=False)

    def refs(self) -> Sequence[Ref]:
        exact = not _MAGIC & set(self._key)
        if exact and len(self._patterns) == 1:
            return [self._ref(self._key, "")]
        try:
            found = {key: etag for pattern in self._patterns for key, etag in self._matching(pattern)}
        except StateError as error:
            if not exact:
                raise
            log.info("%s: %s; only the default workspace is loaded", self.origin, error)
            return [self._ref(self._key, "")]
        self._locks = frozenset(key for key in found if key.endswith(_LOCK))
        refs = [self._ref(key, etag) for key, etag in found.items() if key not in self._locks]
        if not refs:
            raise StateError("no state is there; check bucket, key and prefix")
        return refs

    def read(self, ref: Ref, known: str) -> Content | None:
        condition = {"IfNoneMatch": known} if known else {}
        try:
            answer = self._client.get_object(Bucket=self._settings.bucket, Key=ref.key, **condition)
            chunks = answer["Body"].iter_chunks(_CHUNK)
            return Content(gather(chunks, self._context, answer.get("ContentLength")), answer["ETag"])
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("304", "NotModified"):
                return None
            raise self._explained(error, f"s3:GetObject on arn:aws:s3:::{self._settings.bucket}/{ref.key}") from None
        except aws.ERRORS as error:
            raise self._explained(error) from None

    def histories(self) -> Sequence[History]:
        """Also those of states that are deleted by now."""
        found: dict[str, deque[Version]] = {}
        for pattern in self._patterns:
            for key, version in self._versions(pattern):
                # S3 lists the newest first; of those of one second only their order tells which is newer.
                found.setdefault(key, deque()).appendleft(version)
        if not found:
            raise StateError("no version of a state is there; check bucket, key and prefix")
        return [
            History(self._ref(key, ""), tuple(sorted(versions, key=lambda version: version.moment)))
            for key, versions in found.items()
        ]

    def read_version(self, ref: Ref, version: Version) -> bytes:
        try:
            answer = self._client.get_object(Bucket=self._settings.bucket, Key=ref.key, VersionId=version.key)
            return gather(answer["Body"].iter_chunks(_CHUNK), self._context, answer.get("ContentLength"))
        except aws.ERRORS as error:
            where = f"arn:aws:s3:::{self._settings.bucket}/{ref.key}"
            raise self._explained(error, f"s3:GetObjectVersion on {where}") from None

    def locked(self, ref: Ref) -> bool:
        return self._has_lock_file(ref) or self._is_in_table(ref)

    def _has_lock_file(self, ref: Ref) -> bool:
        lock = ref.key + _LOCK
        if ref.version:
            return lock in self._locks
        try:
            self._client.head_object(Bucket=self._settings.bucket, Key=lock)
        except aws.ERRORS:
            return False  # without the lock file, or the right to see it, nothing is known of a run
        return True

    def _is_in_table(self, ref: Ref) -> bool:
        """Whether the lock table has the item that Terraform makes for a run and deletes after it."""
        table = self._settings.dynamodb_table
        if not table:
            return False
        key = {"LockID": {"S": f"{self._settings.bucket}/{ref.key}"}}
        try:
            found = self._table.get_item(TableName=table, Key=key, ProjectionExpression="LockID", ConsistentRead=True)
        except aws.ERRORS as error:
            if not self._told:
                log.warning("%s: the lock table %s cannot be read (%s), so that runs in progress are not seen: "
                            "allow dynamodb:GetItem on it", self.origin, table, error)  # fmt: skip
            self._told = True
            return False
        return "Item" in found

    def close(self) -> None:
        """boto3 closes its connections itself."""

    @cached_property
    def _client(self) -> Any:
        style = {"addressing_style": "path"} if self._settings.use_path_style or self._access.endpoint_url else {}
        return aws.client(self._access, "s3", s3=style)

    @cached_property
    def _table(self) -> Any:
        # AWS's own endpoint, or the one that the user names for all: a repository does not choose who is asked.
        return aws.client(replace(self._access, endpoint_url=self._context.aws.endpoint_url), "dynamodb")

    @property
    def _patterns(self) -> Sequence[str]:
        """Of the keys: those of the default workspace, or the one that is named, and of the others."""
        prefix = "" if self._settings.workspace else self._settings.workspace_key_prefix
        return [self._key, *([f"{prefix}/*/{self._key}"] if prefix else [])]

    def _versions(self, pattern: str) -> Iterator[tuple[str, Version]]:
        permission = f"s3:ListBucketVersions on arn:aws:s3:::{self._settings.bucket}"
        try:
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._settings.bucket, Prefix=_fixed(pattern)
            )
            for page in pages:
                for items, deleted in ((page.get("DeleteMarkers", ()), True), (page.get("Versions", ()), False)):
                    for item in items:
                        if _fits(item["Key"], pattern):
                            moment = int(item["LastModified"].timestamp() * 1000) * 1_000_000
                            yield item["Key"], Version(moment, "" if deleted else str(item["VersionId"]))
        except aws.ERRORS as error:
            raise self._explained(error, permission) from None

    def _matching(self, pattern: str) -> Iterator[tuple[str, str]]:
        fixed = _fixed(pattern)
        permission = f"s3:ListBucket on arn:aws:s3:::{self._settings.bucket}"
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._settings.bucket, Prefix=fixed)
            for page in pages:
                for item in page.get("Contents", ()):
                    if fnmatchcase(item["Key"].removesuffix(_LOCK), pattern):
                        yield item["Key"], item["ETag"]
        except aws.ERRORS as error:
            raise self._explained(error, permission) from None

    def _ref(self, key: str, etag: str) -> Ref:
        workspace = self._settings.workspace or DEFAULT_WORKSPACE
        home = self._settings.workspace_key_prefix or "env:"
        if key.startswith(f"{home}/"):
            workspace = key.removeprefix(f"{home}/").partition("/")[0]
        return Ref(f"s3://{self._settings.bucket}/{key}", key, workspace, etag)

    def _explained(self, error: aws.AwsError, permission: str = "") -> StateError:
        return StateError(aws.explain(error, allow=permission))


def _fixed(pattern: str) -> str:
    """What every key of a pattern begins with."""
    return pattern[: min((pattern.index(c) for c in _MAGIC if c in pattern), default=len(pattern))]


def _fits(key: str, pattern: str) -> bool:
    return fnmatchcase(key, pattern) if _MAGIC & set(pattern) else key == pattern


def create(given: Mapping[str, Any], context: Context) -> S3:
    return S3(options(Options, given, "s3"), context)
