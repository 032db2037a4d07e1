"""What Route 53 calls change; a record set is put as a whole and known by name, type and set identifier."""

from typing import Any

import pytest

from tests.drift.replayed import Call, Change, changes

WEIGHTED = {"type": "CNAME", "zone_id": "Z", "fqdn": "app.example.com", "name": "app", "ttl": 60}
RESOURCES: dict[str, dict[str, Any]] = {
    "aws_route53_zone.z": {"id": "Z", "zone_id": "Z", "name": "example.com", "comment": "c", "vpc": []},
    "aws_route53_zone.private": {
        "id": "P",
        "zone_id": "P",
        "name": "internal",
        "vpc": [{"vpc_id": "vpc-1", "vpc_region": "us-east-1"}],
        "tags": {"Name": "p"},
        "tags_all": {"Name": "p"},
    },
    "aws_route53_record.www": {
        "id": "Z_www.example.com_A",
        "zone_id": "Z",
        "name": "www",
        "fqdn": "www.example.com",
        "type": "A",
        "ttl": 300,
        "records": ["192.0.2.1"],
        "set_identifier": "",
        "alias": [],
    },
    "aws_route53_record.txt": {
        "id": "Z_*.example.com_TXT",
        "zone_id": "Z",
        "name": "*.example.com",
        "fqdn": "*.example.com",
        "type": "TXT",
        "ttl": 5,
        "records": ["v=spf1", 'a" "b'],
    },
    "aws_route53_record.alias": {
        "id": "Z_alias.example.com_A",
        "zone_id": "Z",
        "name": "alias",
        "fqdn": "alias.example.com",
        "type": "A",
        "alias": [{"evaluate_target_health": False, "name": "lb.amazonaws.com", "zone_id": "ZLB"}],
        "records": [],
        "ttl": 0,
    },
    "aws_route53_record.blue": {
        **WEIGHTED,
        "id": "blue",
        "set_identifier": "blue",
        "records": ["blue.net"],
        "weighted_routing_policy": [{"weight": 90}],
    },
    "aws_route53_record.green": {
        **WEIGHTED,
        "id": "green",
        "set_identifier": "green",
        "records": ["green.net"],
        "weighted_routing_policy": [{"weight": 10}],
    },
    "aws_route53_health_check.h": {
        "id": "h",
        "fqdn": "a",
        "resource_path": "/",
        "failure_threshold": 3,
        "regions": ["us-east-1", "us-west-1", "eu-west-1"],
    },
    "aws_route53_hosted_zone_dnssec.d": {"id": "Z", "hosted_zone_id": "Z", "signing_status": "SIGNING"},
    "aws_route53_key_signing_key.k": {"id": "Z,k", "hosted_zone_id": "Z", "name": "k", "status": "ACTIVE"},
}


def change(*sets: tuple[str, dict[str, Any]], zone: str = "Z") -> Call:
    batch = [{"action": action, "resourceRecordSet": record_set} for action, record_set in sets]
    return "ChangeResourceRecordSets", {"hostedZoneId": zone, "changeBatch": {"changes": batch}}


def record(name: str, type: str, *values: str, ttl: int = 300, **members: Any) -> dict[str, Any]:
    return {"name": name, "type": type, "tTL": ttl, "resourceRecords": [{"value": v} for v in values], **members}


