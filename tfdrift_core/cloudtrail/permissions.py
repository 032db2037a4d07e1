"""The AWS permissions that each source and state backend needs: one table; policies and documentation come from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from tfdrift_core.cloudtrail.accounts import role_of
from tfdrift_core.cloudtrail.places import ALL
from tfdrift_core.cloudtrail.sqs import parse_queue
from tfdrift_core.config import Account, Config


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
        "source `sqs://`, only where its messages name files: the trail's bucket",
    ),
    "trail list": Grant(("s3:ListBucket",), "arn:{partition}:s3:::{bucket}", "source `s3://`: what files there are"),
    "trail": Grant(("s3:GetObject",), "arn:{partition}:s3:::{bucket}/{prefix}*", "source `s3://`: the files"),
    "trail key": Grant(
        ("kms:Decrypt",), "arn:{partition}:kms:{region}:{account}:key/{key}", "only where queue or bucket use a KMS key"
    ),
    "lookup": Grant(("cloudtrail:LookupEvents",), "*", "source `lookup://`"),
    "regions": Grant(("ec2:DescribeRegions",), "*", "source `lookup://` without a list of `regions`"),
    "organization": Grant(
        ("organizations:ListAccounts",), "*", "source `lookup://` with `organization` and without a list of `accounts`"
    ),
    "role": Grant(("sts:AssumeRole",), "{role}", "every `role_arn`, and the role of `organization`"),
    "state": Grant(("s3:GetObject",), "arn:{partition}:s3:::{bucket}/{key}", "state in S3, and its lock file"),
    "state list": Grant(
        ("s3:ListBucket",), "arn:{partition}:s3:::{bucket}", "state in S3 below a prefix, or with several workspaces"
    ),
}

Statement = tuple[Grant, str]
"""A grant, and the resource that it is for."""


def policies(config: Config, open_params: str = "") -> dict[str, dict[str, Any]]:
    """The policy of each identity: ``""`` is the process's own credentials, every other key a role's ARN.

    Where the configuration does not name something (an account, a queue's region) it is ``*``.

    :raises SourceError: when a queue's name is none.
    """
    needed: dict[str, list[Statement]] = {}
    urls = [(open_params, {})] if open_params else [(source.url, source.options) for source in config.sources]
    for url, options in urls:
        for role, statement in _source(config, url, options):
            needed.setdefault(role, []).append(statement)
    for spec in config.state:
        for statement in _state(config, spec):
            needed.setdefault(str(spec.get("role_arn") or config.aws.role_arn), []).append(statement)
    for role in sorted(needed):
        if role:
            hub = "" if role == config.aws.role_arn else config.aws.role_arn
            needed.setdefault(hub, []).append((GRANTS["role"], role))
            if hub:
                needed.setdefault("", []).append((GRANTS["role"], hub))
    return {role: _policy(statements) for role, statements in needed.items()}


def _source(config: Config, url: str, options: Mapping[str, Any]) -> Iterator[tuple[str, Statement]]:
    scheme, _, rest = url.partition("://")
    rest, _, query = rest.partition("?")
    settings = {**dict(part.partition("=")[::2] for part in query.split("&") if part), **options}
    role = str(settings.get("role_arn") or config.aws.role_arn)
    region = str(settings.get("region") or config.aws.region or "*")
    partition = _partition(region)
    if scheme == "sqs":
        queue = parse_queue(rest)
        parts = urlsplit(queue.url).path.strip("/").split("/") if queue.url else []
        name, account = (parts[-1], parts[0]) if len(parts) > 1 else (queue.name, queue.account)
        place = {"region": queue.region or region, "account": account or "*", "queue": name}
        yield role, (GRANTS["queue"], GRANTS["queue"].resource.format(partition=partition, **place))
    elif scheme == "s3":
        bucket, _, prefix = rest.partition("/")
        for name in ("trail list", "trail"):
            resource = GRANTS[name].resource.format(partition=partition, bucket=bucket, prefix=prefix)
            yield role, (GRANTS[name], resource)
    elif scheme == "lookup":
        yield from _lookup(config, role, settings)


def _lookup(config: Config, hub: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Statement]]:
    named = settings.get("accounts") or ""
    wanted = [str(name) for name in (named.split(",") if isinstance(named, str) else named) if name]
    known = {account.id: account for account in config.accounts}
    accounts = [known.get(name, Account(name)) for name in wanted] or list(known.values())
    if not accounts and config.organization.role:
        yield hub, (GRANTS["organization"], "*")
        accounts = [Account("*")]
    regions = settings.get("regions") or [region.name for region in config.regions]
    every = not regions or ALL in regions or any("*" in name for name in regions)
    for account in accounts or [Account("")]:
        role = role_of(config, account)
        identity = role.role_arn if role else hub
        yield identity, (GRANTS["lookup"], "*")
        if every:
            yield identity, (GRANTS["regions"], "*")


def _state(config: Config, spec: Mapping[str, Any]) -> Iterator[Statement]:
    bucket, key, prefix = (str(spec.get(name, "")) for name in ("bucket", "key", "prefix"))
    url = urlsplit(str(spec.get("url", "")))
    if url.scheme == "s3":
        bucket, key = url.netloc, url.path.lstrip("/")
        if key.endswith("/") or not key:
            prefix, key = key, ""
    if not bucket or spec.get("backend", "s3") != "s3":
        return
    partition = _partition(str(spec.get("region") or config.aws.region))
    # The lock lies beside the state, under the same name with a suffix.
    for name in [f"{prefix}*"] if not key else [key, f"{key}.tflock"]:
        yield GRANTS["state"], GRANTS["state"].resource.format(partition=partition, bucket=bucket, key=name)
    if not key or spec.get("workspace_key_prefix") or "*" in key:
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
