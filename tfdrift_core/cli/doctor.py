"""check the whole configuration from this machine, and say what to fix

  tfdrift doctor --config /etc/falco/falco.yaml
  tfdrift doctor --config infra/

Tries what the plugin will do: credentials, each state, each source, the permissions, data_dir, the plugin itself.
Nothing stays changed and no message is taken from a queue.
"""

import argparse
import json
import logging
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import boto3

from tfdrift_core import aws
from tfdrift_core.baseline.places import PlaceError, look
from tfdrift_core.blame.plan import PlanError
from tfdrift_core.cli import settings
from tfdrift_core.config import Aws, Baseline, Config, ConfigError, load
from tfdrift_core.delivery.ledger import Ledger
from tfdrift_core.metrics import Metrics
from tfdrift_core.permissions import optional, policies
from tfdrift_core.pipeline import Pipeline
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.files import Files
from tfdrift_core.sources.location import Location, locate, to_read
from tfdrift_core.sources.open import open_source
from tfdrift_core.sources.sqs import parse_queue
from tfdrift_core.terraform.scan import StateError
from tfdrift_core.terraform.store import StateStore
from tfdrift_core.text import counted, one_line
from tfdrift_core.verify.plan import parse

log = logging.getLogger("tfdrift.doctor")

_ROLE = re.compile(r"arn:([\w-]+):sts::(\d{12}):assumed-role/([^/]+)/")
_PLUGIN_SECONDS = 120


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the result: what was checked, and what was found or what to fix."""

    level: Level
    subject: str
    text: str


Findings = Iterator[Finding]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    settings.add_arguments(parser)
    parser.add_argument("--no-plugin", action="store_true", help="do not load the plugin itself")
    parser.add_argument("--json", action="store_true", help="print every finding as one line of JSON")
    parser.add_argument("--iam-policy", action="store_true", help="print the permissions that are needed, and end")
    parser.add_argument(
        "--at-the-time", action="store_true", help="of --iam-policy: also what tfdrift replay --at-the-time needs"
    )


def run(args: argparse.Namespace) -> int:
    if args.iam_policy:
        return _print_policies(args)
    failed = False
    for finding in examine(args):
        failed |= finding.level == Level.FAILED
        line = f"{finding.level:<8} {finding.subject}: {finding.text}"
        print(json.dumps(asdict(finding)) if args.json else one_line(line), flush=True)
    return 1 if failed else 0


def _print_policies(args: argparse.Namespace) -> int:
    """One policy document for the process's own credentials, or a map of them by role where there are roles."""
    try:
        config, params = load(settings.text_of(args)), settings.open_params(args)
        found, more = policies(config, params, versions=args.at_the_time), optional(config, params)
    except (ConfigError, SourceError) as error:
        print(error, file=sys.stderr)
        return 1
    for grant, resource in more:
        print(f"also, {grant.purpose}: {', '.join(grant.actions)} on {resource}", file=sys.stderr)
    print(json.dumps(found.get("", {}) if not found.keys() - {""} else found, indent=2))
    return 0


def examine(args: argparse.Namespace) -> Findings:
    """Every check in turn; a broken configuration ends them."""
    _session.cache_clear()
    try:
        text = settings.text_of(args)
        config = load(text)
        store = Pipeline(config).store
    except ConfigError as error:
        for line in str(error).splitlines():
            yield Finding(Level.FAILED, "configuration", line)
        return
    yield Finding(Level.OK, "configuration", "valid")
    sources: list[Location] = []
    wrong: list[Finding] = []
    for entry in to_read(settings.open_params(args), config):
        try:
            # Made as the plugin makes it: every option is read, and nothing is asked of AWS.
            open_source(entry, config, Ledger(), Metrics())
            sources.append(locate(entry))
        except SourceError as error:
            wrong.append(Finding(Level.FAILED, f"source {entry.url}", str(error).removeprefix(f"{entry.url}: ")))
    yield from _credentials(config, sources)
    yield from _states(config, store)
    yield from wrong
    for source in sources:
        yield from _source(config, source)
    if not sources and not wrong:
        yield Finding(Level.WARNING, "sources", "none; Falco's open_params must name one")
    for plans in config.baseline:
        yield from _baseline(config, plans)
    yield from _data_dir(config, sources)
    if not args.no_plugin:
        yield from _plugin(text, settings.library(args), settings.rules_files(args))