CASES: dict[str, tuple[Call, list[Change]]] = {
    "value": (
        change(("UPSERT", record("www.example.com.", "A", "203.0.113.1"))),
        [("aws_route53_record.www", "records", ["192.0.2.1"], ["203.0.113.1"])],
    ),
    "name in capitals, without the last dot": (
        change(("UPSERT", record("WWW.Example.com", "A", "192.0.2.1", ttl=60))),
        [("aws_route53_record.www", "ttl", "300", "60")],
    ),
    "same again": (change(("UPSERT", record("www.example.com.", "A", "192.0.2.1"))), []),
    "deleted and created alike": (
        change(
            ("DELETE", record("www.example.com.", "A", "192.0.2.1")),
            ("CREATE", record("www.example.com.", "A", "192.0.2.1")),
        ),
        [],
    ),
    "deleted": (change(("DELETE", record("www.example.com.", "A", "192.0.2.1"))), [("aws_route53_record.www",)]),
    "other type of the same name": (
        change(("CREATE", record("www.example.com.", "AAAA", "::1"))),
        [("unmanaged", "aws_route53_record", "Z_www.example.com_AAAA")],
    ),
    "in a zone that is not managed": (change(("CREATE", record("x.net.", "A", "192.0.2.1")), zone="OTHER"), []),
    "quotes of TXT and the star in octal": (
        change(("UPSERT", record("\\052.example.com.", "TXT", '"v=spf1"', '"a" "b"', ttl=6)), zone="/hostedzone/Z"),
        [("aws_route53_record.txt", "ttl", "5", "6")],
    ),
    "alias": (
        change(
            (
                "UPSERT",
                {
                    "name": "alias.example.com.",
                    "type": "A",
                    "aliasTarget": {
                        "hostedZoneId": "ZLB",
                        "dNSName": "dualstack.LB.amazonaws.com.",
                        "evaluateTargetHealth": False,
                    },
                },
            )
        ),
        [],
    ),
    "alias to record": (
        change(("UPSERT", record("alias.example.com.", "A", "192.0.2.9", ttl=5))),
        [
            # The provider keeps the alias in state.
            ("aws_route53_record.alias", "records", [], ["192.0.2.9"]),
            ("aws_route53_record.alias", "ttl", "0", "5"),
        ],
    ),
    "weights, several changes in one call": (
        change(
            ("UPSERT", record("app.example.com.", "CNAME", "blue.net", ttl=60, setIdentifier="blue", weight=0)),
            ("DELETE", record("app.example.com.", "CNAME", "green.net", ttl=60, setIdentifier="green", weight=10)),
        ),
        [
            ("aws_route53_record.blue", "weighted_routing_policy[0].weight", "90", "0"),
            ("aws_route53_record.green",),
        ],
    ),
    "weight to latency": (
        change(
            (
                "UPSERT",
                record("app.example.com.", "CNAME", "blue.net", ttl=60, setIdentifier="blue", region="us-east-1"),
            )
        ),
        [("aws_route53_record.blue", "latency_routing_policy", [], [{"region": "us-east-1"}])],
    ),
    "zone comment": (
        ("UpdateHostedZoneComment", {"id": "Z", "comment": "x"}),
        [("aws_route53_zone.z", "comment", "c", "x")],
    ),
    "network of a private zone": (
        ("DisassociateVPCFromHostedZone", {"hostedZoneId": "P", "vPC": {"vPCId": "vpc-1", "vPCRegion": "us-east-1"}}),
        [("aws_route53_zone.private", "vpc", [{"vpc_id": "vpc-1", "vpc_region": "us-east-1"}], [])],
    ),
    "tags": (
        (
            "ChangeTagsForResource",
            {
                "resourceType": "hostedzone",
                "resourceId": "P",
                "addTags": [{"key": "A", "value": "b"}],
                "removeTagKeys": ["Name"],
            },
        ),
        [
            ("aws_route53_zone.private", "tags.A", None, "b"),
            ("aws_route53_zone.private", "tags.Name", "p", None),
            ("aws_route53_zone.private", "tags_all.A", None, "b"),
            ("aws_route53_zone.private", "tags_all.Name", "p", None),
        ],
    ),
    "health check": (
        (
            "UpdateHealthCheck",
            {
                "healthCheckId": "h",
                "fullyQualifiedDomainName": "b",
                "iPAddress": "192.0.2.1",
                "inverted": True,
                "enableSNI": True,
                "alarmIdentifier": {"name": "al", "region": "us-east-1"},
            },
        ),
        [
            ("aws_route53_health_check.h", "cloudwatch_alarm_name", None, "al"),
            ("aws_route53_health_check.h", "cloudwatch_alarm_region", None, "us-east-1"),
            ("aws_route53_health_check.h", "enable_sni", None, "true"),
            ("aws_route53_health_check.h", "fqdn", "a", "b"),
            ("aws_route53_health_check.h", "invert_healthcheck", None, "true"),
            ("aws_route53_health_check.h", "ip_address", None, "192.0.2.1"),
        ],
    ),
    "health check, members put back": (
        ("UpdateHealthCheck", {"healthCheckId": "h", "resetElements": ["ResourcePath", "Regions"]}),
        [
            ("aws_route53_health_check.h", "regions", ["us-east-1", "us-west-1", "eu-west-1"], []),
            ("aws_route53_health_check.h", "resource_path", "/", ""),
        ],
    ),
    "signing switched off": (
        ("DisableHostedZoneDNSSEC", {"hostedZoneId": "Z"}),
        [("aws_route53_hosted_zone_dnssec.d", "signing_status", "SIGNING", "NOT_SIGNING")],
    ),
    "key deactivated": (
        ("DeactivateKeySigningKey", {"hostedZoneId": "Z", "name": "k"}),
        [("aws_route53_key_signing_key.k", "status", "ACTIVE", "INACTIVE")],
    ),
    "zone created": (
        ("CreateHostedZone", {"name": "n.com"}, {"hostedZone": {"id": "/hostedzone/N"}}),
        [("unmanaged", "aws_route53_zone", "N")],
    ),
    "zone deleted with all that is in it": (
        ("DeleteHostedZone", {"id": "Z"}),
        [
            ("aws_route53_hosted_zone_dnssec.d",),
            ("aws_route53_key_signing_key.k",),
            ("aws_route53_record.alias",),
            ("aws_route53_record.blue",),
            ("aws_route53_record.green",),
            ("aws_route53_record.txt",),
            ("aws_route53_record.www",),
            ("aws_route53_zone.z",),
        ],
    ),
}


@pytest.mark.parametrize(("made", "expected"), CASES.values(), ids=CASES)
def test_call(made: Call, expected: list[Change]) -> None:
    assert changes("route53", RESOURCES, made) == expected
