"""Open drift that replicas share: a DynamoDB table in place of ``data_dir``, for what each of them has to know.

Replicas that read one queue get different records of one resource.  Here each finds what the others left of it, and of
an event that two of them make only one is told.  A table that cannot be reached stops nothing: each goes on with what
it knows, says so once, and writes what is missing when the table is back.

Items, by ``kind`` and ``id``: ``left`` (what was left of a resource), ``event`` (who tells it), ``ack``, ``verified``
(what ``tfdrift verify`` found of a resource) and ``salt``.
"""

import hashlib
import logging
import os
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError

from tfdrift_core import aws
from tfdrift_core.config import Aws
from tfdrift_core.delivery.drifts import Acknowledgement, Documents, Key, Left, StoreError, store_of

LEASE_SECONDS: Final = 20.0
"""So long a replica may take to hand an event over; then another one that has the record tells it."""


_KEPT_SECONDS: Final = 7 * 86_400
_POLL_SECONDS: Final = 0.5
_FOUND_SECONDS: Final = 30.0
_MAX_WAITING: Final = 10_000
_MAX_DOCUMENT: Final = 64 << 20
"""Bytes of a document; an item has 400 KB at most, which may be made to unpack to a thousand times as much."""

_Answer = TypeVar("_Answer")
_log = logging.getLogger("tfdrift.store")


