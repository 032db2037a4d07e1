"""A server in front of moto's that does to requests what networks and AWS do."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit


class FaultyServer:
    """``fault`` is None (passed on), ``"cut"`` (the connection breaks) or a status and a body.

    It befalls requests whose path holds ``only``.
    """

    fault: tuple[int, str] | str | None = None
    only = ""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target).netloc

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: FaultyServer

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.owner.fault if self.owner.only in self.path else None
        if fault == "cut":
            self.close_connection = True
            return
        if isinstance(fault, tuple):
            status, text = fault
            self._answer(status, {"Content-Type": "application/x-amz-json-1.0"}, text.encode())
            return
        connection = http.client.HTTPConnection(self.owner.target, timeout=30)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        self._answer(answer.status, dict(answer.headers), answer.read())
        connection.close()

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _pass  # noqa: N815 - the names that http.server asks for

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
