"""Object stores on this machine, and a proxy before them that fails on purpose.

The stores are moto's S3 and gcp-storage-emulator's GCS, each a real HTTP server. The proxy
answers some requests with 503, breaks the connection of others, before or in the middle of
the answer, and counts what it passes on.
"""

import http.client
import logging
import os
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOP_BY_HOP = frozenset(("connection", "transfer-encoding", "keep-alive", "content-length"))


@dataclass
class Faults:
    """What the proxy does and has done.

    Attributes:
      rate: share of requests that fail, half of them with 503, half by a broken connection.
      seed: decides which.
      counts: ``requests``, ``unavailable``, ``reset``, and ``bytes`` of answers to GET.
    """

    rate: float = 0.0
    seed: int = 0
    counts: Counter = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _handler(target: tuple[str, int], faults: Faults) -> type[BaseHTTPRequestHandler]:
    rng = random.Random(faults.seed)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _break(self) -> None:
            # RST instead of FIN: the client sees "connection reset by peer".
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                pieces = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    pieces.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(pieces)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def _serve(self) -> None:
            body = self._body()
            with faults.lock:
                fails, how = rng.random() < faults.rate, rng.choice(("503", "reset", "middle"))
                faults.counts["requests"] += 1
                if fails:
                    faults.counts["unavailable" if how == "503" else "reset"] += 1
            if fails and how == "503":
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if fails and (how == "reset" or self.command == "HEAD"):
                self._break()
                return
            upstream = http.client.HTTPConnection(*target, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "transfer-encoding"}
            headers["Content-Length"] = str(len(body))
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
            upstream.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            if fails:
                self.wfile.write(content[: len(content) // 2])
                self.wfile.flush()
                self._break()
                return
            if self.command != "HEAD":
                self.wfile.write(content)
            if self.command == "GET":
                with faults.lock:
                    faults.counts["bytes"] += len(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = _serve  # noqa: N815

    return Proxy


@contextmanager
def proxied(port: int, faults: Faults) -> Iterator[str]:
    """A proxy before ``127.0.0.1:port``; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(("127.0.0.1", port), faults))
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign] (broken on purpose)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def s3(faults: Faults) -> Iterator[str]:
    """An S3 behind a proxy, found by the environment as boto3 does; yields ``s3://bucket``."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    port = _free_port()
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    with (
        proxied(port, faults) as address,
        _environment(
            {
                "AWS_ENDPOINT_URL_S3": address,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        ),
    ):
        boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}").create_bucket(Bucket="music")
        try:
            yield "s3://music"
        finally:
            server.stop()


@contextmanager
def gcs(faults: Faults) -> Iterator[str]:
    """A GCS behind a proxy, found as google-cloud-storage does; yields ``gs://bucket``."""
    from gcp_storage_emulator.server import create_server
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    port = _free_port()
    server = create_server("127.0.0.1", port, in_memory=True)
    server.start()
    with proxied(port, faults) as address:
        direct = storage.Client(
            "emulated",
            AnonymousCredentials(),
            client_options={"api_endpoint": f"http://127.0.0.1:{port}"},
        )
        direct.create_bucket("music")
        with _environment({"STORAGE_EMULATOR_HOST": address, "NO_GCE_CHECK": "true"}):
            try:
                yield "gs://music"
            finally:
                server.stop()


STORES = {"s3": s3, "gs": gcs}


def put(address: str, content: bytes) -> None:
    """Store an object, by the official client and with its own retries."""
    scheme, _, rest = address.partition("://")
    bucket, _, name = rest.partition("/")
    if scheme == "s3":
        import boto3

        boto3.client("s3").put_object(Bucket=bucket, Key=name, Body=content)
        return
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage
    from google.cloud.storage.retry import DEFAULT_RETRY

    client = storage.Client("emulated", AnonymousCredentials())
    client.bucket(bucket).blob(name).upload_from_string(content, retry=DEFAULT_RETRY)
