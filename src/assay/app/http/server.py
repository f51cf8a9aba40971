"""The ASGI application: /healthz, /v1, /api, the evaluation, decision and race pages, and the page mounted last.

/healthz answers as soon as the server listens, also while models load. Every failure leaves as
one JSON object with a code, a message and a hint; a traceback never does.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay import __version__
from assay.app.failures import http_status, log_level
from assay.app.http import api, decision_pages, evaluation_pages, evaluations, openai, race_pages
from assay.app.http.disconnect import ClientGone
from assay.app.report.archive import Archive
from assay.app.service import Service
from assay.errors import AssayError, BadInput, LimitReached, NotFound

log = logging.getLogger("assay.http")

# Where bodies are read by us. The page's own transport limits its messages itself.
_LIMITED = ("/v1/", "/api/", "/runs", "/cases", "/decisions")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def _nothing(_app: Any) -> AsyncIterator[None]:
    yield


def build(
    service: Service, *, archive: Archive | None = None, max_request_kb: int = 256, lifespan: Lifespan = _nothing
) -> FastAPI:
    """The application over an open workspace, without the page (see `assay.app.web.mount`).

    With an `archive` it has the evaluation, decision and race pages and the API of the former.
    """
    app = FastAPI(
        title="Assay",
        version=__version__,
        description="Documents in, cited answers out.",
        docs_url=None,  # its page loads scripts from a CDN; the document itself is at /openapi.json
        redoc_url=None,
        lifespan=lifespan,
    )

    @app.get("/healthz", tags=["assay"], summary="Alive, and what the models are doing")
    async def healthz() -> dict[str, Any]:
        models = {model.role: model.state for model in service.models()}
        release = api.release_shape(service)
        state = service.ingestion().state
        return {"status": "ok", "version": __version__, "models": models, "ingestion": state, "release": release}

    app.include_router(openai.router(service))
    app.include_router(api.router(service))
    if archive is not None:
        app.include_router(evaluations.router(archive))
        app.include_router(evaluation_pages.router(archive, name=service.name))
        app.include_router(decision_pages.router(archive, name=service.name))
        app.include_router(race_pages.router(archive, name=service.name))
    app.add_api_route("/api/{rest:path}", _no_such_route, methods=_METHODS, include_in_schema=False)
    app.add_api_route("/v1/{rest:path}", _no_such_route, methods=_METHODS, include_in_schema=False)
    app.add_exception_handler(AssayError, _failure)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClientGone, _gone)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(BodyLimit, max_bytes=max_request_kb * 1024)
    return app


def error_response(request: Request, error: AssayError, *, status: int | None = None) -> JSONResponse:
    """An error as JSON, in OpenAI's shape under /v1. `status`: another than its class has."""
    status = status or http_status(error)
    log.log(log_level(error), "%s %s: %s", request.method, request.url.path, error.message)
    if request.url.path.startswith("/v1/"):
        return JSONResponse(openai.openai_error(error, status=status), status)
    body = {"error": {"code": error.slug, "message": error.message, "hint": error.hint}}
    return JSONResponse(body, status)


async def _failure(request: Request, error: Exception) -> Response:
    assert isinstance(error, AssayError)
    return error_response(request, error)


async def _no_such_route(request: Request) -> None:
    # Without this the page, mounted behind everything, would answer for the API: as text, and a wrong method as 404.
    raise NotFound(f"There is no {request.method} {request.url.path}.", hint="See /openapi.json for what there is.")


async def _refused(request: Request, error: Exception) -> Response:
    """What the framework itself refuses, such as a body it cannot parse."""
    assert isinstance(error, HTTPException)
    ours = BadInput(f"{error.detail}.", hint="See /openapi.json for what there is.")
    response = error_response(request, ours, status=error.status_code)
    response.headers.update(error.headers or {})
    return response


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    where = ".".join(str(part) for part in problem["loc"] if part != "body")
    if problem["type"] == "json_invalid":
        message = f"The body is not JSON ({problem['ctx']['error']}, character {problem['loc'][-1]})."
    elif not where:
        message = "The body is not a JSON object, or not sent as content-type: application/json."
    else:
        message = f"{where}: {problem['msg']}."
    return error_response(request, BadInput(message, hint="See /openapi.json for what this route takes."))


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    body = {"code": "internal", "message": "Something went wrong inside Assay.", "hint": "Look at the server's log."}
    if request.url.path.startswith("/v1/"):
        body = {"message": body["message"], "type": "server_error", "code": "internal"}
    return JSONResponse({"error": body}, 500)


class BodyLimit:
    """Refuses request bodies over `max_bytes`, declared or not, before anything parses them."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_LIMITED):
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.max_bytes:
            await self._refuse(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.max_bytes:
                await self._refuse(scope, receive, send)
                return
        await self.app(scope, _replay(bytes(body), receive), send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = LimitReached(
            f"The request is larger than {self.max_bytes // 1024} KB.",
            hint="Send less, or raise server.max_request_kb.",
            code="request_too_large",
        )
        response = error_response(Request(scope), error, status=413)
        await response(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
