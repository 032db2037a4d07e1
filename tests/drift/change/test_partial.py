"""Calls that failed in part: what the response lists as failed is taken out of the request."""

import functools
import re

import botocore.session
import pytest

from tfdrift_core.drift.change.partial import may_have_failed, without_failed

READS = re.compile(
    r"(Get|List|Describe|Head|Lookup|Search|Query|Scan|Batch(Get|Describe|Detect|Check|Lookup|Evaluate))"
)
FAILED = re.compile(
    r"(?i)(^|[a-z])(fail(ed|ures)|unsuccessful|unprocessed|errors$|errorentries|invalid(param|lab|ans|exec))"
)
"""The lists in botocore's models that tell of failures; asking with the product's own pattern would prove nothing."""

OTHERWISE = {
    "cloudwatch.PutManagedInsightRules": "names the resource of a rule by another member",
    "codecommit.TestRepositoryTriggers": "changes nothing",
    "connect.BatchAssociateAnalyticsDataSet": "does not say which",
    "connect.BatchDisassociateAnalyticsDataSet": "does not say which",
    "ec2.CreateFleet": "fails instance by instance, not template by template",
    "ecs.RunTask": "fails task by task",
    "glue.CreateIntegration": "of one thing",
    "iot.ValidateSecurityProfileBehaviors": "changes nothing",
    "iottwinmaker.BatchPutPropertyValues": "data",
    "lexv2-models.BatchCreateCustomVocabularyItem": "names what has no id yet",
    "rds.CreateIntegration": "of one thing",
    "redshift.CreateIntegration": "of one thing",
    "sagemaker-metrics.BatchPutMetrics": "data",
    "securitylake.CreateAwsLogSource": "names accounts inside an element",
    "securitylake.DeleteAwsLogSource": "names accounts inside an element",
    "wickr.BatchCreateUser": "names what has no id yet",
}


@functools.cache
def models():
    session = botocore.session.get_session()
    return [(name, session.get_service_model(name)) for name in session.get_available_services()]


def lower(name):
    return name[:1].lower() + name[1:]


def made(shape, mark, depth=0):
    """A value of a shape in which every text says ``mark``."""
    match shape.type_name:
        case "structure":
            members = shape.members.items() if depth < 8 else ()
            return {lower(name): made(member, mark, depth + 1) for name, member in members}
        case "list":
            return [made(shape.member, mark, depth + 1)] if depth < 8 else []
        case "map":
            return {mark: made(shape.value, mark, depth + 1)}
        case "string":
            return mark
        case "integer" | "long" | "float" | "double":
            return {"one": 1, "two": 2}[mark]
        case "boolean":
            return True
    return mark


def calls():
    """Calls with a list of failures in their answer and a list or map in their request."""
    for service, model in models():
        for name in model.operation_names:
            if READS.match(name):
                continue
            operation = model.operation_model(name)
            for member, shape in (operation.output_shape.members if operation.output_shape else {}).items():
                if FAILED.search(member) and shape.type_name in ("list", "map"):
                    request = asked(operation.input_shape)
                    if any(isinstance(value, list) for value in request.values()):
                        failed = made(shape, "one")
                        yield f"{service}.{name}", request, {lower(member): failed}


def asked(shape):
    """A request for two things, of which every list and map has both."""
    request = {}
    for name, member in shape.members.items():
        if member.type_name == "list":
            request[lower(name)] = [made(member.member, mark, 1) for mark in ("one", "two")]
        elif member.type_name == "map":
            request[lower(name)] = {mark: made(member.value, mark, 1) for mark in ("one", "two")}
        else:
            request[lower(name)] = made(member, "two")
    return request


def second(value):
    return value[1:] if isinstance(value, list) else {key: member for key, member in value.items() if key == "two"}


def test_of_every_call_that_lists_failures_what_failed_is_not_asked_for():
    wrong, seen = [], 0
    for name, request, response in calls():
        assert may_have_failed(response), name
        kept = without_failed(request, response)
        lost = [member for member, value in request.items() if kept.get(member) != value]
        if name in OTHERWISE:
            continue
        seen += 1
        if not lost or any(kept.get(member) != second(request[member]) for member in lost):
            wrong.append((name, lost))
    assert wrong == []
    assert seen > 250


@pytest.mark.parametrize(
    ("request_", "response", "kept"),
    [
        # Nothing failed, though the answer has a place for it.
        ({"ids": ["a"]}, {"failedEntries": [], "failedEntryCount": 0}, {"ids": ["a"]}),
        ({"ids": ["a"]}, {"unsuccessful": ""}, {"ids": ["a"]}),
        ({"ids": ["a"]}, {"errors": {}}, {"ids": ["a"]}),
        # One of several; what merely shares the name stays.
        (
            {"rule": "a", "ids": ["a", "b"]},
            {"failedEntries": [{"targetId": "a", "errorCode": "X"}]},
            {"rule": "a", "ids": ["b"]},
        ),
        (
            {"targets": [{"id": "a", "arn": "x"}, {"id": "b", "arn": "a"}]},
            {"failedEntries": [{"targetId": "a", "errorMessage": "b"}]},
            {"targets": [{"id": "b", "arn": "a"}]},
        ),
        # A list of one as its bare element.
        ({"flowLogId": "fl-1"}, {"unsuccessful": [{"resourceId": "fl-1", "error": {"code": "X"}}]}, {}),
        (
            {"specification": {"instanceId": "i-1", "cpuCredits": "unlimited"}},
            {"unsuccessfulInstanceCreditSpecificationSet": [{"instanceId": "i-1", "error": {"code": "X"}}]},
            {},
        ),
        # Names alone, keys of a map, batches, echoes, counts.
        ({"names": ["/a", "/b"]}, {"invalidParameters": ["/a"], "deletedParameters": ["/b"]}, {"names": ["/b"]}),
        (
            {"arns": ["a", "b"], "tags": {"a": "x"}},
            {"failedResourcesMap": {"b": {}}},
            {"arns": ["a"], "tags": {"a": "x"}},
        ),
        (
            {"exceptions": [{"resourceId": "a"}, {"resourceId": "b"}]},
            {"failedBatches": [{"failureMessage": "x", "failedItems": [{"resourceId": "b", "message": "m"}]}]},
            {"exceptions": [{"resourceId": "a"}]},
        ),
        (
            {"entries": [{"id": "1", "principal": {"x": "p"}}, {"id": "2", "principal": {"x": "p"}}]},
            {"failures": [{"requestEntry": {"id": "2", "principal": {"x": "p"}}, "error": {"errorCode": "X"}}]},
            {"entries": [{"id": "1", "principal": {"x": "p"}}]},
        ),
        ({"ids": ["a", "b"], "rule": "r"}, {"failedEntryCount": 2}, {}),
        ({"ids": ["a", "b"]}, {"failedEntryCount": 1}, {"ids": ["a", "b"]}),
        (
            {"launchTemplateId": "lt-1", "versions": ["1", "2"]},
            {"unsuccessfullyDeletedLaunchTemplateVersionSet": [{"launchTemplateId": "lt-1", "versionNumber": 2}]},
            {"launchTemplateId": "lt-1", "versions": ["1"]},
        ),
        # Of a resource, not of the call.
        ({"identifier": "a"}, {"failoverState": {"status": "a"}, "failureReason": "a"}, {"identifier": "a"}),
    ],
)
def test_the_forms(request_, response, kept):
    assert without_failed(request_, response) == kept
