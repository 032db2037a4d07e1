"""send Falco's alerts, read as JSON lines from stdin, to Slack, PagerDuty, mail and whatever else Apprise knows

For falco.yaml:

  json_output: true
  program_output:
    enabled: true
    keep_alive: true
    program: "tfdrift notify --urls /etc/falco/tfdrift-notify.urls"

The file holds one Apprise URL a line, each after a priority if only worse alerts are wanted there:

  slack://TokenA/TokenB/TokenC/#drift
  critical pagerduty://IntegrationKey@ApiKey/falco/tfdrift
  mailtos://user:password@smtp.example.com?to=platform@example.com
  jsons://hooks.example.com/drift

A file that ends in .yaml says which target gets what, by priority, account, module and tags:

  targets:
    - url: slack://TokenA/TokenB/TokenC/#drift
    - url: pagerduty://${PAGERDUTY_KEY}@ApiKey/falco/tfdrift
      name: on call
      routes:
        - {priority: critical, accounts: ["111122223333"]}
        - {priority: error, modules: [module.payments], tags: {Stage: [prod]}}

  tfdrift notify --test --urls FILE         sends one sample to each target, whatever its routes
"""

import argparse
import logging
import os
import select
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tfdrift_core.notify.notifier import Notifier
from tfdrift_core.notify.spool import Spool, SpoolError
from tfdrift_core.notify.targets import URLS, Target, TargetError, load
from tfdrift_core.output.alert import Alert, AlertError, parse, priority_of

logger = logging.getLogger("tfdrift.notify")

MAX_LINE = 16 * 1024 * 1024
_CHUNK = 1 << 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--urls", type=Path, metavar="FILE", help=f"file with Apprise URLs; or set ${URLS}")
    parser.add_argument("--test", action="store_true", help="send one sample to each target, and end")
    parser.add_argument(
        "--priority", default="debug", help="send alerts of this priority and worse (%(default)s)", metavar="PRIORITY"
    )
    parser.add_argument(
        "--window", type=float, default=5.0, metavar="SECONDS", help="how long a burst gathers (%(default)s)"
    )
    parser.add_argument(
        "--spool", type=Path, metavar="FILE", help="where alerts wait and ids are remembered", default=_spool_path()
    )


def _spool_path() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/tfdrift/notify.db")
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "tfdrift" / "notify.db"


def run(args: argparse.Namespace) -> int:
    try:
        targets = load(os.environ, args.urls, priority_of(args.priority))
        if args.test:
            return _test(targets)
        spool = Spool(args.spool)
    except (TargetError, SpoolError, AlertError) as error:
        for fault in str(error).splitlines():
            logger.error("%s", fault)
        return 2
    notifier = Notifier(targets, spool, args.window)
    bad = 0
    try:
        for line in _lines(sys.stdin.fileno(), notifier):
            try:
                notifier.accept(parse(line), time.time())
            except AlertError as error:
                bad += 1
                logger.error("ignored a line: %s", error)
        notifier.flush(time.time() + args.window)
    except SpoolError as error:
        logger.error("%s", error)
        return 1
    finally:
        spool.close()
    logger.debug("sent %d, again %d, seen before %d", notifier.sent, notifier.failed, notifier.duplicates)
    return 1 if bad or notifier.failed else 0


def _test(targets: Sequence[Target]) -> int:
    """A sample to each target: 1 where one did not take it."""
    failed = False
    for target in targets:
        taken = target.try_out(*_sample())
        failed |= not taken
        print(f"{'sent to' if taken else 'FAILED: '} {target.name}", flush=True)
    return 1 if failed else 0


def _sample() -> tuple[Alert, Alert]:
    """What nobody can take for drift, and its end; the id is a new one each time, so that no service drops it."""
    id = f"test-{uuid.uuid4()}"
    time = datetime.now(UTC).isoformat(timespec="seconds")
    fields = {
        "drift.id": id,
        "drift.kind": "modified",
        "drift.resource": "aws_instance.sample",
        "drift.path": "instance_type",
        "drift.old_value": "t3.micro",
        "drift.new_value": "t3.small",
        "drift.user": "tfdrift notify --test",
        "drift.hint": "Nothing to do: this is a test of tfdrift notify.",
    }
    end = {"drift.id": f"{id}-end", "drift.kind": "resolved", "drift.opened_id": id, "drift.resolution": "reverted"}
    return (
        Alert("Test of tfdrift notify", "Notice", time, "a test", fields),
        Alert("Test of tfdrift notify", "Notice", time, "a test", {**fields, **end}),
    )


def _lines(stdin: int, notifier: Notifier) -> Iterator[bytes]:
    """The lines of stdin as they come; in between, what is due is sent."""
    buffer = b""
    while True:
        due = notifier.next_due()
        timeout = None if due is None else max(due - time.time(), 0.0)
        readable = select.select([stdin], [], [], timeout)[0]
        notifier.flush(time.time())
        if not readable:
            continue
        chunk = os.read(stdin, _CHUNK)
        *lines, buffer = (buffer + chunk).split(b"\n")
        if not chunk and buffer:
            lines.append(buffer)
        if len(buffer) > MAX_LINE:
            logger.error("ignored a line of more than %d bytes", MAX_LINE)
            buffer = b""
        yield from (line for line in lines if line.strip())
        if not chunk:
            return
