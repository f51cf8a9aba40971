"""Hang the page into the server: NiceGUI on the same app, behind every route the app already has.

NiceGUI is one per process, so is the page: mounting again replaces it. Nothing here is imported
before `mount` is called, because NiceGUI takes a second to import.
"""

import hashlib
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles

from assay.app.service import Service

STATIC = Path(__file__).parent / "static"
STATIC_PATH = "/assay-static"
PATHS = ("/", "/documents", "/documents/{document_id}", "/settings", "/trace/{trace_id}")

RECONNECT_SECONDS = 10.0
"""How long the server keeps a tab that lost its connection; its answer under way goes on so long."""


def mount(app: FastAPI, service: Service) -> None:
    """Serve the page of `service` from `app`, at `/` and the paths of `PATHS`.

    Call it after every other route has been added: what the app itself does not answer, the page
    does. It sets no cookie and keeps nothing on disk, so it needs no secret. Cross-origin requests
    and strange host names are refused by `assay.app.web.guard`, which stands around the whole app.
    """
    from nicegui import app as nicegui_app
    from nicegui import ui

    from assay.app.web.conversation import Conversations
    from assay.app.web.page import Page
    from assay.app.web.place import place_of

    conversations = Conversations()
    head = _head_html()

    def build(request: Request) -> Response | None:
        place = place_of(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
        if place.view == "missing" and "text/html" not in request.headers.get("accept", ""):
            return PlainTextResponse("not found", status_code=404)
        client = ui.context.client
        client.status_code = 404 if place.view == "missing" else 200
        ui.add_head_html(head)
        Page(service, conversations, client, place)
        return None

    for path in PATHS:
        ui.page(path)(build)
    app.mount(STATIC_PATH, StaticFiles(directory=STATIC), name="assay-static")
    # A second mount in one process adds NiceGUI's middleware again, which Starlette forbids once it has served.
    nicegui_app.middleware_stack = None
    nicegui_app.user_middleware.clear()
    ui.run_with(
        app,
        root=build,
        title=service.name,
        favicon=STATIC / "favicon.svg",
        viewport="width=device-width, initial-scale=1, interactive-widget=resizes-content",
        dark=None,
        language="en-US",
        tailwind=False,
        reconnect_timeout=RECONNECT_SECONDS,
        show_welcome_message=False,
    )


def _head_html() -> str:
    """Links to our stylesheets and scripts; a change of any changes its URL, so no browser keeps an old one."""

    def url(name: str) -> str:
        digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
        return f"{STATIC_PATH}/{name}?v={digest}"

    # The scripts are not deferred: the bar's sets the theme before anything is painted.
    styles = [f'<link rel="stylesheet" href="{url(name)}">' for name in ("colours.css", "bar.css", "app.css")]
    return "".join(styles) + "".join(f'<script src="{url(name)}"></script>' for name in ("bar.js", "app.js"))
