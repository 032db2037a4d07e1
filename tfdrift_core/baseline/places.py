"""Where plans are found: files, directories, S3, and the health assessments of HCP Terraform."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tfdrift_core import aws
from tfdrift_core.blame.plan import MAX_BYTES, PlanError
from tfdrift_core.config import Aws, Baseline, Config, ConfigError
from tfdrift_core.terraform import backends
from tfdrift_core.terraform.backends.base import Context
from tfdrift_core.terraform.backends.hcp import Hcp
from tfdrift_core.terraform.scan import StateError
from tfdrift_core.verify.plan import moment_of

_log = logging.getLogger("tfdrift.baseline")
_MOST: Final = 1000
"""Plans of one place: the newest."""

_MAX_ENTRIES: Final = 100_000
_AWS: Final = ("profile", "region", "role_arn", "external_id", "endpoint_url")


class PlaceError(Exception):
    """A place cannot be looked at; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Found:
    """A plan that is there.  ``version`` is another one when it was written anew; ``moment`` is when it was written."""

    origin: str
    version: str
    moment: int
    read: Callable[[], bytes]


def check(entry: Baseline) -> None:
    """:raises ConfigError: when it names no place."""
    scheme, separator, rest = entry.url.partition("://")
    where = f"init_config.baseline: {entry.url!r}"
    if separator and scheme not in ("file", "s3", "hcp"):
        raise ConfigError(f"{where}: unknown scheme; write a path, s3://BUCKET/PREFIX/ or hcp://HOST/ORGANIZATION")
    parts = rest.strip("/").split("/")
    if not rest.strip("/") if separator else not entry.url:
        raise ConfigError(f"{where} names nothing")
    if scheme == "hcp" and separator and len(parts) not in (2, 3):
        raise ConfigError(f"{where}: write hcp://app.terraform.io/ORGANIZATION, or .../ORGANIZATION/WORKSPACE")


def look(entry: Baseline, config: Config) -> Sequence[Found]:
    """The plans of a place, the newest first.

    :raises PlaceError: when it cannot be looked at.
    """
    scheme = urlsplit(entry.url).scheme if "://" in entry.url else "file"
    try:
        found = sorted(_LOOKS[scheme](entry, config), key=lambda plan: plan.moment, reverse=True)
    except (StateError, ConfigError) as error:
        raise PlaceError(f"{entry.url}: {error}") from error
    except OSError as error:
        raise PlaceError(f"{entry.url}: {error.strerror}; check the path") from error
    except aws.ERRORS as error:
        raise PlaceError(f"{entry.url}: {aws.explain(error, allow='s3:ListBucket and s3:GetObject')}") from error
    return found[:_MOST]


def _files(entry: Baseline, config: Config) -> Iterator[Found]:
    path = Path(entry.url.removeprefix("file://")).expanduser()
    files = islice(path.rglob("*.json"), _MAX_ENTRIES) if path.is_dir() else [path]
    for file in files:
        status = file.stat()
        version = f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"
        yield Found(str(file), version, status.st_mtime_ns, lambda file=file: _file(file, _limit(config)))  # type: ignore[misc]


def _limit(config: Config) -> int:
    """Bytes of a plan, which is held in memory as a state is."""
    return min(MAX_BYTES, config.max_state_size)


def _large(origin: str, limit: int) -> PlanError:
    return PlanError(f"{origin}: has more than {limit:,} bytes; raise max_state_size, or make several plans")


def _file(file: Path, limit: int) -> bytes:
    if not file.is_file():
        raise PlanError(f"{file}: is no regular file")
    with file.open("rb") as opened:
        data = opened.read(limit + 1)
    if len(data) > limit:
        raise _large(str(file), limit)
    return data


def access(entry: Baseline, config: Config) -> Aws:
    """How AWS is reached for an entry."""
    options: dict[str, Any] = {name: entry.options[name] for name in _AWS if name in entry.options}
    return replace(config.aws, **options)


def _objects(entry: Baseline, config: Config) -> Iterator[Found]:
    bucket, _, prefix = entry.url.removeprefix("s3://").partition("/")
    reach, limit = access(entry, config), _limit(config)
    s3 = aws.client(reach, "s3", s3={"addressing_style": "path"} if reach.endpoint_url else {})
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for item in islice((item for page in pages for item in page.get("Contents", ())), _MAX_ENTRIES):
        key, size = item["Key"], item["Size"]
        if not key.endswith(".json") and key != prefix:
            continue
        origin, moment = f"s3://{bucket}/{key}", int(item["LastModified"].timestamp() * 1e9)

        def read(origin: str = origin, key: str = key, size: int = size) -> bytes:
            if size > limit:
                raise _large(origin, limit)
            data: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            return data

        yield Found(origin, f"{item['ETag']}-{moment}", moment, read)


def _assessments(entry: Baseline, config: Config) -> Iterator[Found]:
    given = {name: value for name, value in entry.options.items() if name not in _AWS}
    backend = backends.create({"url": entry.url, **given}, Context(config.aws, _limit(config)))
    if not isinstance(backend, Hcp):
        raise ConfigError("is not of HCP Terraform")
    for made in backend.assessments():

        def read(id: str = made.id) -> bytes:
            return backend.assessed(id)

        yield Found(made.origin, made.id, moment_of(made.created), read)


_LOOKS: Final = {"file": _files, "s3": _objects, "hcp": _assessments}
