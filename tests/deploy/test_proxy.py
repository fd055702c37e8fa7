"""The proxy configuration in a real nginx in front of a real server."""

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from test_running import found

from support import deploy_files
from support.server import CALL_S, END_S, Server, wait_until

MODELS = ("streams", "trainable")
SITE = (deploy_files.DEPLOY / "nginx" / "deepaas.conf").read_text()


@pytest.fixture
def proxied(deployed: Server, tmp_path: Path, certificate: tuple[Path, Path]) -> Iterator[httpx.Client]:
    """Yield a client of the module's server, through nginx."""
    cert, key = certificate
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    site = SITE.replace("443", f"127.0.0.1:{port}").replace("127.0.0.1:5000", urlsplit(deployed.url).netloc)
    site = site.replace("/etc/nginx/tls/cert.pem", str(cert)).replace("/etc/nginx/tls/key.pem", str(key))
    places = "".join(
        f"{name}_temp_path {tmp_path};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {places}\n{site}}}"
    )
    process = subprocess.Popen(
        [found("nginx"), "-p", str(tmp_path), "-c", str(config)], stderr=subprocess.DEVNULL
    )
    try:
        with httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=_trusting(cert), timeout=CALL_S
        ) as client:
            wait_until(lambda: process.poll() is None and _answers(port))
            yield client
    finally:
        process.terminate()
        process.wait(END_S)


def test_requests_through_the_proxy(proxied: httpx.Client) -> None:
    assert proxied.get("/health/ready").json() == {"ready": True}
    answer = proxied.get("/v2/models/")
    assert len(answer.json()["models"]) == len(MODELS)
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_names_through_the_proxy(proxied: httpx.Client) -> None:
    """The server accepts names in --allowed-hosts, and same-origin requests on any port."""
    path = "/v2/models/streams/predict/"
    for host in ("models.example.org", "models.example.org:8443"):
        own = {"Host": host, "Origin": f"https://{host}"}
        assert proxied.post(path, headers=own).status_code == 200
        other = own | {"Origin": "https://models.example.org:1"}
        assert "--cors-origin" in proxied.post(path, headers=other).json()["message"]
    unknown = proxied.get("/v2/models/", headers={"Host": "other.example.org"})
    assert unknown.status_code == 403
    assert "--allowed-hosts" in unknown.json()["message"]


def test_large_body_through_the_proxy(proxied: httpx.Client) -> None:
    """The proxy does not limit the size of bodies."""
    answer = proxied.post("/v2/models/streams/predict/", files={"nothing": b"x" * 3_000_000})
    assert answer.status_code == 200


def _trusting(cert: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(cert))


def _answers(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0
