"""A client of ChamNet's API for scripts and notebooks. It needs the standard library alone.

from chamnet_web.client import Client

chamnet = Client("https://chamnet.example", token="chamnet_pat_…")
for model in chamnet.models():
    print(model["test_accuracy"], model["latency_ms"])
"""

from __future__ import annotations

from chamnet_web.client.client import Client, Run, RunEndedError
from chamnet_web.client.transport import ApiError, UnreachableError

__all__ = ["ApiError", "Client", "Run", "RunEndedError", "UnreachableError"]
