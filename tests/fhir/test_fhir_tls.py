"""TLS: no certificate is left unchecked, and a server that hangs in the handshake holds nobody (T-10)."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ehr.transport import Answer, Deadline, Transport, TransportFault

BUDGET, SLACK = 0.6, 0.5
HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 600\r\n\r\n"


def certificate(folder: Path, address: str) -> Path:
    """Key and self-signed certificate for an address, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "invented")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path = folder / f"{address}.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem)
    )
    return path


def good(line: ssl.SSLSocket) -> None:
    line.recv(4096)
    line.sendall(HEAD.replace(b"600", b"2") + b"ok")


def drip(line: ssl.SSLSocket) -> None:
    line.recv(4096)
    line.sendall(HEAD)
    for _ in range(200):
        line.sendall(b" ")
        time.sleep(0.05)


Serve = Callable[..., tuple[str, Path]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Starts a TLS server that answers with a function; without one it never says a word."""
    listeners: list[socket.socket] = []
    ended = threading.Event()

    def start(answer: Callable[[ssl.SSLSocket], None] | None, address: str = "127.0.0.1") -> tuple[str, Path]:
        path = certificate(tmp_path, address)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def run() -> None:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line:
                if answer is None:
                    ended.wait(5)
                    return
                try:
                    with context.wrap_socket(line, server_side=True) as secure:
                        answer(secure)
                except OSError:
                    return

        threading.Thread(target=run, daemon=True).start()
        return f"https://127.0.0.1:{listener.getsockname()[1]}/", path

    yield start
    ended.set()
    for listener in listeners:
        listener.close()


def get(url: str, bundle: Path | None = None) -> Answer:
    transport = Transport(ca_bundle=str(bundle) if bundle else "")
    return transport.get(url, headers={}, deadline=Deadline.after(BUDGET), max_bytes=1000)


def test_an_unknown_certificate_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    url, path = serve(good)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(path))
    with pytest.raises(TransportFault) as fault:
        get(url)
    assert (fault.value.code, fault.value.why) == ("down", "tls")


def test_a_hospitals_own_authority_can_be_named(serve: Serve) -> None:
    url, path = serve(good)
    assert get(url, path).body == b"ok"


def test_a_certificate_for_another_address_is_refused(serve: Serve) -> None:
    url, path = serve(good, "127.0.0.2")
    with pytest.raises(TransportFault) as fault:
        get(url, path)
    assert (fault.value.code, fault.value.why) == ("down", "tls")


@pytest.mark.parametrize("answer", [None, drip], ids=["handshake", "body"])
def test_t10_what_hangs_under_tls_ends_by_the_deadline(
    serve: Serve, answer: Callable[[ssl.SSLSocket], None] | None
) -> None:
    url, path = serve(answer)
    began = time.monotonic()
    with pytest.raises(TransportFault) as fault:
        get(url, path)
    assert fault.value.code == "deadline"
    assert time.monotonic() - began <= BUDGET * 1.1 + SLACK
