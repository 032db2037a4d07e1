"""Real parts that state is read from: moto's server, PostgreSQL, and an HTTP server whose answers a test sets."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.real import parts
from tests.real.parts import MissingPartError


@pytest.fixture(autouse=True)
def _only_test_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine's own credentials or variables reaches a test."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "TF_", "PG", "CONSUL_", "KUBE", "TFE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST000000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@dataclass
class Aws:
    url: str

    def client(self, service: str, **credentials: str) -> Any:
        return boto3.client(service, region_name="us-east-1", endpoint_url=self.url, **credentials)

    def post(self, path: str, body: bytes = b"") -> None:
        import urllib3

        assert urllib3.request("POST", f"{self.url}{path}", body=body, timeout=60).status == 200

    @contextmanager
    def enforced(self) -> Iterator[None]:
        """IAM policies are checked inside."""
        self.post("/moto-api/reset-auth", b"0")
        try:
            yield
        finally:
            self.post("/moto-api/reset-auth", b"inf")


@pytest.fixture
def aws(moto_url: str) -> Iterator[Aws]:
    found = Aws(moto_url)
    yield found
    found.post("/moto-api/reset")


Answer = tuple[int, Mapping[str, str], bytes]


@dataclass
class Site:
    """An HTTP server.  ``routes`` maps a path (without query) to an answer, or to a function that makes one."""

    url: str = ""
    routes: dict[str, Answer | Callable[[BaseHTTPRequestHandler], Answer | None]] = field(default_factory=dict)
    requests: list[tuple[str, str, Mapping[str, str]]] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None


@contextmanager
def serving(tls: tuple[Path, Path] | None = None) -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            path = self.path.partition("?")[0]
            site.requests.append((self.command, self.path, dict(self.headers)))
            route = site.routes.get(path, (404, {}, b"not here"))
            found = route(self) if callable(route) else route
            if found is None:
                return
            status, headers, body = found
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers and status not in (204, 304):
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_LOCK = do_UNLOCK = do_HEAD = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gives up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    site.server = server
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    from datetime import UTC, datetime, timedelta
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tfdrift test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@dataclass
class Postgres:
    port: int

    @property
    def conn_str(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=tfdrift dbname=postgres"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of its own, with password authentication: user ``tfdrift``, password ``secret``."""
    tools = {name: _postgres_tool(name) for name in ("initdb", "pg_ctl")}
    # Not below pytest's folder: every pytest that starts closes that to other users, and the server is one.
    folder = Path(tempfile.mkdtemp(prefix="tfdrift-pg-"))
    folder.chmod(0o755)
    (folder / "password").write_text("secret")
    (folder / "data").mkdir(mode=0o700)
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        for path in (folder / "data", folder / "password"):
            shutil.chown(path, "nobody", "nogroup")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = str(folder / "data")
    _run([*as_user, tools["initdb"], "-D", data, "-U", "tfdrift", "-A", "scram-sha-256",
          f"--pwfile={folder / 'password'}", "--no-sync"])  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    _run([*as_user, tools["pg_ctl"], "-D", data, "-w", "-l", f"{data}/log", "-o", options, "start"])
    yield Postgres(port)
    os.kill(int(Path(data, "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)  # its "immediate" shutdown
    shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"


def _postgres_tool(name: str) -> str:
    found = parts.postgres(name)
    if found is None:
        raise MissingPartError("PostgreSQL")
    return found
