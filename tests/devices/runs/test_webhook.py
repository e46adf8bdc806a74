"""Webhooks reach what everybody could reach, and nothing that only this machine can."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any

import pytest

from devices.runs.notices import webhook
from devices.runs.notices.webhook import WebhookError, is_public, post, signature

INSIDE = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.0.10", "169.254.169.254",
    "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_of_the_machine_and_its_network_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_addresses_that_everybody_reaches_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1:6379/",
    ],
)
def test_an_address_inside_is_refused_before_a_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*args: object, **options: object) -> None:
        pytest.fail("It connected.")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(WebhookError, match="lies in this machine's own network") as caught:
        post(url, {}, secret="s", private=False)
    assert caught.value.refused


def test_a_name_with_one_address_inside_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in ("1.1.1.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: both)
    with pytest.raises(WebhookError, match="own network"):
        post("http://both.example/", {}, secret="s", private=False)


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "example.com", "http://", "http://a b/", "http://a:x/"],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(WebhookError, match="no http or https address"):
        post(url, {}, secret="s", private=True)


@contextmanager
def answering(answer: bytes, *, then_waits: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A server for one connection that answers with these bytes."""
    got: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                got.append(connection.recv(65536))
                connection.sendall(answer)
                while then_waits and connection.recv(65536):
                    pass

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook", got
        thread.join()


def anonymous(protocol: int) -> ssl.SSLContext:
    """TLS without certificates."""
    context = ssl.SSLContext(protocol)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES128-SHA:@SECLEVEL=0")
    return context


@contextmanager
def dripping(scheme: str, answer: bytes) -> Iterator[tuple[str, bytearray]]:
    """A server for one connection that takes a tenth of a second for each byte, and what it had not sent
    when it was cut off."""
    left = bytearray(answer)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            if scheme == "https":
                connection = anonymous(ssl.PROTOCOL_TLS_SERVER).wrap_socket(connection, server_side=True)
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.settimeout(0.1)
                while left:
                    with suppress(TimeoutError):
                        if not connection.recv(65536):
                            return
                    connection.sendall(left[:1])
                    del left[:1]

        thread = Thread(target=serve)
        thread.start()
        yield f"{scheme}://127.0.0.1:{server.getsockname()[1]}/hook", left
        thread.join()


def test_the_name_is_resolved_once_and_that_address_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int, **options: object) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, got):
        connect = socket.create_connection
        monkeypatch.setattr(socket, "getaddrinfo", resolve)

        def connect_to(address: tuple[str, int], timeout: float) -> socket.socket:
            assert address[0] == "127.0.0.1"
            monkeypatch.undo()
            return connect(address, timeout)

        monkeypatch.setattr(socket, "create_connection", connect_to)
        named = url.replace("127.0.0.1", "hook.example")
        assert post(named, {"a": 1}, secret="s", private=True) == 200
    assert asked == ["hook.example"]
    assert b"Host: hook.example" in got[0]


def test_an_answer_that_does_not_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.2)
    with (
        answering(b"HTTP/1.1 200 OK\r\nX-Slow: ", then_waits=True) as (url, _),
        pytest.raises(WebhookError, match=r"did not answer within"),
    ):
        post(url, {}, secret="s", private=True)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_answer_that_comes_byte_by_byte_is_cut_off_too(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.4)
    monkeypatch.setattr(ssl, "create_default_context", lambda: anonymous(ssl.PROTOCOL_TLS_CLIENT))
    with (
        dripping(scheme, b"HTTP/1.1 200 OK\r\nX-Slow: " + b"0" * 30) as (url, left),
        pytest.raises(WebhookError, match="did not answer within"),
    ):
        post(url, {}, secret="s", private=True)
    assert left


def test_a_server_that_is_no_web_server_is_told_apart() -> None:
    with answering(b"220 smtp ready\r\n") as (url, _), pytest.raises(WebhookError, match="BadStatusLine"):
        post(url, {}, secret="s", private=True)


def test_a_certificate_that_nobody_trusts_is_refused() -> None:
    with (
        answering(b"\x15\x03\x01\x00\x02\x02\x28") as (url, _),
        pytest.raises(WebhookError, match="certificate"),
    ):
        post(url.replace("http:", "https:"), {}, secret="s", private=True)


def test_the_signature_is_hmac_sha256_of_the_body() -> None:
    # Test case 2 of RFC 4231.
    assert signature("Jefe", b"what do ya want for nothing?") == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
