"""The sources that AWS is asked for."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError

from tfdrift_core import aws
from tfdrift_core.config import Aws, Config
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.records.places import scope
from tfdrift_core.sources import lookup, s3
from tfdrift_core.sources.accounts import lookup_clients
from tfdrift_core.sources.base import Source, SourceError
from tfdrift_core.sources.lookup import Lookup
from tfdrift_core.sources.open import Location, Options
from tfdrift_core.sources.s3 import S3
from tfdrift_core.sources.sqs import Sqs, parse_queue

_BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")


def create(place: Location, config: Config, ledger: Ledger, metrics: Metrics) -> Source:
    """The source at ``place``; nothing is asked of AWS here.

    :raises SourceError, ConfigError: with what to write instead.
    """
    try:
        return _MAKERS[place.scheme](place.rest, place.options, config, ledger, metrics)
    except BotoCoreError as error:
        raise SourceError(f"{place.url}: {aws.explain(error)}") from error


def _sqs(rest: str, options: Options, config: Config, ledger: Ledger, metrics: Metrics) -> Source:
    queue = parse_queue(rest)
    wanted = scope(options.texts("accounts"), options.texts("regions"))
    visibility = options.seconds("visibility", 120.0)
    if not 10 <= visibility <= 43_200:
        raise SourceError(f"sqs://{rest}: visibility is {visibility:g} seconds; SQS and TFDrift need 10 to 43200")
    client = _clients(options.aws(config))
    receivers = options.number("receivers", 4)
    return Sqs(queue, client, wanted, metrics, visibility=visibility, receivers=receivers)


def _s3(rest: str, options: Options, config: Config, ledger: Ledger, metrics: Metrics) -> Source:
    bucket, _, prefix = rest.partition("/")
    if not _BUCKET.match(bucket):
        raise SourceError(f"s3://{rest}: {bucket!r} is not a bucket name; write s3://bucket/prefix")
    wanted = scope(options.texts("accounts"), options.texts("regions"))
    span = options.span(s3.INTERVAL, s3.OVERLAP)
    return S3(bucket, prefix, _clients(options.aws(config)), wanted, ledger, metrics, span)


def _lookup(rest: str, options: Options, config: Config, ledger: Ledger, metrics: Metrics) -> Source:
    if rest.strip("/"):
        raise SourceError(f"lookup://{rest}: write lookup:// alone, and accounts and regions as options")
    accounts, regions, reach = options.texts("accounts"), options.texts("regions"), options.aws(config)
    span = options.span(lookup.INTERVAL, lookup.OVERLAP)
    return Lookup(lambda: lookup_clients(config, reach, accounts, regions), ledger, metrics, span)


def _clients(reach: Aws) -> Callable[[str, str], Any]:
    session = aws.session(reach)
    return lambda service, region: aws.client(reach, service, region, within=session)


_MAKERS: Final[Mapping[str, Callable[[str, Options, Config, Ledger, Metrics], Source]]] = {
    "sqs": _sqs,
    "s3": _s3,
    "lookup": _lookup,
}
