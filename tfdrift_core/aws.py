"""Boto3 sessions and clients from the configuration: the one place that knows how credentials are had."""

import logging
from typing import Any, Final, TypeAlias

import boto3
from botocore.config import Config as ClientConfig
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError
from botocore.session import get_session

from tfdrift_core import __version__
from tfdrift_core.config import Aws

ERRORS: Final = (ClientError, BotoCoreError, ResponseParserError)
"""What a call to AWS raises: its own answer, what botocore found before it, an answer that is not AWS's at all."""
AwsError: TypeAlias = ClientError | BotoCoreError | ResponseParserError


def session(aws: Aws, base: boto3.Session | None = None) -> boto3.Session:
    """A session with the usual credential chain (or that of ``base``), or with the role of ``aws`` on top of it.

    Nothing is asked of AWS here: the role is assumed at the first call and again before its credentials expire.
    """
    # It tells where it found credentials, and of each that it cannot renew with a traceback, at every attempt; the call
    # that wanted them fails with the same, and whoever made it tells once.
    logging.getLogger("botocore.credentials").setLevel(logging.ERROR)
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


def explain(error: AwsError, *, allow: str = "") -> str:
    """What went wrong in a call to AWS and what to do about it, in one line; ``allow`` names permissions it needs."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        code = details.get("Code", "")
        region = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("x-amz-bucket-region", "")
        hint = next((hint for codes, hint in _HINTS if code in codes), "")
        if error.operation_name == "AssumeRole" and not allow.startswith("sts:AssumeRole"):
            # It was asked for on the way to another call.
            allow = "sts:AssumeRole on the role of role_arn, here and in that role's trust policy,"
        hint = hint.format(allow=allow or "the call", region=region or "the bucket's region")
        said = " ".join(details.get("Message", "").split())
        said = code if not said or said.startswith("<") else said  # a page of a proxy, say
        return f"{code}: {said}" + (f"; {hint}" if hint else "")
    if isinstance(error, ResponseParserError):
        # Its message is the whole answer, a page of a proxy, say.
        return "the answer is not AWS's; check endpoint_url, and any proxy on the way"
    hint = next((hint for kind, hint in _CLIENT_HINTS if isinstance(error, kind)), "")
    return f"{error}; {hint}" if hint else str(error)


_HINTS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"AccessDenied", "AccessDeniedException", "403", "Forbidden"}), "allow {allow} to this identity"),
    (frozenset({"KMS.AccessDeniedException"}), "allow kms:Decrypt with the bucket's key to this identity"),
    (frozenset({"KMS.DisabledException"}), "enable the KMS key, and allow kms:Decrypt"),
    (frozenset({"KMS.NotFoundException"}), "the KMS key of the object is gone"),
    (
        frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}),
        "the credentials have expired: renew them (sign in again, or let a role provide them)",
    ),
    (
        frozenset({"InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "InvalidToken"}),
        "AWS does not know these credentials: check the profile, the environment and endpoint_url",
    ),
    (frozenset({"SignatureDoesNotMatch"}), "the secret key is wrong, or the clock is: check both"),
    (frozenset({"RequestTimeTooSkewed"}), "the clock of this machine is wrong: set it"),
    (
        frozenset({"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"}),
        "create the queue, or correct its name, region and account: its ARN, as sqs://ARN, names all three",
    ),
    (frozenset({"NoSuchBucket"}), "check the name of the bucket and the account of the credentials"),
    (frozenset({"NoSuchKey", "404", "NotFound"}), "check the key; terraform apply writes it first"),
    (
        frozenset({"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}),
        "set region to {region}",
    ),
)
_CLIENT_HINTS: tuple[tuple[type[BotoCoreError], str], ...] = (
    (NoCredentialsError, "give credentials by profile, role, or the environment"),
    (PartialCredentialsError, "complete them"),
    (ProfileNotFound, "check aws.profile and the AWS configuration files of the user that runs Falco"),
    (SSLError, "check the certificate of the endpoint; AWS_CA_BUNDLE names further authorities"),
    (EndpointConnectionError, "check endpoint_url, the region and the network"),
    (ConnectTimeoutError, "check endpoint_url, the region and the network"),
    (TokenRetrievalError, "sign in again: aws sso login"),
)
