"""Size and speed of the state index: makes states of realistic instances and prints a table.

    python bench/state.py [INSTANCES ...]        one state of each size (default 1000 10000 100000)
    python bench/state.py --many 1000            that many states of 100 instances; one changes, one is read again

Every size runs in a process of its own, so that its peak memory is its own.  Memory is the growth of the resident set
over a process that has loaded the program but no state.  Times are CPU times, of all threads together.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfdrift_core.config import load
from tfdrift_core.terraform.store import StateStore

ACCOUNT = "123456789012"
REGION = "eu-central-1"
MB = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=[1000, 10_000, 100_000])
    parser.add_argument("--compact", action="store_true", help="states on one line, as some backends store them")
    parser.add_argument("--many", type=int, metavar="N", help="N states of 100 instances instead")
    parser.add_argument("--one", metavar="PATH", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(Path(args.one))))
        return
    with tempfile.TemporaryDirectory(prefix="tfdrift-bench-") as folder:
        if args.many:
            many(Path(folder), args.many)
            return
        print("| instances | state | load | memory, at rest | memory, peak | find by id | find by ARN | parse one"
              " | dependents, first |")  # fmt: skip
        print("|---|---|---|---|---|---|---|---|---|")
        for size in args.sizes:
            path = Path(folder) / f"{size}.tfstate"
            write(path, size, compact=args.compact)
            run = subprocess.run(
                [sys.executable, __file__, "--one", path], check=True, capture_output=True, text=True, env=os.environ
            )
            row = json.loads(run.stdout)
            raw = row["raw"]
            print(
                f"| {size:,} | {raw / MB:,.1f} MB | {row['load']:.2f} s"
                f" | {row['rest'] / MB:,.0f} MB ({row['rest'] / raw:.2f} x) | {row['peak'] / MB:,.0f} MB"
                f" ({row['peak'] / raw:.2f} x) | {row['id']:.2f} µs | {row['arn']:.2f} µs | {row['parse']:.1f} µs"
                f" | {row['dependents']:.2f} s, {row['graph'] / MB:,.0f} MB |",
                flush=True,
            )
            path.unlink()


def measure(path: Path) -> dict[str, float]:
    before = resident()
    store = StateStore(load(json.dumps({"state": [str(path)], "max_state_size": "64GB"})))
    started = time.process_time()
    store.refresh()
    loaded = time.process_time() - started
    if store.errors:
        sys.exit(str(store.errors))
    rest = resident() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    sample = random.Random(1).choices(list(store.index.all("aws_instance")), k=20_000)
    ids, arns = [i.id for i in sample], [i.arn for i in sample]
    find = store.index.find
    started = time.process_time()
    for value in ids:
        find("aws_instance", "id", value, account=ACCOUNT, region=REGION)
    by_id = time.process_time() - started
    started = time.process_time()
    for value in arns:
        find("aws_instance", "arn", value, account=ACCOUNT, region=REGION)
    by_arn = time.process_time() - started
    started = time.process_time()
    for instance in sample:
        len(instance.attributes)
    parse = time.process_time() - started
    each = 1e6 / len(sample)
    full = resident()
    started = time.process_time()
    first = sample[0]
    store.index.dependents(first.state, first.module, first.type, first.name)
    dependents = time.process_time() - started
    return {
        "raw": path.stat().st_size,
        "load": loaded,
        "rest": rest,
        "peak": peak,
        "id": by_id * each,
        "arn": by_arn * each,
        "parse": parse * each,
        "dependents": dependents,
        "graph": resident() - full,
    }


def many(folder: Path, count: int) -> None:
    for number in range(count):
        write(folder / f"{number}.tfstate", 100, seed=number)
    store = StateStore(load(json.dumps({"state": [str(folder)]})))
    print("| what | time |\n|---|---|")
    for what in ("load all", "check, nothing changed", "check, one state changed"):
        if "one state" in what:
            write(folder / "0.tfstate", 101, seed=0)
        started = time.process_time()
        store.refresh(force=True)
        print(f"| {what} ({count:,} states, {len(store.index):,} instances) | {time.process_time() - started:.3f} s |")


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def write(path: Path, count: int, *, compact: bool = False, seed: int = 0) -> None:
    """A state of ``count`` instances in resources of ten, laid out as Terraform writes it or on one line."""
    layout: dict[str, Any] = {"separators": (",", ":")} if compact else {"indent": 2}
    head = {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": f"bench-{seed}", "outputs": {}}
    with path.open("w") as file:
        file.write(json.dumps({**head, "resources": []}, **layout).removesuffix("]\n}").removesuffix("]}"))
        for number, block in enumerate(resources(count, random.Random(seed))):
            text = json.dumps(block, **layout)
            file.write("," if number else "")
            file.write(text if compact else "\n    " + text.replace("\n", "\n    "))
        file.write("]}\n")


def resources(count: int, random: random.Random) -> Iterator[dict[str, Any]]:
    makers = (instance, security_group, bucket, role)
    for start in range(0, count, 10):
        type, make = makers[start // 10 % len(makers)]
        earlier = range(start - start % 1000, start, 10)[-8:]
        needed = [(n, makers[n // 10 % len(makers)]) for n in earlier]
        yield {
            "module": f'module.team["{start // 1000}"]',
            "mode": "managed",
            "type": type,
            "name": f"r{start}",
            "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
            "instances": [
                {
                    "index_key": number,
                    "schema_version": 1,
                    "attributes": make(f"{random.getrandbits(68):017x}", random),
                    "sensitive_attributes": [],
                    "private": "eyJlMmJmYjczMC1lY2FhLTExZTYtOGY4OC0zNDM2M2JjN2M0YzAiOnsiY3JlYXRlIjo2MDAwMDB9fQ==",
                    "dependencies": ["aws_vpc.main", *(f"module.team.{made[0]}.r{n}" for n, made in needed)],
                }
                for number in range(min(10, count - start))
            ],
        }


def tags(name: str) -> dict[str, Any]:
    found = {"Name": name, "Team": "payments", "Environment": "prod"}
    return {"tags": found, "tags_all": found}


def instance_attributes(key: str, random: random.Random) -> dict[str, Any]:
    id = f"i-{key}"
    host = f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"
    return {
        "ami": "ami-0c1ac8a41498c1a9c",
        "arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{id}",
        "associate_public_ip_address": False,
        "availability_zone": f"{REGION}a",
        "cpu_core_count": 2,
        "cpu_threads_per_core": 2,
        "credit_specification": [{"cpu_credits": "unlimited"}],
        "disable_api_stop": False,
        "disable_api_termination": False,
        "ebs_block_device": [],
        "ebs_optimized": True,
        "enclave_options": [{"enabled": False}],
        "ephemeral_block_device": [],
        "get_password_data": False,
        "hibernation": False,
        "host_id": "",
        "iam_instance_profile": "app-profile",
        "id": id,
        "instance_initiated_shutdown_behavior": "stop",
        "instance_state": "running",
        "instance_type": random.choice(["t3.micro", "t3.small", "m5.large"]),
        "ipv6_address_count": 0,
        "ipv6_addresses": [],
        "key_name": "ops",
        "metadata_options": [
            {
                "http_endpoint": "enabled",
                "http_put_response_hop_limit": 2,
                "http_tokens": "required",
                "instance_metadata_tags": "disabled",
            }
        ],
        "monitoring": True,
        "network_interface": [],
        "primary_network_interface_id": f"eni-{key}",
        "private_dns": f"ip-{host.replace('.', '-')}.{REGION}.compute.internal",
        "private_ip": host,
        "public_dns": "",
        "public_ip": "",
        "root_block_device": [
            {
                "delete_on_termination": True,
                "device_name": "/dev/xvda",
                "encrypted": True,
                "iops": 3000,
                "kms_key_id": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0a1b2c3d-0000-4000-8000-{key[:12]}",
                "tags": {},
                "throughput": 125,
                "volume_id": f"vol-{key}",
                "volume_size": 40,
                "volume_type": "gp3",
            }
        ],
        "secondary_private_ips": [],
        "security_groups": [],
        "source_dest_check": True,
        "subnet_id": f"subnet-{key[:8]}",
        "tenancy": "default",
        "timeouts": None,
        "user_data": key * 2,
        "vpc_security_group_ids": [f"sg-{key}", f"sg-{key[::-1]}"],
        **tags(f"app-{key}"),
    }


def security_group_attributes(key: str, random: random.Random) -> dict[str, Any]:
    def rule(port: int) -> dict[str, Any]:
        return {
            "cidr_blocks": [f"10.{random.randrange(256)}.0.0/16"],
            "description": f"port {port}",
            "from_port": port,
            "ipv6_cidr_blocks": [],
            "prefix_list_ids": [],
            "protocol": "tcp",
            "security_groups": [],
            "self": False,
            "to_port": port,
        }

    id = f"sg-{key}"
    return {
        "arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{id}",
        "description": "application",
        "egress": [rule(0)],
        "id": id,
        "ingress": [rule(port) for port in (80, 443)],
        "name": f"app-{key}",
        "name_prefix": "",
        "owner_id": ACCOUNT,
        "revoke_rules_on_delete": False,
        "timeouts": None,
        "vpc_id": f"vpc-{key}",
        **tags(f"app-{key}"),
    }


def bucket_attributes(key: str, random: random.Random) -> dict[str, Any]:
    id = f"data-{key}"
    arn = f"arn:aws:s3:::{id}"
    statement = {"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"]}
    return {
        "acceleration_status": "",
        "acl": None,
        "arn": arn,
        "bucket": id,
        "bucket_domain_name": f"{id}.s3.amazonaws.com",
        "bucket_prefix": "",
        "bucket_regional_domain_name": f"{id}.s3.{REGION}.amazonaws.com",
        "cors_rule": [],
        "force_destroy": False,
        "grant": [{"id": key * 3, "permissions": ["FULL_CONTROL"], "type": "CanonicalUser", "uri": ""}],
        "hosted_zone_id": "Z21DNDUVLTQW6Q",
        "id": id,
        "lifecycle_rule": [],
        "logging": [{"target_bucket": "logs", "target_prefix": f"{id}/"}],
        "object_lock_configuration": [],
        "policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        "region": REGION,
        "replication_configuration": [],
        "request_payer": "BucketOwner",
        "server_side_encryption_configuration": [
            {
                "rule": [
                    {
                        "apply_server_side_encryption_by_default": [
                            {"kms_master_key_id": f"alias/{random.randrange(9)}", "sse_algorithm": "aws:kms"}
                        ],
                        "bucket_key_enabled": True,
                    }
                ]
            }
        ],
        "timeouts": None,
        "versioning": [{"enabled": True, "mfa_delete": False}],
        "website": [],
        **tags(id),
    }


def role_attributes(key: str, random: random.Random) -> dict[str, Any]:
    id = f"role-{key}"
    service = random.choice(["ec2", "lambda", "ecs-tasks"])
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allow = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": f"arn:aws:s3:::data-{key}"}
    return {
        "arn": f"arn:aws:iam::{ACCOUNT}:role/{id}",
        "assume_role_policy": json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        "create_date": "2026-01-01T00:00:00Z",
        "description": "application role",
        "force_detach_policies": False,
        "id": id,
        "inline_policy": [
            {"name": "data", "policy": json.dumps({"Version": "2012-10-17", "Statement": [allow]})},
        ],
        "managed_policy_arns": [f"arn:aws:iam::{ACCOUNT}:policy/p{number}" for number in range(3)],
        "max_session_duration": 3600,
        "name": id,
        "name_prefix": "",
        "path": "/",
        "permissions_boundary": "",
        "unique_id": f"AROA{key.upper()}",
        **tags(id),
    }


instance = ("aws_instance", instance_attributes)
security_group = ("aws_security_group", security_group_attributes)
bucket = ("aws_s3_bucket", bucket_attributes)
role = ("aws_iam_role", role_attributes)


if __name__ == "__main__":
    main()
