"""What to do about a drift: the commands that undo it, or the place to change if it should stay."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.drift.present.imports import address_of
from tfdrift_core.text import one_line

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
    how = " and import it"
    if event.import_id:
        how = f", then {_tool(event)} import {_quote(address_of(resource))} {_quote(event.import_id)}"
    return f"Keep: declare it{how}. Undo: delete {one_line(resource.id)}."


def _terraform(event: DriftEvent, command: str) -> str:
    workspace = event.resource.workspace
    select = f"TF_WORKSPACE={_quote(workspace)} " if workspace not in ("", "default") else ""
    return f"{select}{_tool(event)} {command}"


def _tool(event: DriftEvent) -> str:
    """The program that writes the state, by the name of its command."""
    return event.resource.tool or "terraform"


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
