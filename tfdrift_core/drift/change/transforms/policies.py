"""Calls that change a policy by less than its document.

AddPermission and RemovePermission of SNS and SQS name one statement of a resource policy:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html.  SetDefaultPolicyVersion
of IAM names a version: https://docs.aws.amazon.com/IAM/latest/APIReference/API_SetDefaultPolicyVersion.html.
"""

import json
from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.change.expression import evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.change.transforms.base import Expression, Transform, with_options
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


@with_options
class PolicyAddPermission(Transform):
    """The policy with one more statement, which allows accounts actions."""

    name = "policy_add_permission"

    label: Expression
    """The name of the statement."""
    accounts: Expression
    """The accounts that are allowed."""
    actions: Expression
    """What they are allowed, without the service."""
    resource: Expression
    """The ARN that they are allowed it on."""
    service: str
    """The service that the actions are of, as a policy writes it."""
    id: str = ""
    """The id of a policy that the call makes, below the ARN."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        policy, label = _policy(attributes), evaluate(self.label, scope)
        if policy is None:
            return {"policy": UNKNOWN}
        resource = evaluate(self.resource, scope)
        if not attributes.get("policy") and self.id:
            policy["Id"] = f"{resource}/{self.id}"
        statement = {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{a}:root" for a in as_list(evaluate(self.accounts, scope))]},
            "Action": [f"{self.service}:{action}" for action in as_list(evaluate(self.actions, scope))],
            "Resource": resource,
        }
        return {"policy": _text(policy, [*_statements(policy, label), statement])}


@with_options
class PolicyRemovePermission(Transform):
    """The policy without one of its statements."""

    name = "policy_remove_permission"

    label: Expression
    """The name of the statement."""
    keep: bool = False
    """A policy without any statement stays; else there is none then."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        policy = _policy(attributes)
        if policy is None:
            return {"policy": UNKNOWN}
        statements = _statements(policy, evaluate(self.label, scope))
        if len(statements) == len(as_list(policy.get("Statement"))):
            return {}
        return {"policy": _text(policy, statements, keep=self.keep)}


_VERSIONS = f"{PRIVATE}policy_versions"


@with_options
class PolicyVersionMade(Transform):
    """The policy after CreatePolicyVersion, and what its versions hold, as far as the calls seen tell.

    State does not say which version it describes.  It is the first for sure when the call makes the second.
    """

    name = "policy_version_made"

    document: Expression
    """The policy of the new version."""
    version: Expression
    """The new version."""
    default: Expression
    """Whether it is the one in force."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        document = evaluate(self.document, scope) or UNKNOWN
        version = evaluate(self.version, scope)
        known = dict(attributes.get(_VERSIONS) or {})
        if version == "v2" and not known:
            known["v1"] = scope.baseline.get("policy")
        known[version] = document
        return {_VERSIONS: known, **({"policy": document} if evaluate(self.default, scope) else {})}


@with_options
class PolicyVersionChosen(Transform):
    """The policy after SetDefaultPolicyVersion, where the calls seen tell what the version holds."""

    name = "policy_version_chosen"

    version: Expression
    """The version that is in force."""

    def __call__(self, scope: Scope, attributes: Attributes, block: Block | None) -> Mapping[str, Any]:
        known = attributes.get(_VERSIONS) or {}
        return {"policy": known.get(evaluate(self.version, scope), UNKNOWN)}
