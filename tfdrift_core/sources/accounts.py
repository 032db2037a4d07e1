"""Which accounts and regions are read, and with which role."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

import boto3

from tfdrift_core import aws
from tfdrift_core.config import Account, Aws, Config
from tfdrift_core.records.places import ALL
from tfdrift_core.sources.health import AWS_ERRORS, code_of

_SESSION: Final = "tfdrift"
_SUSPENDED = frozenset({"SUSPENDED", "PENDING_CLOSURE"})

_log = logging.getLogger("tfdrift.cloudtrail")


def role_of(config: Config, account: Account) -> Aws | None:
    """The role to read an account with, None for the credentials that are there."""
    organization = config.organization
    if account.role_arn:
        role, external_id, session = account.role_arn, account.external_id, account.session_name
    elif organization.role:
        # A bare name is a role of that name in the account itself.
        pattern = (
            organization.role if ":" in organization.role else f"arn:aws:iam::{{account}}:role/{organization.role}"
        )
        role = pattern.replace("{account}", account.id)
        external_id, session = organization.external_id, organization.session_name
    else:
        return None
    return replace(
        config.aws, role_arn=role, external_id=external_id, session_name=session or config.aws.session_name or _SESSION
    )


def lookup_clients(config: Config, source: Aws, accounts: list[str], regions: list[str]) -> Mapping[str, Any]:
    """A client of CloudTrail for each account and region, by the name ``account/region``.

    ``accounts`` and ``regions`` are the source's own; without them those of the configuration are used, and without
    those the account of the credentials (or every active account of the organization) and every enabled region.

    :raises ClientError: and botocore's other errors, when AWS cannot be asked.
    """
    hub = aws.session(source)
    clients: dict[str, Any] = {}
    for account in _accounts(config, source, hub, accounts):
        role = role_of(config, account)
        if role is None:
            session, reach = hub, replace(source, role_arn="")
        else:
            session, reach = aws.session(role, hub), replace(role, endpoint_url=source.endpoint_url)
        for region in _regions(config, reach, session, regions):
            clients[f"{account.id}/{region}"] = aws.client(reach, "cloudtrail", region, within=session)
    return clients


def _accounts(config: Config, source: Aws, hub: boto3.Session, wanted: list[str]) -> list[Account]:
    known = {account.id: account for account in config.accounts}
    if wanted:
        return [known.get(name, Account(name)) for name in wanted]
    if known:
        return list(known.values())
    if config.organization.role:
        pages = aws.client(source, "organizations", within=hub).get_paginator("list_accounts").paginate()
        return [
            Account(item["Id"]) for page in pages for item in page["Accounts"] if item.get("Status") not in _SUSPENDED
        ]
    return [Account(aws.client(source, "sts", within=hub).get_caller_identity()["Account"])]


def _regions(config: Config, reach: Aws, session: boto3.Session, wanted: list[str]) -> list[str]:
    patterns = wanted or [region.name for region in config.regions] or [ALL]
    if not any(pattern == ALL or "*" in pattern for pattern in patterns):
        return patterns
    client = aws.client(reach, "ec2", within=session)
    try:
        enabled = [item["RegionName"] for item in client.describe_regions()["Regions"]]
    except AWS_ERRORS as error:
        if code_of(error) not in ("UnauthorizedOperation", "AccessDenied"):
            raise
        home: str = client.meta.region_name
        _log.warning(
            "ec2:DescribeRegions is not allowed; only %s and us-east-1 are read, list regions: to change that", home
        )
        return sorted({home, "us-east-1"})
    return sorted(name for name in enabled if ALL in patterns or any(fnmatchcase(name, p) for p in patterns))
