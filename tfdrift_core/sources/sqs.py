"""Amazon SQS: the fast path.  EventBridge puts each record into a queue seconds after the change."""

import heapq
import itertools
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from botocore.exceptions import ClientError, ParamValidationError

from tfdrift_core.metrics import Metrics
from tfdrift_core.records.envelope import Message, PoisonError, RefusedError, unwrap
from tfdrift_core.records.places import ANYWHERE, Place, Scope, place_of
from tfdrift_core.records.sift import Document, Packed, Sifter
from tfdrift_core.sources.base import Batch, SourceError
from tfdrift_core.sources.files import DamagedError
from tfdrift_core.sources.health import AWS_ERRORS, Health, code_of, pause
from tfdrift_core.sources.objects import GONE, fetch, unpack

BATCH: Final = 10
"""SQS's own limit of messages in one request."""

WAIT: Final = 2
"""Seconds of one long poll: closing the source has to wait for the one under way."""

VISIBILITY: Final = 120.0
LONGEST_HOLD: Final = 11.5 * 3600
"""SQS lets no message be hidden for more than 12 hours."""

SETTLING: Final = 0.2
"""Seconds that a message is held back, so that records of one resource which arrive crosswise are put in order."""

AHEAD: Final = 2 * BATCH
"""Messages for each receiver that are taken from the queue before Falco takes any.  SQS counts what is given back as
received, and moves a message that was received too often to the dead-letter queue: a restart may touch only a few."""

IN_FLIGHT: Final = 1000
"""Messages that are held at most when Falco is fast; see ``_has_room``."""

HELD_BYTES: Final = 64 << 20
"""Of documents that wait for Falco; those that settle are among them."""

PUT_OFF: Final = 1000
"""Messages beyond those that are kept because their files cannot be read now."""

SLOW: Final = 2.0
"""Seconds after which a message whose files are still being read makes room for another one."""

LONGEST_RETRY: Final = 1800.0
GIVEN_BACK: Final = 900
"""Seconds that a message is kept while its files cannot be read, and that it is then left in the queue.  100 times both
is three days: before a message ends, after SQS's usual four days, it is in the dead-letter queue."""

POISON_REMEMBERED: Final = 10_000

_NAME = re.compile(r"^(?:(?P<account>\d{12})/)?(?P<name>[A-Za-z0-9_-]{1,80}(?:\.fifo)?)$")
_ARN = re.compile(r"^arn:[a-z-]+:sqs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<name>[A-Za-z0-9_.-]+)$")
_URL_REGION = re.compile(r"^https?://(?:sqs[.-]([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com")

_File = tuple[str, tuple[Document | Packed, ...], Place]

