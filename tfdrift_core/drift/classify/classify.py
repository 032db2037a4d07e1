"""Whether a record is a change at all, and whether it was expected.

Two steps, because an expected-change rule may ask for the resource, the attribute or a tag, which only the diff knows:
``classify`` judges the record, ``expected_change`` one drifted attribute.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from tfdrift_core import yaml_data
from tfdrift_core.drift.classify.expectations import Change, Expectations
from tfdrift_core.drift.classify.globs import Globs
from tfdrift_core.drift.classify.identity import Identity, identify
from tfdrift_core.records.record import Record, is_true, remembered


class Outcome(StrEnum):
    NOT_A_CHANGE = "not_a_change"
    EXPECTED = "expected"
    CHANGE = "change"


class Cause(StrEnum):
    """Why a record is no drift: few and fixed, fit for a metric's label."""

    NONE = ""
    READ_ONLY = "read_only"
    FAILED = "failed"
    DRY_RUN = "dry_run"
    NO_EFFECT = "no_effect"
    TERRAFORM = "terraform"
    AUTO_SCALING = "auto_scaling"
    AWS_SERVICE = "aws_service"
    RULE = "rule"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one record.  ``reason`` is for people; on a change it is "" or says what made it suspicious."""

    outcome: Outcome
    cause: Cause = Cause.NONE
    reason: str = ""


_CHANGE = Verdict(Outcome.CHANGE)


def classify(record: Record, expectations: Expectations, identity: Identity | None = None) -> Verdict:
    """Judge a record by itself; pass ``identity`` where it is known already.

    Rules that ask for the resource, an attribute or a tag are left to ``expected_change``.
    """
    nothing = _not_a_change(record)
    if nothing:
        return nothing
    tool = tool_of(record.user_agent, expectations)
    if tool and expectations.terraform and expectations.terraform_identities is None:
        # Most changes of a trail are Terraform's: who it ran as is worth finding out only where it decides.
        return _by_terraform(tool)
    who = identify(record) if identity is None else identity
    if tool and expectations.terraform and _trusted(who, expectations):
        return _by_terraform(tool)
    aws = _aws_itself(record, who)
    if aws and (expectations.auto_scaling if aws.cause is Cause.AUTO_SCALING else expectations.aws_services):
        return aws
    for rule in expectations.rules:
        if not rule.needs_change and rule.fits_record(record, who):
            return Verdict(Outcome.EXPECTED, Cause.RULE, rule.reason)
    if tool and expectations.terraform:
        caller = who.user[:128] or "the caller"
        return Verdict(
            Outcome.CHANGE, reason=f"the user agent says {tool}, but {caller} is not in expected.terraform.identities"
        )
    return _CHANGE


def expected_change(
    record: Record, change: Change, expectations: Expectations, identity: Identity | None = None
) -> str:
    """The reason of the first rule that expects this drifted attribute, or ""."""
    rules = [rule for rule in expectations.rules if rule.needs_change]
    if not rules:
        return ""
    who = identify(record) if identity is None else identity
    for rule in rules:
        if rule.fits_change(change) and rule.fits_record(record, who):
            return rule.reason
    return ""


def _not_a_change(record: Record) -> Verdict | None:
    data = _data()
    raw = record.raw
    if is_true(raw.get("readOnly")) or _reads(record.event_name):
        return Verdict(Outcome.NOT_A_CHANGE, Cause.READ_ONLY, "only reads")
    if code := raw.get("errorCode"):
        dry = isinstance(code, str) and code.endswith("DryRunOperation")
        return Verdict(Outcome.NOT_A_CHANGE, Cause.DRY_RUN if dry else Cause.FAILED, f"failed: {code!s:.64}")
    if _rehearsal(record.request, data.dry_run):
        return Verdict(Outcome.NOT_A_CHANGE, Cause.DRY_RUN, "a dry run")
    if raw.get("eventType") in data.no_change_types or _changes_nothing(_event(record)):
        return Verdict(Outcome.NOT_A_CHANGE, Cause.NO_EFFECT, f"{record.operation:.64} changes no resource")
    if _nothing_revoked(record):
        return Verdict(Outcome.NOT_A_CHANGE, Cause.NO_EFFECT, "none of the rules to revoke existed")
    return None


@remembered
def _reads(event_name: str) -> bool:
    return _data().read_only.search(event_name) is not None


@remembered
def _changes_nothing(event: str) -> bool:
    return _data().no_change_events.match(event)


def _rehearsal(request: Mapping[str, Any], names: frozenset[str]) -> bool:
    if len(request) != 1 and names.isdisjoint(request):
        return False
    # The newer EC2 encoding wraps the parameters in one object named after the call.
    wrapped = [value for value in request.values() if isinstance(value, dict)] if len(request) == 1 else []
    return any(is_true(level[name]) for level in (request, *wrapped) for name in names & level.keys())


def _nothing_revoked(record: Record) -> bool:
    """EC2 answers a revoke of unknown rules in a default VPC with success and a list of them.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupIngress.html
    """
    if record.operation not in ("RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"):
        return False
    unknown = _elements(record.response.get("unknownIpPermissionSet"))
    asked = _elements(record.request.get("ipPermissions"))
    return len(unknown) >= max(1, len(asked)) and not _elements(record.response.get("revokedSecurityGroupRuleSet"))


def _elements(value: object) -> Sequence[Any]:
    items = value.get("items") if isinstance(value, dict) else value
    return items if isinstance(items, list) else ()


def tool_of(agent: str, expectations: Expectations) -> str:
    """The Terraform or OpenTofu that a user agent claims to be, "" for any other program."""
    if tool := _known_tool(agent):
        return tool
    if expectations.terraform_agents and expectations.terraform_agents.match(agent):
        return agent.partition(" ")[0][:64]
    return ""


@remembered
def _known_tool(agent: str) -> str:
    if _data().tools_of_their_own.search(agent):
        return ""
    for name, pattern in _data().tools:
        if found := pattern.search(agent):
            version = found["version"]
            return f"{name} {version}" if version else name
    return ""


@remembered
def _by_terraform(tool: str) -> Verdict:
    return Verdict(Outcome.EXPECTED, Cause.TERRAFORM, f"made by {tool}")


def _trusted(who: Identity, expectations: Expectations) -> bool:
    return expectations.terraform_identities is None or who.matches(expectations.terraform_identities)


def _aws_itself(record: Record, who: Identity) -> Verdict | None:
    data = _data()
    service = _acting_service(record, who)
    if not service:
        caller = who.invoked_by
        if _is_service(caller) and not data.for_a_person.match(caller) and data.in_passing.match(_event(record)):
            return Verdict(Outcome.EXPECTED, Cause.AWS_SERVICE, f"made in passing by {caller:.64}")
        return None
    if data.for_a_person.match(service):
        return None
    if data.auto_scaling.match(service):
        return Verdict(Outcome.EXPECTED, Cause.AUTO_SCALING, f"made by {service:.64}")
    return Verdict(Outcome.EXPECTED, Cause.AWS_SERVICE, f"made by {service:.64}")


def _acting_service(record: Record, who: Identity) -> str:
    """The AWS service that acted on its own account, "" where somebody stands behind the call."""
    if who.service_role:
        return who.service_role
    anonymous = not (who.arn or who.access_key or who.role or who.session or who.on_behalf_of or who.source_identity)
    if anonymous and (
        who.type == "AWSService"
        or record.raw.get("eventType") == "AwsServiceEvent"
        or (who.invoked_by and not who.type)
    ):
        return who.invoked_by if _is_service(who.invoked_by) else record.event_source
    # Before service-linked roles Auto Scaling worked as the account itself; such records have no access key.
    if who.type == "Root" and not who.access_key and _data().auto_scaling.match(who.invoked_by):
        return who.invoked_by
    if who.role and not (who.permission_set or who.console or who.mfa or who.source_identity or who.on_behalf_of):
        for service, session in _data().sessions:
            if who.invoked_by == service and session.search(who.session):
                return service
    return ""


def _is_service(name: str) -> bool:
    return name.endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _event(record: Record) -> str:
    return f"{record.service}:{record.operation}".lower()


@dataclass(frozen=True, slots=True)
class _Data:
    read_only: re.Pattern[str]
    no_change_types: frozenset[str]
    no_change_events: Globs
    dry_run: frozenset[str]
    tools: tuple[tuple[str, re.Pattern[str]], ...]
    tools_of_their_own: re.Pattern[str]
    for_a_person: Globs
    auto_scaling: Globs
    sessions: tuple[tuple[str, re.Pattern[str]], ...]
    in_passing: Globs


@cache
def _data() -> _Data:
    raw = yaml_data.resource("tfdrift_core.drift.classify", "expected.yaml")
    aws = raw["aws"]
    return _Data(
        read_only=re.compile(raw["read_only"]),
        no_change_types=frozenset(raw["no_change_types"]),
        no_change_events=Globs.of(name.lower() for name in raw["no_change_events"]),
        dry_run=frozenset(raw["dry_run"]),
        tools=tuple((tool["name"], re.compile(tool["agent"])) for tool in raw["tools"]),
        tools_of_their_own=re.compile(raw["tools_of_their_own"]),
        for_a_person=Globs.of(aws["for_a_person"]),
        auto_scaling=Globs.of(aws["auto_scaling"]),
        sessions=tuple((entry["service"], re.compile(entry["session"])) for entry in aws["sessions"]),
        in_passing=Globs.of(name.lower() for name in aws["in_passing"]),
    )
