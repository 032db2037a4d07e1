"""Calls that change a policy by less than its document.

AddPermission and RemovePermission of SNS and SQS name one statement of a resource policy:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html.  SetDefaultPolicyVersion
of IAM names a version: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html.
"""

import json
from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.change.apply import Transform
from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.diff import PRIVATE
from tfdrift_core.drift.compare.schema import Block
from tfdrift_core.drift.compare.values import UNKNOWN, as_json, as_list
from tfdrift_core.terraform.model import Attributes


def _policy(attributes: Attributes) -> dict[str, Any] | None:
    """The policy to change, an empty one where there is none; ``None`` where it is not known."""
    text = attributes.get("policy")
    if not text:
        return {"Version": "2012-10-17", "Statement": []}
    document = as_json(text)
    return document if isinstance(document, dict) else None


def _statements(policy: Mapping[str, Any], without: Any) -> list[Any]:
    statements = as_list(policy.get("Statement"))
    return [entry for entry in statements if not (isinstance(entry, dict) and entry.get("Sid") == without)]


def _text(policy: Mapping[str, Any], statements: list[Any], *, keep: bool = False) -> str:
    """The policy with these statements; without any there is none, unless ``keep`` says so."""
    return json.dumps({**policy, "Statement": statements}, separators=(",", ":")) if statements or keep else ""


def _add(scope: Scope, attributes: Attributes, block: Block | None, options: Mapping[str, Any]) -> Mapping[str, Any]:
    policy, label = _policy(attributes), evaluate(options["label"], scope)
    if policy is None:
        return {"policy": UNKNOWN}
    resource = evaluate(options["resource"], scope)
    if not attributes.get("policy") and "id" in options:
        policy["Id"] = f"{resource}/{options['id']}"
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{a}:root" for a in as_list(evaluate(options["accounts"], scope))]},
        "Action": [f"{options['service']}:{action}" for action in as_list(evaluate(options["actions"], scope))],
        "Resource": resource,
    }
    return {"policy": _text(policy, [*_statements(policy, label), statement])}


def _remove(scope: Scope, attributes: Attributes, block: Block | None, options: Mapping[str, Any]) -> Mapping[str, Any]:
    policy = _policy(attributes)
    if policy is None:
        return {"policy": UNKNOWN}
    statements = _statements(policy, evaluate(options["label"], scope))
    if len(statements) == len(as_list(policy.get("Statement"))):
        return {}
    return {"policy": _text(policy, statements, keep=bool(options.get("keep")))}


_VERSIONS = f"{PRIVATE}policy_versions"


def _version_made(
    scope: Scope, attributes: Attributes, block: Block | None, options: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The policy after CreatePolicyVersion, and what its versions hold, as far as the calls seen tell.

    State does not say which version it describes.  It is the first for sure when the call makes the second.
    """
    document = evaluate(options["document"], scope) or UNKNOWN
    version = evaluate(options["version"], scope)
    known = dict(attributes.get(_VERSIONS) or {})
    if version == "v2" and not known:
        known["v1"] = scope.baseline.get("policy")
    known[version] = document
    return {_VERSIONS: known, **({"policy": document} if evaluate(options["default"], scope) else {})}


def _version_chosen(
    scope: Scope, attributes: Attributes, block: Block | None, options: Mapping[str, Any]
) -> Mapping[str, Any]:
    known = attributes.get(_VERSIONS) or {}
    return {"policy": known.get(evaluate(options["version"], scope), UNKNOWN)}


TRANSFORMS: Mapping[str, Transform] = {
    "policy_add_permission": _add,
    "policy_remove_permission": _remove,
    "policy_version_chosen": _version_chosen,
    "policy_version_made": _version_made,
}
