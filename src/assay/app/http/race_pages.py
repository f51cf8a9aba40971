"""The race pages: /races and what is below it. Nothing is changed by a GET, and there is nothing but GETs.

Every route is a plain function, so the framework runs it in a thread: a view of hundreds of designs takes a while to
draw. Proved by `tests/unit/http/test_race_pages.py`.
"""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from markupsafe import Markup

from assay.app.http.pages import page_of, page_route, pager, whole
from assay.app.report import race_page, races_page
from assay.app.report.archive import Archive
from assay.app.report.race_view import RaceView
from assay.app.report.shell import CLOSING, HEADERS, opening
from assay.decisions.race.store import Races

_PAGE_RACES = 40


def router(archive: Archive, *, name: str) -> APIRouter:
    """The pages over the races of a workspace called `name`."""
    routes = APIRouter(route_class=page_route(name), include_in_schema=False)
    _RacePages(Races(archive.database), name).add_to(routes)
    return routes


class _RacePages:
    """The list, and each race."""

    def __init__(self, races: Races, name: str) -> None:
        self._races, self._name = races, name

    def add_to(self, routes: APIRouter) -> None:
        """Add their routes; the first that fits an address has it."""
        routes.get("/races")(self.all)
        routes.get("/races/{race_id}.json")(self.shape)
        routes.get("/races/{race_id}")(self.one)
        routes.get("/races/{race_id}/standing")(self.standing)
        routes.get("/races/{race_id}/report.html")(self.report)

    def all(self, request: Request) -> Response:
        """Every race, newest first."""
        page = page_of(request)
        found = self._races.list(page * _PAGE_RACES + 1)[(page - 1) * _PAGE_RACES :]
        is_live = any(record.status == "running" for record in found)
        refresh = 2 * race_page.RELOAD_SECONDS if is_live else 0
        body = races_page.empty_markup()
        if found or page > 1:
            links = pager("/races", page, has_more=len(found) > _PAGE_RACES)
            body = races_page.races_markup(found[:_PAGE_RACES], links)
        start = opening("Races", "races", name=self._name, refresh_seconds=refresh)
        return whole(Markup().join((start, races_page.head_markup(), body, CLOSING)))

    def one(self, race_id: str) -> Response:
        """A race as it stands."""
        record = self._races.get(race_id)
        return whole(race_page.race_html(record.view, name=self._name, created_ns=record.created_ns))

    def standing(self, race_id: str) -> Response:
        """The piece of the page that is fetched again while it runs."""
        record = self._races.get(race_id)
        found = race_page.standing_markup(RaceView(record.view, record.created_ns))
        return Response(str(found), media_type="text/html", headers=dict(HEADERS))

    def shape(self, race_id: str) -> Response:
        """The view object itself."""
        return JSONResponse(dict(self._races.get(race_id).view), headers={"cache-control": "no-store"})

    def report(self, race_id: str) -> Response:
        """The single file; it carries its own policy."""
        record = self._races.get(race_id)
        made = race_page.race_file(record.view).encode("utf-8", "replace")
        name = f'attachment; filename="assay-race-{record.id[:8]}.html"'
        own = {"content-disposition": name, "cache-control": "no-store", "content-security-policy": "sandbox"}
        return Response(made, media_type="text/html", headers=own)
