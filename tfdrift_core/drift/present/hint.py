"""What to do about a drift: the commands that undo it, or the place to change if it should stay."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.text import one_line

# How ``terraform import`` names a resource where that is not the plain id: the "Import" section of the resource's page
# in the provider's documentation.  Braces name request parameters, or ``id``, ``arn`` and ``name`` of the resource.
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

# Calls that add something beside what Terraform manages: a plan may not show it, so an apply would not take it away.
INVERSE: Mapping[str, str] = {
    "AttachGroupPolicy": "aws iam detach-group-policy --group-name {groupName} --policy-arn {policyArn}",
    "AttachRolePolicy": "aws iam detach-role-policy --role-name {roleName} --policy-arn {policyArn}",
    "AttachUserPolicy": "aws iam detach-user-policy --user-name {userName} --policy-arn {policyArn}",
    "AuthorizeSecurityGroupEgress": "aws ec2 revoke-security-group-egress --group-id {groupId}"
    " --security-group-rule-ids {securityGroupRuleId}",
    "AuthorizeSecurityGroupIngress": "aws ec2 revoke-security-group-ingress --group-id {groupId}"
    " --security-group-rule-ids {securityGroupRuleId}",
    "PutGroupPolicy": "aws iam delete-group-policy --group-name {groupName} --policy-name {policyName}",
    "PutRolePolicy": "aws iam delete-role-policy --role-name {roleName} --policy-name {policyName}",
    "PutUserPolicy": "aws iam delete-user-policy --user-name {userName} --policy-name {policyName}",
}

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def hint(event: DriftEvent) -> str:
    """One line with the commands for this event, safe to paste into a shell; "" where there is nothing to say."""
    match event.kind:
        case Kind.MODIFIED:
            return _modified(event)
        case Kind.DELETED:
            return _deleted(event)
        case Kind.UNMANAGED:
            return _unmanaged(event)
    return ""


def _modified(event: DriftEvent) -> str:
    undo = _terraform(event, f"apply -target={_quote(event.resource.address)}")
    inverse = _fill(INVERSE.get(event.record.operation, ""), event, _quote)
    beside = f" (where the plan shows nothing: {inverse})" if inverse else ""
    what = f"set {one_line(event.path or event.attribute)}" if event.path or event.attribute else "change it"
    return f"Undo: {undo}{beside}. Keep: {what} {_place(event)}."


def _deleted(event: DriftEvent) -> str:
    address = _quote(event.resource.address)
    again = _terraform(event, f"apply -target={address}")
    forget = _terraform(event, f"state rm {address}")
    return f"Undo: {again}. Keep: remove it {_place(event)}, then {forget}."


def _unmanaged(event: DriftEvent) -> str:
    resource = event.resource
    if not resource.type or not resource.id:
        return ""
    name = re.sub(r"\W+", "_", resource.name or resource.id.rpartition("/")[2], flags=re.ASCII).strip("_").lower()
    if not name[:1].isalpha():
        name = f"imported_{name}"
    identifier = _fill(IMPORT_IDS.get(resource.type, ""), event) or resource.id
    command = f"terraform import {_quote(f'{resource.type}.{name}')} {_quote(identifier)}"
    return f"Keep: declare it, then {command}. Undo: delete {one_line(resource.id)}."


def _terraform(event: DriftEvent, command: str) -> str:
    workspace = event.resource.workspace
    select = f"TF_WORKSPACE={_quote(workspace)} " if workspace not in ("", "default") else ""
    return f"{select}terraform {command}"


def _place(event: DriftEvent) -> str:
    resource = event.resource
    if not resource.file:
        return f"in the configuration of {one_line(resource.address)}"
    return f"in {one_line(resource.file)}:{resource.line}" if resource.line else f"in {one_line(resource.file)}"


def _fill(template: str, event: DriftEvent, quote: Any = str) -> str:
    """``template`` with its placeholders filled, "" where one of them has no value."""
    resource, request = event.resource, event.record.request
    own = {"id": resource.id, "arn": resource.arn, "name": resource.name}
    rules = _rule_ids(event) if "{securityGroupRuleId}" in template else ()

    def value(name: str) -> str:
        if name == "securityGroupRuleId":
            return " ".join(map(quote, rules))
        found = request.get(name) or own.get(name)
        return quote(found) if isinstance(found, str) and found else ""

    values = {name: value(name) for name in _PLACEHOLDER.findall(template)}
    return _PLACEHOLDER.sub(lambda m: values[m[1]], template) if all(values.values()) else ""


def _rule_ids(event: DriftEvent) -> tuple[str, ...]:
    rules = event.record.response.get("securityGroupRuleSet")
    items = rules.get("items") if isinstance(rules, dict) else None
    ids = (
        [item.get("securityGroupRuleId") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    )
    return tuple(id for id in ids if isinstance(id, str))


def _quote(text: str) -> str:
    return shlex.quote(one_line(text))
