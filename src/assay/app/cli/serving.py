"""Serve an open workspace with uvicorn, until Ctrl-C."""

import asyncio
import errno
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.app.cli import output
from assay.errors import AssayError, BadSetting, Conflict

if TYPE_CHECKING:
    from assay.app.live import Live
    from assay.app.wiring import Workspace

LOOPBACK = ("127.0.0.1", "localhost", "::1")


async def serve(workspace: "Workspace", *, paths: Sequence[Path] = ()) -> None:
    """Serve the live release until interrupted: models load and `paths` are ingested while it already answers."""
    import uvicorn

    from assay.app.http.server import build
    from assay.app.live import Live
    from assay.app.report.archive import Archive
    from assay.app.web import mount
    from assay.app.web.guard import Guard, allowed_hosts

    server_settings = workspace.settings.server
    listener = bind(server_settings.host, server_settings.port)
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
    live = Live(workspace, note=output.note)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        background = asyncio.create_task(_ingest(live, paths, url))
        try:
            yield
        finally:
            background.cancel()
            await asyncio.gather(background, return_exceptions=True)

    archive = Archive(workspace.database)
    app = build(live, archive=archive, max_request_kb=server_settings.max_request_kb, lifespan=lifespan)
    mount(app, live)
    hosts = allowed_hosts(server_settings.host, server_settings.allowed_hosts.split(","))
    guarded = Guard(app, hosts=hosts)
    if server_settings.host not in LOOPBACK:
        output.note(f"warning: bound to {server_settings.host}: everyone who reaches this machine can ask and read.")
    config = uvicorn.Config(
        guarded, log_level="warning", access_log=False, timeout_graceful_shutdown=2, lifespan="on", server_header=False
    )
    server = uvicorn.Server(config)
    logging.getLogger("assay").setLevel(logging.WARNING)
    try:
        await live.start()  # what cannot be served is said before anybody is told that it serves
        output.console().print(f"Assay serves at {url}", markup=False)
        output.console().print(
            f"  page {url}   OpenAI base URL {url}v1 (model: assay)   stop with Ctrl-C", markup=False
        )
        sys.stdout.flush()
        # uvicorn stops gracefully on SIGTERM and then raises it again: as Ctrl-C, so that the ledger is flushed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        # Ctrl-C while the modules above were imported cancels this task at its next pause: not inside the server.
        await asyncio.sleep(0)
        await server.serve(sockets=[listener])
    finally:
        await live.aclose()


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Conflict where the port is taken, BadSetting where the host is not ours."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except socket.gaierror as error:
        raise BadSetting(f"{host} is not an address of this machine.", hint="Use --host 127.0.0.1.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"Port {port} on {host} is taken.",
                hint="Pass --port 0 for a free one, or stop what uses it.",
                code="port_taken",
            ) from error
        if error.errno == errno.EACCES:
            raise Conflict(
                f"Port {port} needs privileges.", hint="Pass a --port above 1023.", code="port_taken"
            ) from error
        raise BadSetting(f"Cannot bind {host}: {error.strerror}.", hint="Use --host 127.0.0.1.") from error
    return listener


async def _ingest(live: "Live", paths: Sequence[Path], url: str) -> None:
    from assay.app.cli.ingest import print_report

    try:
        if paths:
            print_report(await live.ingest(paths))
        elif not await live.documents(limit=1):
            output.note(f"The workspace is empty: assay ingest PATH puts documents in; the page at {url} says how.")
    except AssayError as error:
        # The server goes on with what it has; the page shows the failure too.
        output.note(f"error: {error.message}\nhint: {error.hint}")
