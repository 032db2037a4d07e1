"""What Terraform's provider makes of a value when it reads it back, where that is not the value itself."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tfdrift_core.drift.compare.values import UNKNOWN
from tfdrift_core.terraform.model import Attributes

_Read = Callable[[Attributes, str], Mapping[str, Any]]
"""From the attributes before and the version that a call set to the attributes that the provider then has."""


def as_read(type: str, before: Attributes, after: dict[str, Any]) -> dict[str, Any]:
    """The attributes after a call as the provider reads them."""
    read, version = _VERSIONS.get(type), after.get("engine_version")
    if read is None or version == before.get("engine_version") or not isinstance(version, str) or version == UNKNOWN:
        return after
    if "engine_version_actual" not in before:
        return after
    return {**after, **read(before, version)}


def _database(before: Attributes, version: str) -> Mapping[str, Any]:
    """A version that the one in state begins stays in state as it is; what runs is told beside it."""
    held, actual = str(before.get("engine_version") or ""), str(before.get("engine_version_actual") or "")
    if actual == version or actual.startswith(f"{version}."):
        return {
            "engine_version": before.get("engine_version"),
            "engine_version_actual": before["engine_version_actual"],
        }
    if version.startswith(f"{held}."):
        return {"engine_version": held, "engine_version_actual": version}
    if "." not in version:
        # Of a major version alone AWS chooses the minor one.
        return {"engine_version": UNKNOWN, "engine_version_actual": UNKNOWN}
    return {"engine_version": version, "engine_version_actual": version}


def _cache(before: Attributes, version: str) -> Mapping[str, Any]:
    """Since Redis 6 the provider keeps two numbers, or one where state has it so; the third is AWS's own choice."""
    numbers = re.match(r"(\d+)\.(\d+|x)", version)
    if before.get("engine") == "memcached" or numbers is None or int(numbers[1]) < 6:
        return {"engine_version": version, "engine_version_actual": version}
    short = f"{numbers[1]}.x" if re.match(r"[6-9]\.x", str(before.get("engine_version"))) else numbers[0]
    actual = version if re.fullmatch(r"\d+\.\d+\.\d+", version) else UNKNOWN
    known = str(before.get("engine_version_actual") or "")
    if known.startswith(f"{version.removesuffix('.x')}."):
        actual = known
    return {"engine_version": short, "engine_version_actual": actual}


_VERSIONS: Mapping[str, _Read] = {
    "aws_db_instance": _database,
    "aws_rds_cluster": _database,
    "aws_rds_cluster_instance": _database,
    "aws_elasticache_cluster": _cache,
    "aws_elasticache_replication_group": _cache,
}
