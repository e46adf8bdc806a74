"""What to type into a browser."""

from __future__ import annotations


def address(host: str, port: int) -> str:
    """Where a server that listens on `host` is reached on this machine: "every interface" is no address."""
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)  # noqa: S104  (compared, not bound)
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"
