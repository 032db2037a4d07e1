"""Makes the sources that read from AWS."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError

from tfdrift_core import aws
from tfdrift_core.config import Aws, Config
from tfdrift_core.metrics import Metrics
from tfdrift_core.records.places import scope
from tfdrift_core.records.sift import Sifter
from tfdrift_core.sources import lookup, s3
from tfdrift_core.sources.accounts import lookup_clients
from tfdrift_core.sources.base import Checkpoints, Source, SourceError
from tfdrift_core.sources.location import Location, buckets
from tfdrift_core.sources.lookup import Lookup
from tfdrift_core.sources.s3 import S3
from tfdrift_core.sources.sqs import Sqs, parse_queue

_BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")


@dataclass(frozen=True, slots=True)
class _Means:
    """What a source needs to work."""

    config: Config
    checkpoints: Checkpoints
    metrics: Metrics
    sifter: Sifter | None


def create(
    place: Location, config: Config, checkpoints: Checkpoints, metrics: Metrics, sifter: Sifter | None = None
) -> Source:
    """The source at ``place``; nothing is asked of AWS here.

    :raises SourceError, ConfigError: with what to write instead.
    """
    try:
        return _MAKERS[place.scheme](place, _Means(config, checkpoints, metrics, sifter))
    except BotoCoreError as error:
        raise SourceError(f"{place.url}: {aws.explain(error)}") from error


def _sqs(place: Location, means: _Means) -> Source:
    options = place.options
    queue = parse_queue(place.rest)
    wanted = scope(options.texts("accounts"), options.texts("regions"))
    visibility = options.seconds("visibility", 120.0)
    if not 10 <= visibility <= 43_200:
        raise SourceError(f"sqs://{place.rest}: visibility is {visibility:g} seconds; SQS and TFDrift need 10 to 43200")
    named = buckets(place, means.config)
    for bucket in named:
        if not _BUCKET.match(bucket):
            raise SourceError(f"sqs://{place.rest}: {bucket!r} is not a bucket name; write buckets: [name]")
    return Sqs(
        queue,
        _clients(options.aws(means.config)),
        wanted,
        means.metrics,
        visibility=visibility,
        receivers=options.number("receivers", 4),
        buckets=named,
        sifter=means.sifter,
    )


def _s3(place: Location, means: _Means) -> Source:
    options = place.options
    bucket, _, prefix = place.rest.partition("/")
    if not _BUCKET.match(bucket):
        raise SourceError(f"s3://{place.rest}: {bucket!r} is not a bucket name; write s3://bucket/prefix")
    return S3(
        bucket,
        prefix,
        _clients(options.aws(means.config)),
        scope(options.texts("accounts"), options.texts("regions")),
        means.checkpoints,
        means.metrics,
        options.span(s3.INTERVAL, s3.OVERLAP),
        sifter=means.sifter,
    )


def _lookup(place: Location, means: _Means) -> Source:
    if place.rest.strip("/"):
        raise SourceError(f"lookup://{place.rest}: write lookup:// alone, and accounts and regions as options")
    options, config = place.options, means.config
    accounts, regions, reach = options.texts("accounts"), options.texts("regions"), options.aws(config)
    span = options.span(lookup.INTERVAL, lookup.OVERLAP)
    return Lookup(lambda: lookup_clients(config, reach, accounts, regions), means.checkpoints, means.metrics, span)


def _clients(reach: Aws) -> Callable[[str, str], Any]:
    session = aws.session(reach)
    return lambda service, region: aws.client(reach, service, region, within=session)


_MAKERS: Final[Mapping[str, Callable[[Location, _Means], Source]]] = {
    "sqs": _sqs,
    "s3": _s3,
    "lookup": _lookup,
}