class SharedStore:
    """One table, as one replica sees it.  Safe to use from several threads.

    ``replica`` names this one over restarts.  Nothing is asked of AWS before the first call.
    """

    def __init__(
        self,
        url: str,
        reach: Aws,
        replica: str = "",
        *,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._table, self._reach = store_of(url, reach)
        self._url = f"dynamodb://{self._table}"
        self._replica = replica or uuid.uuid4().hex
        self._clock, self._wait = clock, wait
        self._known_client: Any = None
        self._lock = threading.Lock()
        self._waiting: dict[Key, Left] = {}
        self._failing = False
        self._asked_at = 0.0

    # --- what a pipeline asks; never raises ---

    @property
    def salt(self) -> bytes:
        """The salt, the same for every replica: each can see that a secret is the one that another left.

        :raises StoreError: when the table cannot be read: without the salt nothing that others left can be compared.
        """
        value = os.urandom(16)
        made = {"kind": {"S": "salt"}, "id": {"S": "salt"}, "value": {"B": value}}
        try:
            self._client.put_item(TableName=self._table, Item=made, ConditionExpression="attribute_not_exists(id)")
            return value
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise self._trouble(error) from error
        except aws.ERRORS as error:
            raise self._trouble(error) from error
        return self._asked(lambda: bytes(self._get("salt", "salt")["value"]["B"]))

    def owns(self, event_id: str) -> bool:
        """Whether this replica tells the event.  Waits for a replica that claimed it and may have died."""
        while True:
            holder: dict[str, Any] | None = self._try(partial(self._claim, event_id))
            if holder is None:
                return True
            if holder.get("done", {}).get("BOOL"):
                return False
            self._wait(_POLL_SECONDS)

    def done(self, event_ids: Iterable[str]) -> None:
        """Mark events as handed over, so that no other replica takes them over."""
        for event_id in event_ids:
            self._try(partial(self._finish, event_id))

    def recall(self, key: Key) -> Left | None:
        """How the last replica left a resource; ``None`` if none did or the table cannot be read."""
        with self._lock:
            if key in self._waiting:
                return self._waiting[key]
        return self._try(lambda: _left(self._get("left", _name(key))))

    def keep(self, documents: Documents, moment: int) -> None:
        """Keep what a batch left, whose newest record is of that time; what is there from a newer record stays."""
        with self._lock:
            for key, document in documents.items():
                self._waiting.pop(key, None)
                self._waiting[key] = Left(moment, document)
                if len(self._waiting) > _MAX_WAITING:
                    del self._waiting[next(iter(self._waiting))]
            waiting = dict(self._waiting)
        for key, left in waiting.items():
            if not self._try(partial(self._put, key, left)):
                return
            with self._lock:
                if self._waiting.get(key) is left:
                    del self._waiting[key]

    def remembered(self) -> Sequence[tuple[Key, bytes]]:
        return self._try(self.documents) or ()

    def silenced(self) -> frozenset[str]:
        now = self._clock()
        return frozenset(id for id, note in (self._try(self.acknowledgements) or {}).items() if note.holds(now))

    def found(self) -> Sequence[tuple[Key, bytes]]:
        """What ``tfdrift verify`` found and no replica took over.  Asks the table every half minute."""
        now = self._clock()
        if 0 <= now - self._asked_at < _FOUND_SECONDS:
            return ()
        self._asked_at = now
        return self._try(self.verified) or ()

    def taken(self, found: Iterable[tuple[Key, bytes]]) -> None:
        """Mark a finding as settled.  A newer one stays."""
        for key, document in found:
            self._try(partial(self._take, key, document))

    # --- what people ask; raises StoreError ---

    def verify(self, findings: Mapping[Key, bytes]) -> None:
        """:raises StoreError: when the table cannot be written."""
        for key, document in findings.items():
            expires = {"N": str(int(self._clock()) + _KEPT_SECONDS)}
            item = {
                "kind": {"S": "verified"},
                "id": {"S": _name(key)},
                "document": {"B": zlib.compress(document)},
                "mark": {"S": _mark(document)},
                "expires": expires,
            }
            self._asked(partial(self._client.put_item, TableName=self._table, Item=item))

    def verified(self) -> Sequence[tuple[Key, bytes]]:
        """:raises StoreError: when the table cannot be read."""
        items = self._asked(lambda: list(self._all("verified")))
        found = []
        for item in items:
            try:
                found.append((_key(item["id"]["S"]), _unpacked(bytes(item["document"]["B"]))))
            except (KeyError, TypeError, ValueError, zlib.error):
                _log.debug("%s: a finding of another version is left out", self._url)
        return found

    def documents(self) -> list[tuple[Key, bytes]]:
        """What is remembered of every resource.  :raises StoreError: when the table cannot be read."""
        items = self._asked(lambda: list(self._all("left")))
        found = ((_key(item["id"]["S"]), _left(item)) for item in items)
        return [(key, left.document) for key, left in found if left is not None and left.document is not None]

    def acknowledgements(self) -> Mapping[str, Acknowledgement]:
        """:raises StoreError: when the table cannot be read."""
        items = self._asked(lambda: list(self._all("ack")))
        return {item["id"]["S"]: _acknowledgement(item) for item in items}

    def acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """:raises StoreError: when the table cannot be written."""
        item: dict[str, Any] = {
            "kind": {"S": "ack"},
            "id": {"S": acknowledgement.id},
            "reason": {"S": acknowledgement.reason},
            "by": {"S": acknowledgement.by},
            "at": {"N": str(acknowledgement.at)},
        }
        if acknowledgement.until is not None:
            item["until"] = {"N": str(acknowledgement.until)}
        self._asked(lambda: self._client.put_item(TableName=self._table, Item=item))

    def withdraw(self, id: str) -> bool:
        """:raises StoreError: when the table cannot be written."""
        key = {"kind": {"S": "ack"}, "id": {"S": id}}
        answer = self._asked(lambda: self._client.delete_item(TableName=self._table, Key=key, ReturnValues="ALL_OLD"))
        return "Attributes" in answer

    # --- the table ---

    @property
    def _client(self) -> Any:
        if self._known_client is None:
            self._known_client = aws.client(self._reach, "dynamodb")
        return self._known_client

    def _get(self, kind: str, id: str) -> Mapping[str, Any]:
        key = {"kind": {"S": kind}, "id": {"S": id}}
        answer = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        item: Mapping[str, Any] = answer.get("Item", {})
        return item

    def _all(self, kind: str) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="kind = :kind",
            ExpressionAttributeValues={":kind": {"S": kind}},
        )
        for page in pages:
            yield from page["Items"]

    def _claim(self, event_id: str) -> dict[str, Any] | None:
        """``None`` when this replica tells the event now, else the item of the one that does."""
        now = self._clock()
        item = {
            "kind": {"S": "event"},
            "id": {"S": event_id},
            "owner": {"S": self._replica},
            "at": {"N": str(now)},
            "done": {"BOOL": False},
            "expires": {"N": str(int(now) + _KEPT_SECONDS)},
        }
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(id) OR #owner = :me OR (done = :no AND #at < :late)",
                ExpressionAttributeNames={"#owner": "owner", "#at": "at"},
                ExpressionAttributeValues={
                    ":me": {"S": self._replica},
                    ":no": {"BOOL": False},
                    ":late": {"N": str(now - LEASE_SECONDS)},
                },
            )
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise
            return dict(self._get("event", event_id)) or None
        return None

    def _finish(self, event_id: str) -> None:
        self._client.update_item(
            TableName=self._table,
            Key={"kind": {"S": "event"}, "id": {"S": event_id}},
            UpdateExpression="SET done = :yes",
            ExpressionAttributeValues={":yes": {"BOOL": True}},
        )

    def _take(self, key: Key, document: bytes) -> bool:
        try:
            self._client.delete_item(
                TableName=self._table,
                Key={"kind": {"S": "verified"}, "id": {"S": _name(key)}},
                ConditionExpression="mark = :mark",
                ExpressionAttributeValues={":mark": {"S": _mark(document)}},
            )
        except ClientError as error:
            if _code(error) != "ConditionalCheckFailedException":
                raise
        return True

    def _put(self, key: Key, left: Left) -> bool:
        item: dict[str, Any] = {
            "kind": {"S": "left"},
            "id": {"S": _name(key)},
            "moment": {"N": str(left.moment)},
        }
        if left.document is None:
            # It stays a while, so that no older record of another replica brings back what is over.
            item["expires"] = {"N": str(int(self._clock()) + _KEPT_SECONDS)}
        else:
            item["document"] = {"B": zlib.compress(left.document)}
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(id) OR moment <= :moment",
                ExpressionAttributeValues={":moment": {"N": str(left.moment)}},
            )
        except ClientError as error:
            if _code(error) == "ConditionalCheckFailedException":
                return True
            if _code(error) != "ValidationException":
                raise
            # Nothing that is done later would make it fit.
            _log.error("%s: %s is not shared with other replicas: %s", self._url, key[1], aws.explain(error))
        return True

    def _asked(self, call: Callable[[], _Answer]) -> _Answer:
        try:
            return call()
        except aws.ERRORS as error:
            raise self._trouble(error) from error

    def _try(self, call: Callable[[], _Answer]) -> _Answer | None:
        """The table's answer, or ``None`` without one.  Logs once when trouble begins and once when it ends."""
        try:
            answer = call()
        except (*aws.ERRORS, StoreError) as error:
            if not self._failing:
                said = str(error) if isinstance(error, StoreError) else str(self._trouble(error))
                _log.error("%s; until it can be used again this replica knows of its own records only", said)
            self._failing = True
            return None
        if self._failing:
            _log.warning("%s: can be used again", self._url)
        self._failing = False
        return answer

    def _trouble(self, error: aws.AwsError) -> StoreError:
        return StoreError(f"{self._url}: {aws.explain(error, allow='what tfdrift doctor --iam-policy prints')}")


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _mark(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()


def _name(key: Key) -> str:
    return "\0".join(key)


def _key(name: str) -> Key:
    state, _, address = name.partition("\0")
    return state, address


def _left(item: Mapping[str, Any]) -> Left | None:
    if not item:
        return None
    document = item.get("document")
    try:
        return Left(int(item["moment"]["N"]), None if document is None else _unpacked(bytes(document["B"])))
    except (KeyError, TypeError, ValueError, zlib.error):
        # Written by another version, or damaged: the drift is reported anew when it is seen again.
        return None


def _unpacked(data: bytes) -> bytes:
    """:raises ValueError, zlib.error: when it is no whole document, or one of a size that none has."""
    packed = zlib.decompressobj()
    document = packed.decompress(data, _MAX_DOCUMENT)
    if not packed.eof:
        raise ValueError("a document that does not end")
    return document


def _acknowledgement(item: Mapping[str, Any]) -> Acknowledgement:
    until = item.get("until")
    return Acknowledgement(
        item["id"]["S"], item["reason"]["S"], item["by"]["S"], int(item["at"]["N"]), int(until["N"]) if until else None
    )