_log = logging.getLogger("tfdrift.cloudtrail.sqs")


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue as a user names it: a URL, or a name with the account and region if they are given."""

    url: str = ""
    name: str = ""
    account: str = ""
    region: str = ""


def parse_queue(text: str) -> Queue:
    """``name``, ``account/name``, ARN or URL.

    :raises SourceError: for anything else.
    """
    if text.startswith(("https://", "http://")):
        match = _URL_REGION.match(text)
        return Queue(url=text, region=(match[1] or match[2]) if match else "")
    if match := _ARN.match(text):
        return Queue(name=match["name"], account=match["account"], region=match["region"])
    if match := _NAME.match(text):
        return Queue(name=match["name"], account=match["account"] or "")
    raise SourceError(f"sqs://{text}: not a queue; write sqs://name, sqs://account-id/name, sqs://ARN or sqs://URL")


@dataclass(slots=True)
class _Held:
    """A message that was received and not yet deleted."""

    receipt: str
    received: float
    hidden_until: float


@dataclass(slots=True)
class _Reading:
    """A message whose files are to be read, for the first time or again."""

    name: str
    content: Message
    sent: int
    since: float
    failures: int = 0


@dataclass(order=True, slots=True)
class _Ready:
    """A message in line, ordered by the time of its record, then by the time when SQS got it."""

    time: str
    sent: int
    number: int
    batch: Batch = field(compare=False)


class Sqs:
    """One queue.  Several processes may read the same queue: SQS gives each message to one of them.

    A message is deleted once its batch is acknowledged; until then it is kept hidden, and a message that is given up
    appears again for others.  A message whose files cannot be read now is kept, and they are tried again at a time of
    its own while everything else goes on.
    """

    finite = False

    def __init__(
        self,
        queue: Queue,
        make_client: Callable[[str, str], Any],
        scope: Scope,
        metrics: Metrics,
        *,
        visibility: float = VISIBILITY,
        receivers: int = 4,
        buckets: Collection[str] = (),
        sifter: Sifter | None = None,
    ) -> None:
        """``make_client`` makes a client of a service in a region (``""``: the default one).

        Only files of ``buckets`` are read: who may send to the queue may name any.
        """
        self.name = f"sqs://{queue.url or queue.name}"
        self._queue, self._make_client, self._scope, self._metrics = queue, make_client, scope, metrics
        self._visibility, self._receivers, self._sifter = max(2, int(visibility)), receivers, sifter
        self._url, self._buckets = queue.url, frozenset(buckets)
        self._stop = threading.Event()
        self._health = Health(self.name, "sqs", metrics, self._stop)
        self._objects_health = Health(f"{self.name}: objects", "s3", metrics, self._stop)
        lock = threading.RLock()
        self._changed = threading.Condition(lock)
        self._readable = threading.Condition(lock)
        self._held: dict[str, _Held] = {}
        self._ready: list[_Ready] = []
        self._due: deque[tuple[float, int]] = deque()
        self._waiting: set[int] = set()
        self._bytes = 0
        self._to_read: list[tuple[float, int, _Reading]] = []
        self._reading: dict[str, _Reading] = {}
        self._taken: deque[float] = deque()
        self._under_way = 0
        self._done: deque[str] = deque()
        self._numbers = itertools.count()
        self._busy = threading.Event()
        self._poison: dict[str, None] = {}
        self._threads: list[threading.Thread] = []
        self._failed = False

    def batches(self) -> Iterator[Batch | None]:
        # Clients are made here: botocore's loading of its models is not safe to run in two threads at once.
        self._client = self._make_client("sqs", self._queue.region)
        self._s3 = self._make_client("s3", "")
        self._parts = ThreadPoolExecutor(4, thread_name_prefix="tfdrift-sqs-part")
        for number in range(self._receivers):
            self._start(partial(self._receive, number == 0))
            self._start(self._read)
        self._start(self._housekeep)
        while not self._stop.is_set():
            yield self._next()
        if self._failed:
            raise SourceError(f"{self.name}: stopped by a defect, see the log")

    def _next(self) -> Batch | None:
        with self._changed:
            while self._due and self._due[0][1] not in self._waiting:
                self._due.popleft()
            # The caller looks for what can be acknowledged only when it is given something, or None.
            longest = 0.05 if self._under_way else 0.5
            wait = self._due[0][0] - time.monotonic() if self._due else longest
            if wait > 0:
                self._changed.wait(min(wait, longest))
            # As soon as any message has waited long enough, the oldest record goes: else newer arrivals could hold it.
            if not self._due or self._due[0][0] > time.monotonic():
                return None
            ready = heapq.heappop(self._ready)
            self._waiting.discard(ready.number)
            self._bytes -= sum(map(len, ready.batch.documents))
            self._under_way += 1
            self._changed.notify_all()
            return ready.batch

    def acknowledge(self, batch: Batch) -> None:
        with self._changed:
            self._under_way -= 1
            self._taken.append(time.monotonic())
            if batch.token is not None:
                self._done.append(str(batch.token))
            self._changed.notify_all()

    def close(self) -> None:
        """Deletes what was acknowledged, gives back what was not, and ends the threads."""
        with self._changed:
            self._stop.set()
            self._busy.set()
            self._changed.notify_all()
            self._readable.notify_all()
        for thread in self._threads:
            thread.join()
        if not self._threads:
            return
        self._parts.shutdown()
        try:
            while self._done:
                self._delete()
            self._hide(list(self._held), 0)
        except AWS_ERRORS as error:
            _log.warning(
                "%s: %d messages come again after their visibility timeout: %s", self.name, len(self._held), error
            )
        self._threads.clear()
        self._held.clear()

    def _start(self, work: Callable[[], None]) -> None:
        def run() -> None:
            fine = False
            try:
                work()
                fine = True
            finally:
                if not fine:
                    self._failed = True
                    self._stop.set()

        thread = threading.Thread(target=run, name="tfdrift-sqs", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _receive(self, first: bool) -> None:
        """Long polling.  The other receivers join in only while the queue has more than one request can take."""
        while not self._stop.is_set():
            if not first:
                self._busy.wait()
            with self._changed:
                while not self._stop.is_set() and not self._has_room():
                    self._changed.wait(1.0)
            if self._stop.is_set():
                return
            try:
                if not self._url:
                    self._url = self._find()
                answer = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=BATCH,
                    WaitTimeSeconds=WAIT if first else 0,
                    VisibilityTimeout=self._visibility,
                    AttributeNames=["SentTimestamp"],
                )
            except AWS_ERRORS as error:
                if self._queue.name and code_of(error).endswith(("NonExistentQueue", "QueueDoesNotExist")):
                    # It may be made again, under another URL.
                    self._url = ""
                self._health.failed(error, f"receive messages from {self._where()}")
                continue
            self._health.worked()
            messages = answer.get("Messages", [])
            if len(messages) == BATCH:
                self._busy.set()
            elif not self._stop.is_set():
                self._busy.clear()
            self._take(messages)

    def _where(self) -> str:
        account = self._queue.account or "of these credentials"
        return f"region {self._client.meta.region_name}, account {account}"

    def _find(self) -> str:
        owner = {"QueueOwnerAWSAccountId": self._queue.account} if self._queue.account else {}
        url: str = self._client.get_queue_url(QueueName=self._queue.name, **owner)["QueueUrl"]
        return url

    def _take(self, messages: list[dict[str, Any]]) -> None:
        now = time.monotonic()
        with self._changed:
            for message in messages:
                self._held[message["MessageId"]] = _Held(message["ReceiptHandle"], now, now + self._visibility)
        for message in messages:
            if self._stop.is_set():
                return
            self._open(message)

    def _has_room(self) -> bool:
        """Whether to ask for more: the source stays at most four seconds of Falco's work ahead."""
        now = time.monotonic()
        while self._taken and self._taken[0] < now - 1:
            self._taken.popleft()
        slow = sum(reading.failures > 0 or now - reading.since > SLOW for reading in self._reading.values())
        waiting = len(self._held) - len(self._done) - slow
        return (
            waiting < min(IN_FLIGHT, AHEAD * self._receivers + 4 * len(self._taken))
            and len(self._held) < IN_FLIGHT + PUT_OFF
            and self._bytes < HELD_BYTES
        )

    def _open(self, message: dict[str, Any]) -> None:
        name = message["MessageId"]
        try:
            content = unwrap(message["Body"])
            sent = int(message.get("Attributes", {}).get("SentTimestamp", 0))
            content = replace(content, objects=tuple(it for it in content.objects if self._scope.wants(it[1])))
        except Exception as error:  # noqa: BLE001 - whatever one message holds, the others go on
            self._refuse(name, error)
            return
        if content.document:
            self._give(name, content, sent, (content.document,), f"{self.name} message {name}")
        elif content.objects:
            with self._changed:
                # One that comes again while it is being read is the same one, with a newer receipt.
                if name not in self._reading:
                    self._reading[name] = reading = _Reading(name, content, sent, time.monotonic())
                    self._read_at(time.monotonic(), reading)
        else:
            with self._changed:
                self._done.append(name)

    def _give(
        self,
        name: str | None,
        content: Message,
        sent: int,
        documents: tuple[Document | Packed, ...],
        origin: str,
        place: Place = ANYWHERE,
    ) -> None:
        """Gives a batch.  ``name`` is the message that is finished with this batch, or None."""
        with self._changed:
            number = next(self._numbers)
            batch = Batch(origin, documents, name, place=place)
            heapq.heappush(self._ready, _Ready(content.time, sent, number, batch))
            self._due.append((time.monotonic() + SETTLING, number))
            self._waiting.add(number)
            self._bytes += sum(map(len, documents))
            self._changed.notify_all()

    def _read_at(self, moment: float, reading: _Reading) -> None:
        heapq.heappush(self._to_read, (moment, next(self._numbers), reading))
        self._readable.notify()

    def _read(self) -> None:
        """Reads the files that messages name, in threads of their own: S3's trouble must not hold up the queue."""
        while (reading := self._next_to_read()) is not None:
            name, places = reading.name, reading.content.objects
            try:
                files, refused = self._files(places)
            except AWS_ERRORS as error:
                self._put_off(reading, error)
            except Exception as error:  # noqa: BLE001 - whatever one message names, the others go on
                self._refuse(name, error)
            else:
                with self._changed:
                    del self._reading[name]
                    mended = not any(other.failures for other in self._reading.values())
                for number, (origin, documents, place) in enumerate(files, 1):
                    # Batches of one message come in this order, so that it is done with when its last one is.
                    whole = name if refused is None and number == len(files) else None
                    self._give(whole, reading.content, reading.sent, documents, origin, place)
                if refused is not None:
                    self._refuse(name, refused)
                if mended:
                    self._objects_health.worked()

    def _next_to_read(self) -> _Reading | None:
        with self._readable:
            while not self._stop.is_set():
                wait = self._to_read[0][0] - time.monotonic() if self._to_read else None
                if self._bytes >= HELD_BYTES:
                    wait = 1.0
                elif wait is not None and wait <= 0:
                    return heapq.heappop(self._to_read)[2]
                self._readable.wait(wait)
        return None

    def _put_off(self, reading: _Reading, error: Exception) -> None:
        """Keeps the message and tries again later.  Giving it back to SQS would count as a receive."""
        self._objects_health.told(error, f"read {_names(reading.content.objects)}")
        now = time.monotonic()
        with self._changed:
            held = self._held.get(reading.name)
            others = sum(len(other.content.objects) for other in self._reading.values() if other.failures)
            if held is not None and now - held.received < LONGEST_RETRY and others < PUT_OFF:
                self._read_at(now + pause(reading.failures), reading)
                reading.failures += 1
                self._changed.notify_all()
                return
            del self._reading[reading.name]
        try:
            self._hide([reading.name], GIVEN_BACK)
        except AWS_ERRORS as unhidden:
            _log.warning("%s: a message comes again after its visibility timeout: %s", self.name, unhidden)
        with self._changed:
            self._held.pop(reading.name, None)
            self._changed.notify_all()

    def _files(self, objects: Iterable[tuple[str, str]]) -> tuple[list[_File], PoisonError | None]:
        """Each file with its documents and place, and the files that can or may never be read.

        :raises ClientError: and botocore's other errors, when a file cannot be read now.
        """
        held: list[_File] = []
        refused: PoisonError | None = None
        for bucket, key in objects:
            if bucket not in self._buckets:
                refused = RefusedError(
                    f"it names s3://{bucket}/{key}, and no source names that bucket; if it is your trail's, write"
                    f" {self.name}?buckets={bucket}"
                )
                continue
            try:
                documents, problem = unpack(fetch(self._s3, bucket, key, self._parts), self._sifter)
            except AWS_ERRORS as error:
                if code_of(error) not in GONE and not isinstance(error, ParamValidationError):
                    raise
                refused = PoisonError(f"s3://{bucket}/{key}: {error}")
                continue
            if problem:
                self._objects_health.note("s3://%s/%s: %s; what was before is read", bucket, key, problem)
            held.append((f"s3://{bucket}/{key}", documents, place_of(key)))
        return held, refused

    def _refuse(self, name: str, error: Exception) -> None:
        """Leaves a message alone: it comes again until the queue's redrive policy moves it to the dead-letter queue."""
        with self._changed:
            self._held.pop(name, None)
            self._reading.pop(name, None)
            known = name in self._poison
            self._poison[name] = None
            if len(self._poison) > POISON_REMEMBERED:
                del self._poison[next(iter(self._poison))]
        if not known:
            self._metrics.add("poison_messages")
            if isinstance(error, RefusedError):
                self._metrics.add("messages_refused")
            known_form = isinstance(error, (PoisonError, DamagedError, *AWS_ERRORS))
            problem = str(error) if known_form else f"please report this: {error!r}"
            self._health.note("message %s cannot be used: %s; left to the queue's redrive policy", name, problem)

    def _housekeep(self) -> None:
        """Deletes what was acknowledged and keeps the rest hidden, in a thread of its own, since both take time."""
        health = Health(self.name, "sqs", self._metrics, self._stop)
        while not self._stop.is_set():
            with self._changed:
                if len(self._done) < BATCH:
                    # A little later there are more to delete in one request.
                    self._changed.wait_for(lambda: self._stop.is_set() or len(self._done) >= BATCH, 0.25)
            try:
                while self._done and not self._stop.is_set():
                    self._delete()
                self._extend()
            except AWS_ERRORS as error:
                health.failed(error, "delete messages or keep them hidden")
            else:
                health.worked()

    def _delete(self) -> None:
        with self._changed:
            names = list(itertools.islice(self._done, BATCH))
            entries = {name: {"ReceiptHandle": self._held[name].receipt} for name in names if name in self._held}
        for name, fault in self._request("delete_message_batch", entries).items():
            self._health.note("message %s: not deleted: %s", name, fault)
        with self._changed:
            for name in names:
                self._done.popleft()
                self._held.pop(name, None)
            self._changed.notify_all()

    def _extend(self) -> None:
        now = time.monotonic()
        with self._changed:
            due = [
                name
                for name, held in self._held.items()
                if held.hidden_until - now < self._visibility / 2 and now - held.received < LONGEST_HOLD
            ]
        self._hide(due, self._visibility)

    def _hide(self, names: list[str], seconds: int) -> None:
        for begin in range(0, len(names), BATCH):
            with self._changed:
                held = {name: self._held[name] for name in names[begin : begin + BATCH] if name in self._held}
            entries = {
                name: {"ReceiptHandle": item.receipt, "VisibilityTimeout": seconds} for name, item in held.items()
            }
            until = time.monotonic() + seconds
            faults = self._request("change_message_visibility_batch", entries)
            for name, item in held.items():
                # One that SQS does not take for ours any more comes again: there is nothing to extend.
                item.hidden_until = until if name not in faults else float("inf")
            for name, fault in faults.items():
                self._health.note("message %s: not kept hidden, it comes again: %s", name, fault)

    def _request(self, operation: str, entries: dict[str, dict[str, Any]]) -> dict[str, str]:
        """Makes one request for several messages; gives those for which it can never succeed, with the reason.

        :raises ClientError: when it failed for a message that may succeed later.
        """
        if not entries:
            return {}
        names = list(entries)
        numbered = [{"Id": str(number), **entries[name]} for number, name in enumerate(names)]
        answer = getattr(self._client, operation)(QueueUrl=self._url, Entries=numbered)
        faults = answer.get("Failed", [])
        for fault in faults:
            if not fault.get("SenderFault"):
                raise ClientError({"Error": fault}, operation)
        return {names[int(fault["Id"])]: fault.get("Message") or fault.get("Code", "") for fault in faults}


def _names(places: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"s3://{bucket}/{key}" for bucket, key in places)
