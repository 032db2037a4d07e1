"""AddPermission and RemovePermission of SNS and SQS: one statement of a resource policy.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html
"""

import json
from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.change import Transform
from tfdrift_core.drift.expression import Scope, evaluate
from tfdrift_core.drift.schema import Block
from tfdrift_core.drift.values import UNKNOWN, as_json, as_list
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


def _text(policy: Mapping[str, Any], statements: list[Any]) -> str:
    return json.dumps({**policy, "Statement": statements}, separators=(",", ":")) if statements else ""


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
    return {"policy": _text(policy, _statements(policy, evaluate(options["label"], scope)))}


TRANSFORMS: Mapping[str, Transform] = {"policy_add_permission": _add, "policy_remove_permission": _remove}