def _credentials(config: Config, sources: Sequence[Location]) -> Findings:
    """Who we are to AWS, for the main credentials and every role."""
    from_aws = any(not source.is_file for source in sources)
    states = {spec.get("backend") or str(spec.get("url", "")).partition("://")[0] for spec in config.state}
    if not (from_aws or "s3" in states or config.aws != Aws() or config.accounts):
        return
    yield _identity("aws", config.aws)
    for account in config.accounts:
        if account.role_arn:
            access = replace(config.aws, role_arn=account.role_arn, external_id=account.external_id)
            finding = _identity(f"account {account.id}", access)
            if finding.level == Level.OK and f":{account.id}:" not in finding.text:
                finding = Finding(Level.FAILED, finding.subject, f"role_arn is of another account: {finding.text}")
            yield finding


def _identity(subject: str, access: Aws) -> Finding:
    try:
        found = _client(access, "sts").get_caller_identity()
    except aws.ERRORS as error:
        allow = f"sts:AssumeRole on {access.role_arn} (and trust it there)" if access.role_arn else "its use"
        return Finding(Level.FAILED, subject, aws.explain(error, allow=allow))
    return Finding(Level.OK, subject, f"is {found['Arn']}")


def _states(config: Config, store: StateStore) -> Findings:
    if not config.state and not config.config:
        yield Finding(Level.WARNING, "state", "none is configured; everything will be unmanaged: add state or config")
    try:
        with settings.errors_listed():
            store.refresh()
    finally:
        store.close()
    for status in store.statuses:
        subject = f"state {status.origin}"
        if status.error:
            yield Finding(Level.FAILED, subject, status.error)
        elif status.state:
            missing = sum(1 for i in status.state.instances if i.type.startswith("aws_") and not i.account)
            known = f"; the account of {missing} is not known: add accounts" if missing else ""
            yield Finding(
                Level.WARNING if missing else Level.OK,
                subject,
                f"serial {status.state.serial}, {counted(len(status.state.instances), 'resource instance')}{known}",
            )
    if config.config and len(store.index) and not any(i.line for i in store.index.all()):
        yield Finding(Level.WARNING, "config", "no resource of the state is in these directories; check the paths")


def _source(config: Config, source: Location) -> Findings:
    subject = f"source {source.url}"
    if source.is_file:
        yield from _files(subject, source)
        return
    try:
        yield from list(_PROBES[source.scheme](subject, source.rest, source.options.aws(config)))
    except aws.ERRORS as error:
        yield Finding(Level.FAILED, subject, aws.explain(error))


def _files(subject: str, source: Location) -> Findings:
    try:
        files = Files(source.rest, Metrics()).files()
    except SourceError as error:
        # What is followed may come later, in a directory that is empty as well.
        level = Level.FAILED if source.replays else Level.WARNING
        later = "" if source.replays else "; it is waited for"
        yield Finding(level, subject, f"{error}{later}")
        return
    for file in files:
        try:
            file.open("rb").close()
        except OSError as error:
            problem = error.strerror or error
            yield Finding(Level.FAILED, subject, f"{file}: {problem}; let the user that runs Falco read it")
            return
    yield Finding(Level.OK, subject, "readable" if files else "standard input")


def _s3(subject: str, rest: str, access: Aws) -> Findings:
    bucket, _, prefix = rest.partition("/")
    s3 = _client(access, "s3", s3={"addressing_style": "path"} if access.endpoint_url else {})
    bucket_arn = f"arn:aws:s3:::{bucket}"
    answer = _tried(
        lambda: s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1), f"s3:ListBucket on {bucket_arn}"
    )
    if isinstance(answer, str):
        yield Finding(Level.FAILED, subject, answer)
        return
    keys = [item["Key"] for item in answer.get("Contents", ())]
    if not keys:
        yield Finding(Level.WARNING, subject, "nothing is there yet; check the prefix, and that the trail logs to it")
        return
    read = _tried(
        lambda: s3.get_object(Bucket=bucket, Key=keys[0], Range="bytes=0-0"),
        f"s3:GetObject on {bucket_arn}/* (and kms:Decrypt with its key)",
    )
    yield Finding(Level.FAILED, subject, read) if isinstance(read, str) else Finding(Level.OK, subject, "readable")


