"""Amazon SQS: the fast path.  EventBridge puts each record into a queue seconds after the change."""

import heapq
import itertools
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from botocore.exceptions import ClientError

from tfdrift_core.cloudtrail.envelope import Message, PoisonError, unwrap
from tfdrift_core.cloudtrail.files import DamagedError
from tfdrift_core.cloudtrail.health import AWS_ERRORS, Health, code_of
from tfdrift_core.cloudtrail.objects import GONE, fetch, unpack
from tfdrift_core.cloudtrail.places import Scope
from tfdrift_core.cloudtrail.pump import QUEUE_BYTES
from tfdrift_core.cloudtrail.source import Batch, SourceError
from tfdrift_core.metrics import Metrics

BATCH: Final = 10
"""SQS's own limit of messages in one request."""

WAIT: Final = 5
"""Seconds of one long poll: closing the source has to wait for the one under way."""

VISIBILITY: Final = 120.0
LONGEST_HOLD: Final = 11.5 * 3600
"""SQS lets no message be hidden for more than 12 hours."""

SETTLING: Final = 0.2
"""Seconds that a message is held back, so that records of one resource which arrive crosswise are put in order."""

IN_FLIGHT: Final = 1000
POISON_REMEMBERED: Final = 10_000

_NAME = re.compile(r"^(?:(?P<account>\d{12})/)?(?P<name>[A-Za-z0-9_-]{1,80}(?:\.fifo)?)$")
_ARN = re.compile(r"^arn:[a-z-]+:sqs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<name>[A-Za-z0-9_.-]+)$")
_URL_REGION = re.compile(r"^https?://(?:sqs[.-]([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com")

_log = logging.getLogger("tfdrift.cloudtrail.sqs")


@dataclass(frozen=True, slots=True)
class Queue:
    """What a user may call a queue: a URL, or a name with the account and region where they are given."""

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


@dataclass(order=True, slots=True)
class _Ready:
    """A message that waits for its turn: by the time of its record, then by SQS's own time of arrival."""

    time: str
    sent: int
    number: int
    batch: Batch = field(compare=False)


