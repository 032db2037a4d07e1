"""A believable trail for benchmarks: 93 of 100 records are reads, a record has about 1.4 KB."""

import gzip
import json
import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ACCOUNT, REGION = "123456789012", "eu-central-1"
READS = 93
"""Of a hundred records."""

INSTANCES = 500
HALF = INSTANCES // 2
TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.11.0 (+https://www.terraform.io) terraform-provider-aws/5.98.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.24"
)
SCALING = "autoscaling.amazonaws.com"
PERSON = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
READ_CALLS = (
    ("ec2", "DescribeInstances", {"instancesSet": {}, "filterSet": {"items": [{"name": "tag:app", "valueSet": {}}]}}),
    ("s3", "GetBucketPolicy", {"bucketName": "shop-assets", "policy": "", "Host": "s3.eu-central-1.amazonaws.com"}),
    ("kms", "Decrypt", {"encryptionContext": {"aws:s3:arn": "arn:aws:s3:::shop-assets/a"}, "encryptionAlgorithm": "X"}),
    ("sts", "AssumeRole", {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/reader", "roleSessionName": "audit"}),
    ("logs", "DescribeLogStreams", {"logGroupName": "/aws/lambda/resize", "orderBy": "LastEventTime"}),
    ("iam", "GetRolePolicy", {"roleName": "reader", "policyName": "inline"}),
)
# What changes nothing that Terraform manages, and is what most calls of real trails are that are no reads.
OTHER_CALLS = (
    (
        "ssm",
        "UpdateInstanceInformation",
        {"agentVersion": "3.3.987.0", "agentStatus": "Active"},
    ),
    (
        "logs",
        "CreateLogStream",
        {"logGroupName": "/aws/lambda/resize", "logStreamName": "2026/01/02/[$LATEST]0123"},
    ),
    ("ecr", "InitiateLayerUpload", {"registryId": ACCOUNT, "repositoryName": "shop"}),
)


def record(number: int, chance: random.Random, ends: bool = True) -> dict[str, Any]:
    """Number ``number`` of the trail.

    Of a hundred that are no reads, 40 change nothing that Terraform knows, 35 are Terraform's own, 15 Auto Scaling's,
    5 a person's on instances that are not in state and 5 a person's on instances that are: these are drift, which
    others of these calls end, or, without ``ends``, none.
    """
    read = chance.randrange(100) < READS
    agent, identity = PERSON, person(chance)
    if read:
        service, name, request = chance.choice(READ_CALLS)
    elif (kind := chance.randrange(100)) < 40:
        service, name, request = chance.choice(OTHER_CALLS)
    else:
        service, name = "ec2", "ModifyInstanceAttribute"
        target = f"i-0{chance.getrandbits(64):016x}" if 75 <= kind < 95 else instance(chance.randrange(INSTANCES))
        if kind < 75:
            agent = TERRAFORM
        elif kind < 90:
            agent, identity = SCALING, {"type": "AWSService", "invokedBy": SCALING}
        request = {"instanceId": target, "instanceType": {"value": chance.choice(("t3.small", "m5.large"))}}
        if not ends and kind >= 95:
            # Another type each time, on instances that Terraform leaves alone.
            request = {"instanceId": instance(HALF + number % HALF), "instanceType": {"value": f"m{number}.large"}}
        elif not ends and kind < 75:
            request["instanceId"] = instance(number % HALF)
    made: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": f"2026-01-02T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": f"198.51.100.{chance.randrange(256)}",
        "userAgent": agent,
        "requestParameters": request,
        "responseElements": None
        if read
        else {"requestId": str(uuid.UUID(int=chance.getrandbits(128))), "_return": True},
        "requestID": str(uuid.UUID(int=chance.getrandbits(128))),
        "eventID": str(uuid.UUID(int=chance.getrandbits(128))),
        "readOnly": read,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        "tlsDetails": {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{service}.{REGION}.amazonaws.com",
        },
    }
    return made


def instance(number: int) -> str:
    return f"i-0{number:016x}"


def person(chance: random.Random) -> dict[str, Any]:
    name = f"person{chance.randrange(200)}"
    role = "AWSReservedSSO_Admin_0123456789abcdef"
    principal = f"AROA{chance.getrandbits(64):016X}"
    return {
        "type": "AssumedRole",
        "principalId": f"{principal}:{name}@example.com",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}@example.com",
        "accountId": ACCOUNT,
        "accessKeyId": f"ASIA{chance.getrandbits(64):016X}",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/{role}",
                "accountId": ACCOUNT,
                "userName": role,
            },
            "attributes": {"creationDate": "2026-01-02T00:00:00Z", "mfaAuthenticated": "false"},
        },
    }


def write(folder: Path, files: int, records: int, ends: bool = True) -> int:
    """Writes ``files`` compressed files of ``records`` each, as CloudTrail names them; gives a record's mean bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    for number, document in enumerate(documents(files, records, ends=ends)):
        name = f"{ACCOUNT}_CloudTrail_{REGION}_20260102T{number // 60:02}{number % 60:02}Z_{number:016}.json.gz"
        (folder / name).write_bytes(gzip.compress(document, 6))
        size += len(document)
    return size // (files * records)


def documents(files: int, records: int, seed: int = 1, ends: bool = True) -> Iterator[bytes]:
    chance = random.Random(seed)
    for file in range(files):
        made = [record(file * records + number, chance, ends) for number in range(records)]
        yield json.dumps({"Records": made}, separators=(",", ":")).encode()


def state() -> bytes:
    """A state of the instances that the trail changes."""
    instances = [
        {
            "index_key": number,
            "schema_version": 1,
            "attributes": {
                "id": instance(number),
                "arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance(number)}",
                "instance_type": "t3.micro",
                "tags": {"Name": f"shop-{number}"},
            },
        }
        for number in range(INSTANCES)
    ]
    resource = {
        "mode": "managed",
        "type": "aws_instance",
        "name": "shop",
        "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
        "instances": instances,
    }
    document = {"version": 4, "terraform_version": "1.11.0", "serial": 1, "lineage": "bench", "resources": [resource]}
    return json.dumps(document).encode()
