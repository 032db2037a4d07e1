"""Modifications that AWS keeps for the next maintenance window: until then the resource is as it was.

The services that work so take ``applyImmediately``; without it, the response lists what waits.
"""

from collections.abc import Mapping
from typing import Any

from tfdrift_core.records.record import is_true

_INSTANCE = frozenset({
    "allocatedStorage", "caCertificateIdentifier", "dbInstanceClass", "dbPortNumber", "dbSubnetGroupName",
    "enableIAMDatabaseAuthentication", "engine", "engineVersion", "iops", "licenseModel", "multiAZ",
    "newDBInstanceIdentifier", "processorFeatures", "storageThroughput", "storageType", "useDefaultProcessorFeatures",
})  # fmt: skip
_CLUSTER = frozenset({
    "allocatedStorage", "dbInstanceClass", "enableIAMDatabaseAuthentication", "engineVersion", "iops",
    "newDBClusterIdentifier", "port", "storageType",
})  # fmt: skip
_CACHE = frozenset({
    "cacheNodeType", "engine", "engineVersion", "numCacheNodes", "transitEncryptionEnabled", "transitEncryptionMode",
})  # fmt: skip
_WAITING: Mapping[tuple[str, str], frozenset[str]] = {
    ("rds", "ModifyDBInstance"): _INSTANCE,
    ("rds", "ModifyDBCluster"): _CLUSTER,
    ("elasticache", "ModifyCacheCluster"): _CACHE,
    ("elasticache", "ModifyReplicationGroup"): _CACHE,
    ("dms", "ModifyReplicationInstance"): frozenset({
        "allocatedStorage", "engineVersion", "multiAZ", "networkType", "replicationInstanceClass",
    }),
}  # fmt: skip
"""Parameters that wait if the caller says so, by service and operation."""

_ALWAYS: Mapping[tuple[str, str], frozenset[str]] = {
    ("mq", "UpdateBroker"): frozenset({
        "authenticationStrategy", "configuration", "dataReplicationMode", "engineVersion", "hostInstanceType",
        "ldapServerMetadata", "logs", "securityGroups",
    }),
    ("redshift", "ModifyCluster"): frozenset({"clusterVersion", "maintenanceTrackName"}),
}  # fmt: skip
"""Parameters that wait whatever the caller says: for a reboot, or for the window."""

_NAMES: Mapping[str, str] = {
    "dbinstanceidentifier": "newDBInstanceIdentifier",
    "dbclusteridentifier": "newDBClusterIdentifier",
    "port": "dBPortNumber",
    "iamdatabaseauthenticationenabled": "enableIAMDatabaseAuthentication",
    "pendingcloudwatchlogsexports": "cloudwatchLogsExportConfiguration",
}
"""What waits, by the response's name in lower case, to the request's."""

_RESHAPED = frozenset({"cloudwatchLogsExportConfiguration"})


_IDENTITY = frozenset({"dbinstanceidentifier", "dbclusteridentifier", "cacheclusterid", "replicationgroupid"})


def of_now(service: str, operation: str, request: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """The request without what is to happen later."""
    call = service, operation
    if call not in _WAITING and call not in _ALWAYS:
        return dict(request)
    later = {name.lower() for name in _ALWAYS.get(call, ())}
    at_once = next((value for name, value in request.items() if name.lower() == "applyimmediately"), None)
    if call in _WAITING and is_true(at_once):
        return {**_asked_before(request, response), **request}
    if call in _WAITING:
        listed = _listed(response)
        later |= listed - _IDENTITY
        # Without an answer only the caller's word tells; ElastiCache's answer lists some of what waits.
        if at_once is not None and (not listed or service == "elasticache"):
            later |= {name.lower() for name in _WAITING[call]}
    return {name: value for name, value in request.items() if name.lower() not in later} if later else dict(request)


def _asked_before(request: Mapping[str, Any], response: Mapping[str, Any]) -> dict[str, Any]:
    """What earlier calls asked for and this one applies as well, by the request's names."""
    given = {name.lower() for name in request}
    pending = {_NAMES.get(name.lower(), name): value for name, value in _waiting(response).items()}
    # The logs to come are told in another shape than they are asked for.
    return {name: value for name, value in pending.items() if name.lower() not in given and name not in _RESHAPED}


def _listed(response: Mapping[str, Any]) -> set[str]:
    """What the response says waits, by the names of request and response."""
    names = [name.lower() for name in _waiting(response)]
    return {*names, *(_NAMES[name].lower() for name in names if name in _NAMES)}


def _waiting(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the response says waits; it may be wrapped in one object (DMS)."""
    (inner,) = response.values() if len(response) == 1 else (None,)
    waiting = response.get("pendingModifiedValues")
    if waiting is None and isinstance(inner, dict):
        waiting = inner.get("pendingModifiedValues")
    return waiting if isinstance(waiting, dict) else {}
