"""The AWS permissions that each source and state backend needs: one table; policies and documentation come from it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tfdrift_core.config import Account, Baseline, Config
from tfdrift_core.delivery.drifts import store_of
from tfdrift_core.records.places import ALL
from tfdrift_core.sources.accounts import role_of
from tfdrift_core.sources.location import Location, Options, buckets, locate, to_read
from tfdrift_core.sources.sqs import parse_queue
from tfdrift_core.terraform.configuration import Configuration
from tfdrift_core.terraform.discovery import discover


@dataclass(frozen=True, slots=True)
class Grant:
    """``actions`` on ``resource`` (a template), and what they are for."""

    actions: tuple[str, ...]
    resource: str
    purpose: str


GRANTS: Final[Mapping[str, Grant]] = {
    "queue": Grant(
        ("sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"),
        "arn:{partition}:sqs:{region}:{account}:{queue}",
        "source `sqs://`",
    ),
    "queue objects": Grant(
        ("s3:GetObject",),
        "arn:{partition}:s3:::{bucket}/*",
        "source `sqs://`, where its messages name files: each of its `buckets`, and those of the sources `s3://`",
    ),
    "trail list": Grant(("s3:ListBucket",), "arn:{partition}:s3:::{bucket}", "source `s3://`: what files there are"),
    "trail": Grant(("s3:GetObject",), "arn:{partition}:s3:::{bucket}/{prefix}*", "source `s3://`: the files"),
    "key": Grant(
        ("kms:Decrypt",),
        "arn:{partition}:kms:{region}:{account}:key/{key}",
        "only where the queue, the trail's bucket or that of a state or plan uses a KMS key",
    ),
    "lookup": Grant(("cloudtrail:LookupEvents",), "*", "source `lookup://`"),
    "regions": Grant(("ec2:DescribeRegions",), "*", "source `lookup://` without a list of `regions`"),
    "organization": Grant(
        ("organizations:ListAccounts",), "*", "source `lookup://` with `organization` and without a list of `accounts`"
    ),
    "role": Grant(("sts:AssumeRole",), "{role}", "every `role_arn`, and the role of `organization`"),
    "store": Grant(
        ("dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:UpdateItem"),
        "arn:{partition}:dynamodb:{region}:{account}:table/{table}",
        "`store: dynamodb://`, which replicas share",
    ),
    "baseline list": Grant(
        ("s3:ListBucket",), "arn:{partition}:s3:::{bucket}", "`baseline: s3://`: what plans there are"
    ),
    "baseline": Grant(("s3:GetObject",), "arn:{partition}:s3:::{bucket}/{prefix}*", "`baseline: s3://`: the plans"),
    "baseline history": Grant(
        ("cloudtrail:LookupEvents",), "*", "`baseline`, to say whose call it was: without it nobody is named"
    ),
    "state": Grant(("s3:GetObject",), "arn:{partition}:s3:::{bucket}/{key}", "state in S3, and its lock file"),
    "state list": Grant(
        ("s3:ListBucket",), "arn:{partition}:s3:::{bucket}", "state in S3 below a prefix, or with several workspaces"
    ),
    "state locks": Grant(
        ("dynamodb:GetItem",),
        "arn:{partition}:dynamodb:{region}:{account}:table/{table}",
        "state in S3 whose locks are in a table (`dynamodb_table`)",
    ),
    "state versions": Grant(
        ("s3:GetObjectVersion",),
        "arn:{partition}:s3:::{bucket}/{key}",
        "`tfdrift replay --at-the-time`: older versions of state in S3",
    ),
    "state version list": Grant(
        ("s3:ListBucketVersions",),
        "arn:{partition}:s3:::{bucket}",
        "`tfdrift replay --at-the-time`: which versions of state in S3 there are",
    ),
}

Statement = tuple[Grant, str]
"""A grant, and the resource that it is for."""


def policies(config: Config, open_params: str = "", *, versions: bool = False) -> dict[str, dict[str, Any]]:
    """The policy of each identity: ``""`` is the process's own credentials, every other key a role's ARN.

    Where the configuration does not name something (an account, a queue's region) it is ``*``.  Its Terraform
    directories are read for the state that they name.  ``versions`` adds what older versions of states need.

    :raises SourceError: when a source is none.
    """
    needed: dict[str, list[Statement]] = {}
    for source in map(locate, to_read(open_params, config)):
        for role, statement in _source(config, source):
            needed.setdefault(role, []).append(statement)
    if config.store:
        table, reach = store_of(config.store, config.aws)
        place = {"partition": _partition(reach.region), "region": reach.region or "*", "account": "*", "table": table}
        needed.setdefault(reach.role_arn, []).append((GRANTS["store"], GRANTS["store"].resource.format(**place)))
    for spec in _states(config):
        for statement in _state(config, spec, versions):
            needed.setdefault(str(spec.get("role_arn") or config.aws.role_arn), []).append(statement)
    for entry in config.baseline:
        for role, statement in _plans(config, entry):
            needed.setdefault(role, []).append(statement)
    for role in sorted(needed):
        if role:
            hub = "" if role == config.aws.role_arn else config.aws.role_arn
            needed.setdefault(hub, []).append((GRANTS["role"], role))
            if hub:
                needed.setdefault("", []).append((GRANTS["role"], hub))
    return {role: _policy(statements) for role, statements in needed.items()}


def optional(config: Config, open_params: str = "") -> list[Statement]:
    """What may be needed as well, depending on what only AWS knows; the purpose says when.

    :raises SourceError: when a source is none.
    """
    schemes = {source.scheme for source in map(locate, to_read(open_params, config))}
    names = []
    plans = any(entry.url.startswith("s3://") for entry in config.baseline)
    if schemes & {"sqs", "s3"} or plans or any(_bucket_of(spec)[0] for spec in _states(config)):
        names.append("key")
    if any(entry.history for entry in config.baseline):
        names.append("baseline history")
    place = {"partition": _partition(config.aws.region), "region": config.aws.region or "*", "account": "*"}
    return [(GRANTS[name], GRANTS[name].resource.format(**place, key="ID-OF-THE-KEY")) for name in names]


def _source(config: Config, source: Location) -> Iterator[tuple[str, Statement]]:
    reach = source.options.aws(config)
    role, region = reach.role_arn, reach.region or "*"
    partition = _partition(region)
    if source.scheme == "sqs":
        queue = parse_queue(source.rest)
        parts = urlsplit(queue.url).path.strip("/").split("/") if queue.url else []
        name, account = (parts[-1], parts[0]) if len(parts) > 1 else (queue.name, queue.account)
        place = {"region": queue.region or region, "account": account or "*", "queue": name}
        yield role, (GRANTS["queue"], GRANTS["queue"].resource.format(partition=partition, **place))
        for bucket in buckets(source, config):
            objects = GRANTS["queue objects"]
            yield role, (objects, objects.resource.format(partition=partition, bucket=bucket))
    elif source.scheme == "s3":
        bucket, _, prefix = source.rest.partition("/")
        for name in ("trail list", "trail"):
            resource = GRANTS[name].resource.format(partition=partition, bucket=bucket, prefix=prefix)
            yield role, (GRANTS[name], resource)
    elif source.scheme == "lookup":
        yield from _lookup(config, role, source.options)


def _lookup(config: Config, hub: str, options: Options) -> Iterator[tuple[str, Statement]]:
    wanted = options.texts("accounts")
    known = {account.id: account for account in config.accounts}
    accounts = [known.get(name, Account(name)) for name in wanted] or list(known.values())
    if not accounts and config.organization.role:
        yield hub, (GRANTS["organization"], "*")
        accounts = [Account("*")]
    regions = options.texts("regions") or [region.name for region in config.regions]
    every = not regions or ALL in regions or any("*" in name for name in regions)
    for account in accounts or [Account("")]:
        role = role_of(config, account)
        identity = role.role_arn if role else hub
        yield identity, (GRANTS["lookup"], "*")
        if every:
            yield identity, (GRANTS["regions"], "*")


def _plans(config: Config, entry: Baseline) -> Iterator[tuple[str, Statement]]:
    """What reading the plans of an entry needs."""
    if entry.url.startswith("s3://"):
        bucket, _, prefix = entry.url.removeprefix("s3://").partition("/")
        role = entry.options.get("role_arn", config.aws.role_arn)
        place = {"partition": _partition(entry.options.get("region", config.aws.region))}
        for name in ("baseline list", "baseline"):
            yield role, (GRANTS[name], GRANTS[name].resource.format(**place, bucket=bucket, prefix=prefix))


def _states(config: Config) -> Iterator[Mapping[str, Any]]:
    """The ``state:`` entries, and those that the configuration's directories stand for."""
    yield from config.state
    for directory in config.config:
        yield from discover(Configuration(directory)).states


def _bucket_of(spec: Mapping[str, Any]) -> tuple[str, str, str]:
    """Bucket, key and prefix of a state in S3, else an empty bucket."""
    bucket, key, prefix = (str(spec.get(name) or "") for name in ("bucket", "key", "prefix"))
    if str(spec.get("url", "")).startswith("s3://"):
        bucket, _, key = str(spec["url"]).removeprefix("s3://").partition("/")
        if key.endswith("/") or not key:
            prefix, key = key, ""
    return (bucket, key, prefix) if spec.get("backend", "s3") == "s3" else ("", "", "")


def _state(config: Config, spec: Mapping[str, Any], versions: bool) -> Iterator[Statement]:
    bucket, key, prefix = _bucket_of(spec)
    if not bucket:
        return
    partition = _partition(str(spec.get("region") or config.aws.region))
    home, workspace = str(spec.get("workspace_key_prefix") or ""), str(spec.get("workspace") or "default")
    keys = [key or f"{prefix}*"]
    if workspace != "default":
        keys = [f"{home or 'env:'}/{workspace}/{keys[0]}"]
    elif home:
        keys.append(f"{home}/*/{keys[0]}")
    for name in keys:
        # The lock lies beside the state, under the same name with a suffix.
        for resource in [name] if name.endswith("*") else [name, f"{name}.tflock"]:
            # IAM knows * and ?, but no sets of characters.
            found = re.sub(r"\[[^]]*\]", "?", resource)
            yield GRANTS["state"], GRANTS["state"].resource.format(partition=partition, bucket=bucket, key=found)
            if versions and not found.endswith(".tflock"):
                old = GRANTS["state versions"]
                yield old, old.resource.format(partition=partition, bucket=bucket, key=found)
    if versions:
        listed = GRANTS["state version list"]
        yield listed, listed.resource.format(partition=partition, bucket=bucket)
    if table := str(spec.get("dynamodb_table") or ""):
        place = {"region": str(spec.get("region") or config.aws.region) or "*", "account": "*", "table": table}
        yield GRANTS["state locks"], GRANTS["state locks"].resource.format(partition=partition, **place)
    if any(set(name) & set("*?[") for name in keys):
        yield GRANTS["state list"], GRANTS["state list"].resource.format(partition=partition, bucket=bucket)


def _partition(region: str) -> str:
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rpartition("-")[0].rpartition("-")[0], "aws")


def _policy(statements: list[Statement]) -> dict[str, Any]:
    resources: dict[tuple[str, ...], set[str]] = {}
    for grant, resource in statements:
        resources.setdefault(grant.actions, set()).add(resource)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(actions), "Resource": sorted(found)}
            for actions, found in sorted(resources.items())
        ],
    }


def table() -> str:
    """The table of ``docs/sources.md``."""
    rows = [
        f"| {grant.purpose} | {', '.join(f'`{action}`' for action in grant.actions)} | `{grant.resource}` |"
        for grant in GRANTS.values()
    ]
    return "\n".join(["| for | actions | on |", "|---|---|---|", *rows])
