"""Looks for plans in the background, so that no record waits for one."""

import logging
import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from tfdrift_core import aws
from tfdrift_core.baseline.history import History
from tfdrift_core.baseline.look import Look
from tfdrift_core.baseline.places import Found, PlaceError, check, look
from tfdrift_core.blame.plan import PlanError
from tfdrift_core.config import Baseline, Config
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.metrics import Metrics
from tfdrift_core.terraform.scan import StateError
from tfdrift_core.verify.plan import Seen, parse

_log = logging.getLogger("tfdrift.baseline")
_LEAST_GAP: Final = 10.0
_POLL: Final = 0.2

Resource = tuple[str, str]
"""Address and id."""


class Reader:
    """The plans of ``baseline:``, each version once.  ``next`` gives what is ready; a thread of its own looks for it.

    ``known`` says which version of a plan was taken over, over restarts.

    :raises ConfigError: when an entry names no place.
    """

    def __init__(self, config: Config, catalog: Catalog, metrics: Metrics) -> None:
        for entry in config.baseline:
            check(entry)
        self._config, self._metrics = config, metrics
        self._stop = threading.Event()
        self._history = History(config, catalog, self._stop)
        self._ready: queue.Queue[Look] = queue.Queue(1)
        self._given: dict[str, str] = {}
        self._said: dict[str, str] = {}
        self._thread: threading.Thread | None = None
        self._once = threading.Event()
        self._known: Callable[[str], str] = lambda origin: ""

    def start(self, known: Callable[[str], str]) -> None:
        """Begin to look, once."""
        self._known = known
        if self._config.baseline and self._thread is None:
            self._metrics.add("baseline_plans", 0)
            self._metrics.add("baseline_errors", 0)
            self._thread = threading.Thread(target=self._run, name="tfdrift-baseline", daemon=True)
            self._thread.start()

    def next(self) -> Look | None:
        try:
            return self._ready.get_nowait()
        except queue.Empty:
            return None

    def again(self, look: Look) -> None:
        """This one was not taken over: it is given again."""
        self._given.pop(look.origin, None)

    @property
    def idle(self) -> bool:
        """Whether all that was there at the start was given."""
        return (self._thread is None or self._once.is_set()) and self._ready.empty()

    def close(self) -> None:
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            for entry in self._config.baseline:
                try:
                    self._look(entry)
                except Exception as error:  # noqa: BLE001 - a place that no one foresaw must not end the others
                    self._tell(entry.url, f"{entry.url}: {''.join(traceback.format_exception(error)).rstrip()}")
            self._once.set()
            self._stop.wait(max(self._config.refresh_interval, _LEAST_GAP))

    def _look(self, entry: Baseline) -> None:
        """Give every plan of a place that is new; of a resource, what the newest of them says."""
        try:
            found = look(entry, self._config)
        except PlaceError as error:
            self._tell(entry.url, str(error))
            return
        self._said.pop(entry.url, None)
        decided: set[Resource] = set()
        for plan in found:
            if plan.version in (self._given.get(plan.origin), self._known(plan.origin)):
                continue
            try:
                seen = self._read(plan)
            except PlanError as error:
                # Another version of it may be a plan.
                self._given[plan.origin] = plan.version
                self._tell(plan.origin, str(error))
                continue
            if seen is None:
                continue
            for given in self._looks(entry, plan, seen, decided):
                if not self._give(given):
                    return
            self._given[plan.origin] = plan.version
            drifted = {d.instance.address for d in seen.plan.drifted}
            decided |= {(a, id) for a, id in seen.held.items() if self._whole(entry, seen) or a in drifted}

    def _read(self, plan: Found) -> Seen | None:
        """``None`` where it is to be tried again.  :raises PlanError: when it is no plan."""
        try:
            data = plan.read()
        except StateError as error:
            self._tell(plan.origin, f"{plan.origin}: {error}")
        except OSError as error:
            self._tell(plan.origin, f"{plan.origin}: {error.strerror}")
        except aws.ERRORS as error:
            self._tell(plan.origin, f"{plan.origin}: {aws.explain(error, allow='s3:GetObject')}")
        else:
            seen = parse(data, plan.origin)
            self._metrics.add("baseline_plans")
            self._said.pop(plan.origin, None)
            return seen
        return None

    @staticmethod
    def _whole(entry: Baseline, seen: Seen) -> bool:
        """Whether the plan looked at everything; an assessment of HCP Terraform always does."""
        said_by_user = entry.complete or entry.url.startswith("hcp://")
        return said_by_user if seen.complete is None else seen.complete

    def _looks(self, entry: Baseline, plan: Found, seen: Seen, decided: set[Resource]) -> Iterator[Look]:
        if seen.changes and not entry.url.startswith("hcp://"):
            made = "terraform plan -refresh-only -out=drift.plan && terraform show -json drift.plan"
            problem = f"is a plan of changes, which may have been made since; make a plan with: {made}"
            self._tell(plan.origin, f"{plan.origin}: {problem}")
            return
        whole = self._whole(entry, seen)
        left = {address: id for address, id in seen.held.items() if (address, id) not in decided}
        drifted = tuple(d for d in seen.plan.drifted if d.instance.address in left)
        partly = "" if whole else "; it does not say that it looked at everything, so nothing has ended by it"
        _log.info("%s: %d of %d resources have drifted%s", plan.origin, len(drifted), len(left), partly)
        moment = min(seen.moment or plan.moment, time.time_ns())
        causes = self._history.causes(replace(seen.plan, drifted=drifted), entry.history)
        yield Look(plan.origin, plan.version, moment, whole, drifted, left, causes)

    def _give(self, given: Look) -> bool:
        while not self._stop.is_set():
            try:
                self._ready.put(given, timeout=_POLL)
            except queue.Full:
                continue
            return True
        return False

    def _tell(self, what: str, problem: str) -> None:
        """A problem is said once, until it is another one."""
        if self._said.get(what) != problem:
            self._metrics.add("baseline_errors")
            _log.error("%s", problem)
        self._said[what] = problem
