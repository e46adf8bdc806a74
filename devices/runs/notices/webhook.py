"""Posting to an address that a person named, without letting it lead into this machine's own network.

The name is resolved once, every address it has is looked at, and the connection goes to an address that was
looked at: a name that resolves differently a moment later gains nothing. Redirects are not followed.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import SplitResult, urlsplit

TIMEOUT_SECONDS = 10.0
SIGNATURE = "X-ChamNet-Signature"
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class WebhookError(Exception):
    """It was not delivered. The message is a sentence; `status` is that of the answer, if there was one."""

    def __init__(self, reason: str, *, status: int | None = None, refused: bool = False) -> None:
        super().__init__(reason)
        self.status, self.refused = status, refused


def signature(secret: str, body: bytes) -> str:
    """HMAC-SHA256 of the body as it is sent, in hexadecimal, after the name of the method."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def post(url: str, payload: Mapping[str, Any], *, secret: str, private: bool) -> int:
    """Posts JSON and gives the answer's status, from 200 to 299; nothing else of the answer is read.

    `private` allows addresses of this machine and its network. Raises WebhookError, with `refused` where
    the address itself is not allowed and trying again is of no use.
    """
    parts = _parts(url)
    host, port = str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80)
    address = _checked_address(host, port, private)
    body = json.dumps(payload, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "ChamNet",
        "X-ChamNet-Notice": str(payload.get("notice", "")),
        SIGNATURE: signature(secret, body),
    }
    try:
        with _connected(parts.scheme, host, port, address) as connection:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
    except TimeoutError:
        raise WebhookError(f"{host} did not answer within {TIMEOUT_SECONDS:.0f} s.") from None
    except ssl.SSLError as error:
        raise WebhookError(f"{host} has no certificate that is trusted: {error.reason}.") from error
    except (OSError, http.client.HTTPException) as error:
        raise WebhookError(f"{host} could not be reached: {type(error).__name__}.") from error
    if not 200 <= status < 300:
        moved = " Redirects are not followed: enter the address it leads to." if 300 <= status < 400 else ""
        raise WebhookError(f"{host} answered with status {status}.{moved}", status=status)
    return status


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or not url.isascii() or not url.isprintable() or " " in url:
        raise WebhookError("The address is no http or https address.", refused=True)
    return parts


def _checked_address(host: str, port: int, private: bool) -> str:
    """An address of the host. Refuses a host that has any address that is not public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise WebhookError(f"{host} is not known: its name leads to no address.") from None
    addresses = [str(entry[4][0]) for entry in found]
    if not private and not all(is_public(ipaddress.ip_address(one.partition("%")[0])) for one in addresses):
        raise WebhookError(
            f"{host} lies in this machine's own network, where webhooks do not go unless its administrator "
            "sets WEBHOOK_PRIVATE_ADDRESSES=yes.",
            refused=True,
        )
    return addresses[0]


def is_public(address: Address) -> bool:
    """Whether everybody could reach it: not loopback, link-local, private or reserved, however wrapped."""
    if isinstance(address, ipaddress.IPv6Address):
        wrapped = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            wrapped = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(wrapped)
    return address.is_global and not address.is_multicast


@contextmanager
def _connected(scheme: str, host: str, port: int, address: str) -> Iterator[http.client.HTTPConnection]:
    """A connection to the address in the host's name, cut off when everything together takes too long."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    sock = socket.create_connection((address, port), timeout=TIMEOUT_SECONDS)
    late = threading.Event()
    # Wrapping a socket takes its descriptor away from it: what cuts it off holds another one.
    same = sock.dup()
    timer = threading.Timer(TIMEOUT_SECONDS, _cut_off, [same, late])
    timer.daemon = True
    timer.start()
    try:
        if scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        else:
            connection.sock = sock
        yield connection
        if late.is_set():  # an answer that was cut off may look like a whole one
            raise TimeoutError
    except (OSError, http.client.HTTPException) as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        connection.close()
        sock.close()
        same.close()


def _cut_off(sock: socket.socket, late: threading.Event) -> None:
    late.set()
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it has ended by itself