def _sqs(subject: str, rest: str, access: Aws) -> Findings:
    queue = parse_queue(rest)
    sqs = _client(access, "sqs", queue.region)
    owner = {"QueueOwnerAWSAccountId": queue.account} if queue.account else {}
    url = queue.url
    if not url:
        answer = _tried(lambda: sqs.get_queue_url(QueueName=queue.name, **owner), "sqs:GetQueueUrl")
        if isinstance(answer, str):
            where = f"region {sqs.meta.region_name}, account {queue.account or 'of these credentials'}"
            yield Finding(Level.FAILED, subject, f"{answer} (asked in {where})")
            return
        url = answer["QueueUrl"]
    answer = _tried(
        lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "ApproximateNumberOfMessages"]),
        "sqs:GetQueueAttributes",
    )
    if isinstance(answer, str):
        yield Finding(Level.WARNING, subject, f"the queue is there, more is not known: {answer}")
        return
    waiting = answer["Attributes"].get("ApproximateNumberOfMessages", "?")
    yield Finding(Level.OK, subject, f"about {waiting} messages wait")
    # Receiving a message to see whether it is allowed would hide it from others and count as a delivery.
    needed = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
    yield _simulated(subject, access, needed, answer["Attributes"]["QueueArn"])


def _lookup(subject: str, rest: str, access: Aws) -> Findings:
    trail = _client(access, "cloudtrail")
    answer = _tried(lambda: trail.lookup_events(MaxResults=1), "cloudtrail:LookupEvents")
    yield Finding(Level.FAILED, subject, answer) if isinstance(answer, str) else Finding(Level.OK, subject, "readable")


_PROBES: dict[str, Callable[[str, str, Aws], Findings]] = {"s3": _s3, "sqs": _sqs, "lookup": _lookup}


def _client(access: Aws, service: str, region: str = "", **options: Any) -> Any:
    return aws.client(access, service, region, within=_session(access), **options)


@lru_cache
def _session(access: Aws) -> boto3.Session:
    return aws.session(access)


def _tried(call: Callable[[], Any], allow: str) -> Any:
    """The answer of a call, or a string that says why there is none."""
    try:
        return call()
    except aws.ERRORS as error:
        return aws.explain(error, allow=allow)


def _simulated(subject: str, access: Aws, actions: Sequence[str], resource: str) -> Finding:
    """The permissions needed against those held, as IAM's policy simulator sees them."""
    try:
        arn = _client(access, "sts").get_caller_identity()["Arn"]
        match = _ROLE.match(arn)
        principal = f"arn:{match[1]}:iam::{match[2]}:role/{match[3]}" if match else arn
        answer = _client(access, "iam").simulate_principal_policy(
            PolicySourceArn=principal, ActionNames=list(actions), ResourceArns=[resource]
        )
    except aws.ERRORS as error:
        log.debug("iam:SimulatePrincipalPolicy: %s", error)
        text = f"{', '.join(actions)} on {resource} are needed; this identity may not ask whether it has them"
        return Finding(Level.WARNING, subject, text)
    results = answer["EvaluationResults"]
    denied = [result["EvalActionName"] for result in results if result["EvalDecision"] != "allowed"]
    if denied:
        return Finding(Level.FAILED, subject, f"allow {', '.join(denied)} on {resource} to {principal}")
    return Finding(Level.OK, subject, f"{', '.join(actions)} are allowed")


