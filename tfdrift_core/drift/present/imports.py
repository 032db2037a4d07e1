"""How a resource that was made outside Terraform is taken over: its name for ``terraform import``, and a block."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from tfdrift_core.drift.event import Resource
from tfdrift_core.terraform.index import key_text
from tfdrift_core.terraform.model import Attributes

IMPORT_IDS: Mapping[str, str] = {
    "aws_api_gateway_stage": "{restApiId}/{stageName}",
    "aws_appautoscaling_target": "{serviceNamespace}/{resourceId}/{scalableDimension}",
    "aws_autoscaling_policy": "{autoScalingGroupName}/{policyName}",
    "aws_cloudwatch_event_target": "{eventBusName}/{rule}/{id}",
    "aws_cloudwatch_log_metric_filter": "{logGroupName}:{filterName}",
    "aws_cloudwatch_log_subscription_filter": "{logGroupName}|{filterName}",
    "aws_ecs_service": "{cluster}/{serviceName}",
    "aws_eks_node_group": "{clusterName}:{nodegroupName}",
    "aws_iam_group_policy": "{groupName}:{policyName}",
    "aws_iam_group_policy_attachment": "{groupName}/{policyArn}",
    "aws_iam_policy": "{arn}",
    "aws_iam_role_policy": "{roleName}:{policyName}",
    "aws_iam_role_policy_attachment": "{roleName}/{policyArn}",
    "aws_iam_user_group_membership": "{userName}/{groupName}",
    "aws_iam_user_policy": "{userName}:{policyName}",
    "aws_iam_user_policy_attachment": "{userName}/{policyArn}",
    "aws_kms_alias": "{aliasName}",
    "aws_lambda_alias": "{functionName}/{name}",
    "aws_lambda_permission": "{functionName}/{statementId}",
    "aws_lb": "{arn}",
    "aws_lb_listener": "{arn}",
    "aws_lb_target_group": "{arn}",
    "aws_route": "{routeTableId}_{destinationCidrBlock}",
    "aws_route_table_association": "{subnetId}/{routeTableId}",
    "aws_secretsmanager_secret": "{arn}",
    "aws_sfn_state_machine": "{arn}",
    "aws_sns_topic": "{arn}",
    "aws_sns_topic_subscription": "{arn}",
    "aws_volume_attachment": "{device}:{volumeId}:{instanceId}",
}
"""Templates of what a record's request says, where it says more than the attributes: braces name request parameters, or
``id``, ``arn`` and ``name`` of the resource.  The "Import" section of the resource's page in the provider's
documentation is the source, as it is of ``catalog/imports.txt``, whose templates name attributes.
"""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@cache
def templates() -> Mapping[str, str]:
    """Templates of attributes by resource type; ``tools/imports`` makes them."""
    text = resources.files("tfdrift_core.catalog").joinpath("imports.txt").read_text(encoding="utf-8")
    return dict(line.split("\t") for line in text.splitlines())


@dataclass(frozen=True, slots=True)
class Import:
    """How a resource is taken over: by its import id, and by its identity; both are empty where they are not sure."""

    id: str = ""
    identity: tuple[tuple[str, str], ...] = ()


def import_of(
    resource: Resource, request: Mapping[str, Any], attributes: Attributes, members: Sequence[str] = ()
) -> Import:
    """``attributes`` are those that are known from the call that made it, ``members`` those of the type's identity."""
    known = _known(resource, attributes) | {"account_id": resource.account}
    # An identity says all of it, or names another resource.
    identity = tuple((name, known.get(name, "")) for name in members)
    return Import(import_id(resource, request, attributes), identity if all(value for _, value in identity) else ())


def import_id(resource: Resource, request: Mapping[str, Any], attributes: Attributes) -> str:
    """What ``terraform import`` calls a resource, "" where that is not sure."""
    own = {"id": resource.id, "arn": resource.arn, "name": resource.name}
    template = IMPORT_IDS.get(resource.type)
    if template is not None and (found := _filled(template, {**_texts(own), **_texts(request)})):
        return found
    template = templates().get(resource.type, "")
    known = _known(resource, attributes)
    names = _PLACEHOLDER.findall(template)
    if len(names) == 1 and template == f"{{{names[0]}}}":
        # The provider's id is just that attribute.
        known.setdefault(names[0], resource.arn if names[0].endswith("arn") else resource.id)
    if any(name.endswith("arn") and not known.get(name, "").startswith("arn:") for name in names):
        return ""
    return _filled(template, known)


def _known(resource: Resource, attributes: Attributes) -> dict[str, str]:
    """What is known of a resource by the names of attributes."""
    # What has no catalog of its own is in that of the account.
    scope = dict.fromkeys(("account_id", "aws_account_id", "catalog_id"), resource.account) | {
        "region": resource.region
    }
    own = {"id": resource.id, "arn": resource.arn, "name": resource.name}
    return {**_texts(scope), **_texts(own), **_texts(attributes)}


def address_of(resource: Resource) -> str:
    """An address for a resource that has none, by its name or id."""
    name = re.sub(r"\W+", "_", resource.name or resource.id.rpartition("/")[2], flags=re.ASCII).strip("_").lower()
    return f"{resource.type}.{name if name[:1].isalpha() else f'imported_{name}'}"


def block(resource: Resource, taken: Import) -> str:
    """An ``import`` block, "" where nothing is sure.

    That with an id is for Terraform 1.5 and OpenTofu 1.5 and newer, that with an identity for Terraform 1.12 and newer.
    """
    if taken.identity:
        members = "".join(f"\n    {name} = {key_text(value)}" for name, value in taken.identity)
        what = f"identity = {{{members}\n  }}"
    elif taken.id:
        what = f"id = {key_text(taken.id)}"
    else:
        return ""
    return f"import {{\n  to = {address_of(resource)}\n  {what}\n}}"


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    plain = {
        name: value for name, value in values.items() if isinstance(value, (str, int)) and not isinstance(value, bool)
    }
    return {name: str(value) for name, value in plain.items() if value != ""}


def _filled(template: str, values: Mapping[str, str]) -> str:
    """``template`` with its placeholders filled, "" where one of them has no value."""
    found = {name: values.get(name, "") for name in _PLACEHOLDER.findall(template)}
    return _PLACEHOLDER.sub(lambda match: found[match[1]], template) if all(found.values()) else ""
