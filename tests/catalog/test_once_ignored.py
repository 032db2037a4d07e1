"""Calls that look like work on something and that change what the provider reads back all the same."""

from typing import Any

import pytest

from tests.drift.replayed import changes
from tfdrift_core.drift.change import catalog

GROUP = {
    "aws_autoscaling_group.g": {
        "id": "g",
        "name": "g",
        "desired_capacity": 2,
        "launch_template": [{"id": "lt-1", "version": "1"}],
    }
}
ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:m"
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any], dict[str, dict[str, Any]], list[tuple[str, str]]]] = [
    (
        "autoscaling",
        "ExecutePolicy",
        {"autoScalingGroupName": "g", "policyName": "p"},
        {},
        GROUP,
        [("aws_autoscaling_group.g", "desired_capacity")],
    ),
    (
        "autoscaling",
        "LaunchInstances",
        {"autoScalingGroupName": "g", "requestedCapacity": 3},
        {},
        GROUP,
        [("aws_autoscaling_group.g", "desired_capacity")],
    ),
    (
        "autoscaling",
        "StartInstanceRefresh",
        {"autoScalingGroupName": "g", "desiredConfiguration": {"launchTemplate": {"launchTemplateId": "lt-2"}}},
        {},
        GROUP,
        [("aws_autoscaling_group.g", "launch_template")],
    ),
    ("autoscaling", "StartInstanceRefresh", {"autoScalingGroupName": "g"}, {}, GROUP, []),
    (
        "ec2",
        "CreateReplaceRootVolumeTask",
        {"instanceId": "i-1"},
        {},
        {"aws_instance.i": {"id": "i-1", "root_block_device": [{"volume_id": "vol-1", "volume_size": 8}]}},
        [("aws_instance.i", "root_block_device[0].volume_id")],
    ),
    (
        "ec2",
        "ModifyTransitGatewayPeeringAttachment",
        {"transitGatewayAttachmentId": "tgw-attach-1", "options": {"multipathResilienceMode": "enable"}},
        {},
        {
            "aws_ec2_transit_gateway_peering_attachment.p": {
                "id": "tgw-attach-1",
                "options": [{"dynamic_routing": "disable"}],
            }
        },
        [("aws_ec2_transit_gateway_peering_attachment.p", "options")],
    ),
    (
        "rds",
        "FailoverDBCluster",
        {"dBClusterIdentifier": "C"},
        {},
        {"aws_rds_cluster_instance.a": {"id": "a", "cluster_identifier": "c", "writer": True}},
        [("aws_rds_cluster_instance.a", "writer")],
    ),
    (
        "rds",
        "ApplyPendingMaintenanceAction",
        {
            "resourceIdentifier": "arn:aws:rds:us-east-1:123456789012:db:d",
            "applyAction": "db-upgrade",
            "optInType": "immediate",
        },
        {},
        {
            "aws_db_instance.d": {
                "id": "d",
                "arn": "arn:aws:rds:us-east-1:123456789012:db:d",
                "engine_version_actual": "14.1",
            }
        },
        [("aws_db_instance.d", "engine_version_actual")],
    ),
    (
        "redshift",
        "ModifyClusterDbRevision",
        {"clusterIdentifier": "c", "revisionTarget": "2"},
        {},
        {"aws_redshift_cluster.c": {"id": "c", "cluster_identifier": "c", "cluster_revision_number": "1"}},
        [("aws_redshift_cluster.c", "cluster_revision_number")],
    ),
    (
        "elasticache",
        "FailoverGlobalReplicationGroup",
        {"globalReplicationGroupId": "g", "primaryReplicationGroupId": "b"},
        {},
        {
            "aws_elasticache_global_replication_group.g": {
                "id": "g",
                "global_replication_group_id": "g",
                "primary_replication_group_id": "a",
            }
        },
        [("aws_elasticache_global_replication_group.g", "primary_replication_group_id")],
    ),
    (
        "states",
        "PublishStateMachineVersion",
        {"stateMachineArn": ARN},
        {"stateMachineVersionArn": f"{ARN}:2"},
        {"aws_sfn_state_machine.m": {"id": ARN, "arn": ARN, "state_machine_version_arn": f"{ARN}:1"}},
        [("aws_sfn_state_machine.m", "state_machine_version_arn")],
    ),
    (
        "cloudfront",
        "PublishFunction",
        {"name": "f", "ifMatch": "E1"},
        {},
        {"aws_cloudfront_function.f": {"id": "f", "name": "f", "live_stage_etag": "E0"}},
        [("aws_cloudfront_function.f", "live_stage_etag")],
    ),
    (
        "ecs",
        "UpdateServicePrimaryTaskSet",
        {"cluster": "c", "service": "s", "primaryTaskSet": "ecs-svc/1"},
        {},
        {"aws_ecs_task_set.t": {"id": "ecs-svc/1", "arn": "ecs-svc/1", "status": "ACTIVE"}},
        [("aws_ecs_task_set.t", "status")],
    ),
    (
        "events",
        "DeauthorizeConnection",
        {"name": "n"},
        {},
        {
            "aws_cloudwatch_event_connection.n": {
                "id": "n",
                "name": "n",
                "auth_parameters": [{"basic": [{"username": "u"}]}],
            }
        },
        [("aws_cloudwatch_event_connection.n", "auth_parameters")],
    ),
]


@pytest.mark.parametrize(
    ("source", "name", "request_", "answer", "state", "drift"),
    CASES,
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_provider_reads_back_is_drift(
    source: str, name: str, request_: Any, answer: Any, state: Any, drift: list[tuple[str, str]]
) -> None:
    found = changes(source, state, (name, request_, answer))
    assert [change[:2] for change in found] == drift


def test_a_permission_is_gone_with_the_policy_of_its_function() -> None:
    state = {
        "aws_lambda_permission.p": {
            "id": "s",
            "statement_id": "s",
            "function_name": "f",
            "principal": "sns.amazonaws.com",
        }
    }
    request = {"resourceArn": "arn:aws:lambda:us-east-1:123456789012:function:f"}
    assert changes("lambda", state, ("DeleteResourcePolicy", request)) == [("aws_lambda_permission.p",)]


def test_every_reason_says_something() -> None:
    reasons = {event.ignored for event in catalog.load().events.values() if event.ignored}
    assert all(len(reason.split()) >= 2 or reason in ("Only asks",) for reason in reasons)
