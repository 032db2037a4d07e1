"""A stand-in for LookupEvents, whose contents moto does not serve.

Parameters and members follow botocore's model of the operation, which also checks both sides of every call: the client
is boto3's own.  Newest first, 50 a page, two requests a second for each account and region, as AWS documents it.
"""

import json
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

PAGE = 50


@dataclass
class LookupServer:
    """``events`` maps a region to its records; ``hidden`` are ids that do not appear yet."""

    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    requests: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    throttled: int = 0
    fault: tuple[int, str] | None = None

    def __enter__(self) -> Self:
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, region: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        now = time.monotonic()
        recent = [at for at, where, _ in self.requests if where == region and now - at < 1]
        self.requests.append((now, region, asked))
        if self.fault:
            return self.fault[0], {"__type": self.fault[1], "message": "as the test wants it"}
        if len(recent) >= 3:
            self.throttled += 1
            return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
        attributes = asked.get("LookupAttributes", [])
        if len(attributes) > 1:
            return 400, {"__type": "InvalidLookupAttributesException", "message": "one attribute only"}
        wanted = [
            (moment, record)
            for record in self.events.get(region, [])
            if record["eventID"] not in self.hidden
            and asked["StartTime"] <= (moment := _seconds(record)) <= asked["EndTime"]
            and all(_matches(record, item) for item in attributes)
        ]
        wanted.sort(key=lambda item: item[0], reverse=True)
        begin = int(asked.get("NextToken", 0))
        page = wanted[begin : begin + min(PAGE, asked.get("MaxResults", PAGE))]
        answer: dict[str, Any] = {"Events": [_event(moment, record) for moment, record in page]}
        if begin + len(page) < len(wanted):
            answer["NextToken"] = str(begin + len(page))
        return 200, answer


def _seconds(record: dict[str, Any]) -> float:
    return datetime.fromisoformat(record["eventTime"]).replace(tzinfo=UTC).timestamp()


def _matches(record: dict[str, Any], attribute: dict[str, str]) -> bool:
    if attribute["AttributeKey"] == "ResourceName":
        named = [str(resource.get("ARN", "")) for resource in record.get("resources") or ()]
        wanted = attribute["AttributeValue"]
        return any(name == wanted or name.endswith((f"/{wanted}", f":{wanted}")) for name in named)
    assert attribute["AttributeKey"] == "ReadOnly"
    return json.dumps(record.get("readOnly")) == attribute["AttributeValue"]


def _event(moment: float, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": json.dumps(record.get("readOnly")),
        "EventTime": moment,
        "EventSource": record["eventSource"],
        "Resources": [],
        "CloudTrailEvent": json.dumps(record),
    }


class _Handler(BaseHTTPRequestHandler):
    owner: LookupServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["X-Amz-Target"].endswith(".LookupEvents")
        # Credential=key/date/region/service/aws4_request
        region = self.headers["Authorization"].split("/")[2]
        status, answer = self.owner.answer(region, asked)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
