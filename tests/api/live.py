"""The application behind a real server, with a worker, in threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from django.db import connections

from chamnet_web.asgi import application
from tests.serving import free_port, wait_until
from tests.working import work_until_idle


@contextmanager
def served() -> Iterator[str]:
    """The address of the application, answered while the block lasts."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(application, port=port, log_level="error", lifespan="off", ws="none")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert wait_until(lambda: server.started, 20)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextmanager
def working() -> Iterator[None]:
    """A worker that does whatever is ready, while the block lasts."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            work_until_idle()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(120)
