"""Whose call it was that made the drift of a plan: CloudTrail's event history is asked, where that is allowed."""

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from tfdrift_core import aws
from tfdrift_core.baseline.look import Causes
from tfdrift_core.blame.history import EventHistory
from tfdrift_core.blame.plan import Drifted, Plan
from tfdrift_core.blame.trace import MASKED, blame
from tfdrift_core.config import Account, Config
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.compare.sealed import digest_of
from tfdrift_core.records.record import Record
from tfdrift_core.sources.accounts import role_of

_log = logging.getLogger("tfdrift.baseline")
_MOST: Final = 500
"""Resources of one plan: the history is asked twice a second."""

_KEPT: Final = 10_000
_GLOBAL: Final = "us-east-1"


class History:
    """Asks once for each drift, for as long as it lives."""

    def __init__(self, config: Config, catalog: Catalog, stop: threading.Event) -> None:
        self._config, self._catalog, self._stop = config, catalog, stop
        self._refused = False
        self._known: dict[str, Mapping[str, Record]] = {}

    def causes(self, plan: Plan, seconds: float) -> Causes:
        """The calls behind a plan, so many seconds back; nothing where the history may not be asked."""
        if not seconds:
            return {}
        marks = {drifted.instance.address: _mark(drifted) for drifted in plan.drifted[:_MOST]}
        new = [drifted for drifted in plan.drifted[:_MOST] if marks[drifted.instance.address] not in self._known]
        found = self._asked(plan, new, time.time() - seconds)
        for drifted in new if found is not None else ():
            self._known[marks[drifted.instance.address]] = (found or {}).get(drifted.instance.address, {})
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]
        return {address: self._known[mark] for address, mark in marks.items() if mark in self._known}

    def _asked(self, plan: Plan, wanted: list[Drifted], since: float) -> Causes | None:
        """``None`` where the history does not answer for all of it."""
        records: list[Record] = []
        histories: dict[str, EventHistory] = {}
        for drifted in wanted:
            if self._stop.is_set():
                return None
            account = drifted.instance.account
            if account not in histories:
                histories[account] = EventHistory(self._clients(account), since, wait=self._stop.wait)
            try:
                records += histories[account].of(drifted, self._config.aws.region or _GLOBAL)
            except aws.ERRORS as error:
                if not self._refused:
                    problem = aws.explain(error, allow="cloudtrail:LookupEvents")
                    _log.warning("CloudTrail's history cannot be asked whose calls made a plan's drift: %s", problem)
                self._refused = True
                return None
        self._refused = False
        day = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d")
        return _by_attribute(replace(plan, drifted=tuple(wanted)), records, self._catalog, day)

    def _clients(self, account: str) -> Callable[[str], Any]:
        reach = self._config.aws
        known = next((a for a in self._config.accounts if a.id == account), Account(account))
        if account and (role := role_of(self._config, known)) is not None:
            reach = replace(reach, role_arn=role.role_arn, external_id=role.external_id)
        session = aws.session(reach)
        return lambda region: aws.client(reach, "cloudtrail", region, within=session)


def _mark(drifted: Drifted) -> str:
    return digest_of([drifted.instance.address, drifted.before, drifted.after], b"")


def _by_attribute(plan: Plan, records: list[Record], catalog: Catalog, since: str) -> Causes:
    found: dict[str, dict[str, Record]] = {}
    for part in blame(plan, records, catalog, since):
        # With another reason the call is one that came near it, and not the one that made it.
        if part.cause is None or part.reason not in ("", MASKED):
            continue
        attribute = re.split(r"[.\[]", part.path, maxsplit=1)[0]
        causes = found.setdefault(part.drifted.instance.address, {})
        known = causes.get(attribute)
        if known is None or known.time < part.cause.record.time:
            causes[attribute] = part.cause.record
    return found
