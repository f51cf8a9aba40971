"""A real server on loopback over a scripted workspace."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn

from assay.app.http.server import build
from assay.app.scripted import ScriptedService


@dataclass
class Served:
    """Where it serves, and the workspace behind it."""

    url: str
    service: ScriptedService


@pytest.fixture
def served() -> Iterator[Served]:
    service = ScriptedService()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = uvicorn.Server(uvicorn.Config(build(service, max_request_kb=16), log_level="error", lifespan="off"))
    server.install_signal_handlers = lambda: None
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", service)
    server.should_exit = True
    thread.join(timeout=10)