class Sqs:
    """One queue.  Several processes may read the same queue: SQS gives each message to one of them.

    A message is deleted once its batch is acknowledged; until then it is kept hidden, and a message that is given up
    appears again for others.
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
    ) -> None:
        """``make_client`` makes a client of a service in a region (``""``: the default one)."""
        self.name = f"sqs://{queue.url or queue.name}"
        self._queue, self._make_client, self._scope, self._metrics = queue, make_client, scope, metrics
        self._visibility, self._receivers = max(2, int(visibility)), receivers
        self._url = queue.url
        self._stop = threading.Event()
        self._health = Health(self.name, "sqs", metrics, self._stop)
        self._objects_health = Health(f"{self.name}: objects", "s3", metrics, self._stop)
        self._changed = threading.Condition()
        self._held: dict[str, _Held] = {}
        self._ready: list[_Ready] = []
        self._due: deque[tuple[float, int]] = deque()
        self._waiting: set[int] = set()
        self._bytes = 0
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
            self._start(lambda first=number == 0: self._receive(first))  # type: ignore[misc]
        self._start(self._housekeep)
        while not self._stop.is_set():
            yield self._next()
        if self._failed:
            raise SourceError(f"{self.name}: stopped by a defect, see the log")

    def _next(self) -> Batch | None:
        with self._changed:
            while self._due and self._due[0][1] not in self._waiting:
                self._due.popleft()
            wait = self._due[0][0] - time.monotonic() if self._due else 0.5
            if wait > 0:
                self._changed.wait(min(wait, 0.5))
            # As soon as any message has waited long enough, the oldest record goes: else newer arrivals could hold it.
            if not self._due or self._due[0][0] > time.monotonic():
                return None
            ready = heapq.heappop(self._ready)
            self._waiting.discard(ready.number)
            self._bytes -= sum(map(len, ready.batch.documents))
            self._changed.notify_all()
            return ready.batch

    def acknowledge(self, batch: Batch) -> None:
        with self._changed:
            self._done.append(str(batch.token))
            self._changed.notify_all()

    def close(self) -> None:
        """Deletes what was acknowledged, gives back what was not, and ends the threads."""
        with self._changed:
            self._stop.set()
            self._busy.set()
            self._changed.notify_all()
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
                while not self._stop.is_set() and (len(self._held) >= IN_FLIGHT or self._bytes >= QUEUE_BYTES):
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
                self._health.failed(error, "receive messages")
                continue
            self._health.worked()
            messages = answer.get("Messages", [])
            if len(messages) == BATCH:
                self._busy.set()
            elif not self._stop.is_set():
                self._busy.clear()
            self._take(messages)

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

    def _open(self, message: dict[str, Any]) -> None:
        name = message["MessageId"]
        try:
            content = unwrap(message["Body"])
            documents, origin = self._documents(content, name)
        except (PoisonError, DamagedError) as error:
            self._refuse(name, error)
            return
        except AWS_ERRORS as error:
            if code_of(error) in GONE:
                self._refuse(name, error)
                return
            with self._changed:
                self._held.pop(name, None)
            # It appears again after its visibility timeout.
            self._objects_health.failed(error, f"read {_names(content.objects)}")
            return
        sent = int(message.get("Attributes", {}).get("SentTimestamp", 0))
        size = sum(map(len, documents))
        batch = Batch(origin, documents, name)
        with self._changed:
            if not documents:
                self._done.append(name)
            else:
                number = next(self._numbers)
                heapq.heappush(self._ready, _Ready(content.time, sent, number, batch))
                self._due.append((time.monotonic() + SETTLING, number))
                self._waiting.add(number)
                self._bytes += size
            self._changed.notify_all()

    def _documents(self, content: Message, name: str) -> tuple[tuple[bytes, ...], str]:
        if content.document:
            return (content.document,), f"{self.name} message {name}"
        held: list[bytes] = []
        places = [place for place in content.objects if self._scope.wants(place[1])]
        for bucket, key in places:
            documents, problem = unpack(fetch(self._s3, bucket, key, self._parts))
            self._objects_health.worked()
            if problem:
                self._objects_health.note("s3://%s/%s: %s; what was before is read", bucket, key, problem)
            held.extend(documents)
        return tuple(held), _names(places)

    def _refuse(self, name: str, error: Exception) -> None:
        """Left alone: it comes again until the queue's redrive policy puts it into the dead-letter queue."""
        with self._changed:
            self._held.pop(name, None)
            known = name in self._poison
            self._poison[name] = None
            if len(self._poison) > POISON_REMEMBERED:
                del self._poison[next(iter(self._poison))]
        if not known:
            self._metrics.add("poison_messages")
            self._health.note("message %s cannot be used: %s; left to the queue's redrive policy", name, error)

    def _housekeep(self) -> None:
        """Deletes what was acknowledged and keeps the rest hidden; in a thread of its own, both take time."""
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
            entries = [
                {"Id": str(i), "ReceiptHandle": self._held[name].receipt}
                for i, name in enumerate(names)
                if name in self._held
            ]
        if entries:
            answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
            for fault in answer.get("Failed", []):
                if not fault.get("SenderFault"):
                    raise ClientError({"Error": fault}, "DeleteMessageBatch")
                self._health.note("message %s: not deleted: %s", names[int(fault["Id"])], fault.get("Message"))
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
                held = [self._held[name] for name in names[begin : begin + BATCH] if name in self._held]
            entries = [
                {"Id": str(i), "ReceiptHandle": item.receipt, "VisibilityTimeout": seconds}
                for i, item in enumerate(held)
            ]
            if entries:
                self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
                for item in held:
                    item.hidden_until = time.monotonic() + seconds


def _names(places: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"s3://{bucket}/{key}" for bucket, key in places)
