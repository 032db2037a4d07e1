"""Boto3 sessions and clients from the configuration: the one place that knows how credentials are had."""

from typing import Any

import boto3
from botocore.config import Config as ClientConfig
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
from botocore.session import get_session

from tfdrift_core import __version__
from tfdrift_core.config import Aws


def session(aws: Aws, base: boto3.Session | None = None) -> boto3.Session:
    """A session with the usual credential chain (or that of ``base``), or with the role of ``aws`` on top of it.

    Nothing is asked of AWS here: the role is assumed at the first call and again before its credentials expire.
    """
    if base is None:
        core = get_session()
        if aws.profile:
            core.set_config_variable("profile", aws.profile)
        if aws.region:
            core.set_config_variable("region", aws.region)
        base = boto3.Session(botocore_session=core)
    if not aws.role_arn:
        return base
    parameters = {"RoleArn": aws.role_arn, "RoleSessionName": aws.session_name}
    if aws.external_id:
        parameters["ExternalId"] = aws.external_id
    sts = _client(base, aws, "sts", aws.region or base.region_name or "us-east-1")
    assumed = get_session()
    # botocore offers no public way to give a session refreshable credentials.
    assumed._credentials = DeferredRefreshableCredentials(  # type: ignore[attr-defined]
        method="assume-role", refresh_using=create_assume_role_refresher(sts, parameters)
    )
    assumed.set_config_variable("region", aws.region or base.region_name)
    return boto3.Session(botocore_session=assumed)


def client(aws: Aws, service: str, region: str = "", *, within: boto3.Session | None = None, **options: Any) -> Any:
    """A client of ``service``; ``within`` reuses a session, ``options`` go to botocore's ``Config`` (``s3=...``)."""
    return _client(within or session(aws), aws, service, region, **options)


def _client(within: boto3.Session, aws: Aws, service: str, region: str = "", **options: Any) -> Any:
    return within.client(
        service,  # type: ignore[call-overload]
        region_name=region or aws.region or within.region_name or "us-east-1",
        endpoint_url=aws.endpoint_url or None,
        config=ClientConfig(
            retries={"mode": "standard", "total_max_attempts": aws.max_attempts},
            connect_timeout=min(10.0, aws.timeout),
            read_timeout=aws.timeout,
            user_agent_extra=f"tfdrift/{__version__}",
            **options,
        ),
    )