def _baseline(config: Config, entry: Baseline) -> Findings:
    """Whether the plans of a place are there, and the newest of them is one."""
    subject = f"baseline {entry.url}"
    try:
        found = look(entry, config)
        if not found:
            yield Finding(Level.WARNING, subject, "no plan is there yet; terraform show -json makes it")
            return
        newest = found[0]
        seen = parse(newest.read(), newest.origin)
    except (PlaceError, PlanError, StateError) as error:
        yield Finding(Level.FAILED, subject, str(error).removeprefix(f"{entry.url}: "))
    except OSError as error:
        yield Finding(
            Level.FAILED, subject, f"{error.filename}: {error.strerror}; let the user that runs Falco read it"
        )
    except aws.ERRORS as error:
        yield Finding(Level.FAILED, subject, aws.explain(error, allow="s3:GetObject"))
    else:
        if seen.changes and not entry.url.startswith("hcp://"):
            problem = "is a plan of changes, which is not taken; make it with terraform plan -refresh-only"
            yield Finding(Level.FAILED, subject, f"{newest.origin} {problem}")
            return
        partly = (
            "" if seen.complete or (seen.complete is None and entry.complete) else "; it ends no drift: see complete"
        )
        what = f"{len(seen.plan.drifted)} of {len(seen.held)} resources have drifted"
        yield Finding(Level.OK, subject, f"the newest of {len(found)} is {newest.origin}: {what}{partly}")


def _data_dir(config: Config, sources: Sequence[Location]) -> Findings:
    if not config.data_dir:
        if not all(source.replays for source in sources):
            yield Finding(Level.WARNING, "data_dir", "not set: a restart begins anew; name a directory that stays")
        return
    path = Path(config.data_dir)
    if not path.is_absolute():
        where = f"{path}: is taken from Falco's working directory, not from this one; write the whole path"
        yield Finding(Level.WARNING, "data_dir", where)
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        # Tried as the plugin does it: rights alone do not tell of a file system that is read-only, full or no real one.
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        problem = f"{path}: {error.strerror or error}; give a directory that the user that runs Falco may write"
        yield Finding(Level.FAILED, "data_dir", problem)
    else:
        yield Finding(Level.OK, "data_dir", f"{path} can be written")
    finally:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


def _plugin(text: str, library: Path | None, named: Sequence[Path]) -> Findings:
    """Load the plugin in a process of its own, the way Falco does, and the rules files that Falco loads."""
    rules = [path for path in named if path.exists()]
    for path in named:
        if not path.exists():
            problem = "is not there; Falco passes over it, so its rules raise no alert: install it, or correct the path"
            yield Finding(Level.FAILED if not rules else Level.WARNING, "rules", f"{path} {problem}")
    if library is not None and not library.is_file():
        problem = f"library_path {library} is not there, so Falco will not start: install it, or correct the path"
        yield Finding(Level.FAILED, "plugin", problem)
        return
    if named and not rules:
        return
    if not any(entry.name == "run" for entry in entry_points(group="tfdrift.commands")):
        yield Finding(Level.WARNING, "plugin", "not checked: the tfdrift run command is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="tfdrift-") as folder:
        file = Path(folder, "init_config.yaml")
        file.write_text(text or "{}", encoding="utf-8")
        # The artifact's launcher is its Python, and takes the command's words alone.
        ourselves = [sys.executable, *(() if Path(sys.executable).name == "tfdrift" else ("-m", "tfdrift_core"))]
        command = [*ourselves, "run", "--validate", "--config", str(file)]
        command += ["--library", str(library)] if library is not None else []
        command += [argument for path in rules for argument in ("--rules", str(path))]
        try:
            done = subprocess.run(  # noqa: S603 - ourselves
                command, capture_output=True, text=True, timeout=_PLUGIN_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            yield Finding(Level.FAILED, "plugin", f"did not load within {_PLUGIN_SECONDS} s")
            return
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    if done.returncode:
        yield Finding(Level.FAILED, "plugin", said[-1] if said else f"exit status {done.returncode}")
    else:
        what = f"{library or 'the one of this installation'} loads"
        which = ", ".join(map(str, rules)) or "the rules of this installation, as none are named"
        yield Finding(Level.OK, "plugin", f"{what}, and accepts this configuration and {which}")
