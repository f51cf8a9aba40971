"""What the pages that are plain documents share at the edge: failures as pages, streaming, and reading of forms."""

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from fastapi.routing import APIRoute
from markupsafe import Markup

from assay.app.failures import http_status
from assay.app.report.shell import CLOSING, HEADERS, opening, problem_markup
from assay.app.web.frame import Section
from assay.errors import AssayError, BadInput

LONGEST_TEXT = 1_000
_MOST_PAGE = 1_000_000
_MOST_FIELDS = 500


def page_route(name: str) -> type[APIRoute]:
    """Routes of a workspace called `name` whose failures leave as pages."""

    class PageRoute(APIRoute):
        """A failure leaves as a page that says what to do."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def handled(request: Request) -> Response:
                try:
                    return await handler(request)
                except AssayError as error:
                    said = problem_markup(error.message, error.hint)
                    page = opening("Not shown", _section(request.url.path), name=name) + said + CLOSING
                    return whole(page, status=http_status(error))

            return handled

    return PageRoute


def whole(page: Markup, *, status: int = 200) -> Response:
    """A page that is ready."""
    return Response(_bytes(page), status_code=status, media_type="text/html", headers=dict(HEADERS))


def streamed(pieces: Iterator[Markup]) -> Response:
    """A page sent piece by piece, up to its closing; what fails on the way is said at its end."""

    def sent() -> Iterator[bytes]:
        try:
            for piece in pieces:
                yield _bytes(piece)
        except AssayError as error:
            yield _bytes(problem_markup(error.message, error.hint))
        yield _bytes(CLOSING)

    return StreamingResponse(sent(), media_type="text/html", headers=dict(HEADERS))


def _bytes(markup: Markup) -> bytes:
    return str(markup).encode("utf-8", "replace")


def text_of(request: Request, name: str) -> str:
    """A text of the query, cut, without white space at its ends."""
    return request.query_params.get(name, "")[:LONGEST_TEXT].strip()


def page_of(request: Request) -> int:
    """The page of a list that is asked for, 1 where that is no number."""
    given = request.query_params.get("page", "")
    return min(max(int(given), 1), _MOST_PAGE) if given.isascii() and given.isdigit() and len(given) < 9 else 1


def pager(address: str, page: int, *, has_more: bool) -> Markup:
    """Links to what is newer and older in the list at an address; nothing where it has one page."""
    links = []
    if page > 1:
        before = f"?page={page - 1}" if page > 2 else ""
        links.append(Markup('<a class="button small" href="{}{}">Newer</a>').format(address, before))
    if has_more:
        links.append(Markup('<a class="button small" href="{}?page={}">Older</a>').format(address, page + 1))
    return Markup('<nav class="pager" aria-label="Pages">{}</nav>').format(Markup().join(links)) if links else Markup()


def form_of(request: Request, body: bytes) -> Mapping[str, Sequence[str]]:
    """The fields of a form. Raises BadInput where it is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise BadInput("This is no form of ours.", hint="Send it as application/x-www-form-urlencoded.")
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:  # too many fields, or no UTF-8
        raise BadInput(f"The form cannot be read: {error}.", hint="Open the page again.") from error


def _section(path: str) -> Section:
    sections: tuple[Section, ...] = ("decisions", "races", "cases")
    return next((section for section in sections if path.startswith(f"/{section}")), "runs")
