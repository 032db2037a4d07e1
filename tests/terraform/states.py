"""Small states for tests, and Terraform itself."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.judge.terraform import REPO, command

AWS = 'provider["registry.terraform.io/hashicorp/aws"]'


def instance(attributes: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    return {"schema_version": 0, "attributes": dict(attributes), "sensitive_attributes": [], **members}


def resource(type: str, name: str, *instances: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    """A ``resources`` entry; an instance is a whole one (with ``attributes``) or just its attributes."""
    whole = [i if "attributes" in i or "attributes_flat" in i else instance(i) for i in instances]
    return {"mode": "managed", "type": type, "name": name, "provider": AWS, "instances": whole, **members}


def state(*resources: Mapping[str, Any], **members: Any) -> dict[str, Any]:
    head = {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "l", "outputs": {}}
    return {**head, "resources": list(resources), "check_results": None, **members}


def write(path: Path, document: Mapping[str, Any], indent: int | None = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=indent))
    return path


def ec2(id: str = "i-1", region: str = "eu-west-1", account: str = "111111111111", **attributes: Any) -> dict[str, Any]:
    return {"id": id, "arn": f"arn:aws:ec2:{region}:{account}:instance/{id}", "instance_type": "t3.micro", **attributes}


def terraform(directory: Path, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Run the real Terraform in ``directory``; what it printed."""
    program = command()
    done = subprocess.run(
        [*program, *arguments],
        cwd=directory,
        env={**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "PYTHONPATH": str(REPO), **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"terraform {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
    return done.stdout


def addresses(instances: Sequence[Any]) -> list[str]:
    return [i.address for i in instances]
