"""Moto's server, in this process, so that a fork of the process is a copy of the whole AWS account."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(port: int) -> Iterator[str]:
    """Serves this process's account; gives the endpoint.  What was made stays in the process afterwards."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        if server._server is not None:
            server._server.server_close()


def seed() -> None:
    """Makes moto's ids the same in every run."""
    from moto.moto_api._internal import mock_random

    mock_random.seed(20260105)
