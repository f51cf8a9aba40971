"""The evaluation pages: /runs, /cases and what is below them, rendered here and streamed.

Every route is a plain function or a generator, so the framework runs it in a thread and a slow run holds up nobody.
What can be refused is refused before the first byte; what fails after it ends the page with what went wrong.
"""

import asyncio
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import cast
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse
from markupsafe import Markup

from assay.app.failures import http_status
from assay.app.http.pages import LONGEST_TEXT, form_of, page_of, page_route, streamed, text_of, whole
from assay.app.report import case_page, diff_page, review_page, run_page, runs_page, sets_page, shell
from assay.app.report.addresses import diff_url, review_url, set_url
from assay.app.report.archive import Archive, RunSet, holds
from assay.app.report.board import board_markup, title_markup
from assay.app.report.run_index import Selection
from assay.app.report.shell import CLOSING, HEADERS, opening
from assay.app.report.view import CaseView, RunView
from assay.errors import BadInput, NotFound
from assay.evals.case import Case
from assay.evals.diff import KINDS, CaseDiff, diff, hiding
from assay.evals.gold import resolve
from assay.evals.review import Decision, ReviewItem, ReviewQueue
from assay.evals.runs import RunRecord

_PAGE_RUNS = 30
_RELOAD_SECONDS = 5


def router(archive: Archive, *, name: str) -> APIRouter:
    """The pages over the evaluations of a workspace called `name`."""
    routes = APIRouter(route_class=page_route(name), include_in_schema=False)
    _Runs(archive, name).add_to(routes)
    _Cases(archive, name).add_to(routes)

    @routes.get(shell.ASSETS + "/{file}")
    def asset(file: str, v: str = "") -> Response:
        if file not in shell.MEDIA_TYPES:
            raise NotFound(f"There is no file {file}.")
        kept = {"cache-control": "public, max-age=31536000, immutable" if v else "no-cache"}
        return Response(shell.asset(file), media_type=shell.MEDIA_TYPES[file], headers=kept)

    return routes


class _Runs:
    """The pages of runs."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._archive, self._name = archive, name

    def add_to(self, routes: APIRouter) -> None:
        """Add their routes, those with fixed steps first."""
        routes.get("/runs")(self.all)
        routes.get("/runs/compare")(self.compare)
        routes.get("/runs/{run_id}")(self.one)
        routes.get("/runs/{run_id}/standing")(self.standing)
        routes.get("/runs/{run_id}/report.html")(self.report)
        routes.get("/runs/{run_id}/cases/{case_id:path}")(self.case)
        routes.get("/runs/{first}/diff/{second}")(self.diff)

    def all(self, request: Request) -> Response:
        """All runs, or those on one set; the course of its metrics."""
        archive = self._archive
        named, page = text_of(request, "cases"), page_of(request)
        digest = archive.cases.digest(named) if named else None
        runs = archive.newest(limit=_PAGE_RUNS + 1, offset=(page - 1) * _PAGE_RUNS, set_digest=digest)
        sets = archive.run_sets()
        chosen = next((one for one in sets if one.digest == digest), None) if digest else None
        if digest and chosen is None:
            chosen = RunSet(named, digest, 0)
        is_live = any(run.status == "running" for run in runs)

        def pieces() -> Iterator[Markup]:
            yield opening("Runs", "runs", name=self._name, refresh_seconds=_RELOAD_SECONDS if is_live else 0)
            yield runs_page.head_markup(sets, chosen)
            if not runs:
                yield runs_page.empty_markup() if not sets else Markup('<p class="empty">No run here.</p>')
                return
            told = chosen or next((one for one in sets if one.runs > 1), None)
            if told is not None and page == 1:
                yield runs_page.history_section(archive.history(told.digest), told)
            yield runs_page.runs_markup(runs[:_PAGE_RUNS])
            yield _older(page, named, has_more=len(runs) > _PAGE_RUNS)

        return streamed(pieces())

    def compare(self, request: Request) -> Response:
        """To the comparison of the two runs chosen in the list."""
        first, second = (request.query_params.get(side, "") for side in "ab")
        if not first or not second:
            raise BadInput("Two runs are needed for a comparison.", hint="Choose one as A and one as B in the list.")
        runs = [self._archive.runs.get(run_id) for run_id in (first, second)]
        return RedirectResponse(diff_url(runs[0].id, runs[1].id), status_code=303)

    def one(self, run_id: str, request: Request) -> Response:
        """A run: its board and its cases."""
        run = self._archive.runs.get(run_id)
        selection = _selection(request)

        def pieces() -> Iterator[Markup]:
            is_live = run.status == "running"
            yield opening(run.spec.system, "runs", name=self._name, refresh_seconds=_RELOAD_SECONDS if is_live else 0)
            yield shell.crumbs_markup(("/runs", "Runs"))
            yield title_markup(run, beside=run_page.actions_markup(run))
            if is_live:
                yield Markup('<section class="panel" data-until-done>{}</section>').format(
                    runs_page.standing_markup(run)
                )
            index = self._archive.index(run)
            yield board_markup(RunView(run, index.board, (), self._archive.past(run)))
            if index.standings:
                chosen = self._archive.chosen(run, index, selection)
                kept = len(self._archive.hidden(run) & index.ordinals.keys())
                yield run_page.cases_markup(run, index, selection, chosen, kept=kept)

        return streamed(pieces())

    def standing(self, run_id: str) -> Response:
        """How a run stands: the piece of a page that is fetched again while it runs."""
        run = self._archive.runs.get(run_id)
        return Response(str(runs_page.standing_markup(run)), media_type="text/html", headers=HEADERS)

    def report(self, run_id: str) -> Response:
        """The single-file report; it carries its own policy."""
        run = self._archive.runs.get(run_id)
        name = f'attachment; filename="assay-{run.id[:8]}.html"'
        own = {"content-disposition": name, "cache-control": "no-store", "content-security-policy": "sandbox"}
        return StreamingResponse(self._archive.report(run), media_type="text/html", headers=own)

    def case(self, run_id: str, case_id: str, request: Request) -> Response:
        """One case of a run."""
        run = self._archive.runs.get(run_id)
        case_id = request.query_params.get("id", case_id)
        selection = _selection(request)
        index = self._archive.index(run)
        if case_id not in index.ordinals:
            raise NotFound(
                f"Run {run.id[:8]} has no result for case {case_id!r}.", hint="Open it from the run's cases."
            )
        if place := self._archive.kept(run).get(case_id):
            raise NotFound(
                f"Decisions are made on case {case_id!r}, so no single result of it is shown.",
                hint=f"assay cases open {' '.join(map(shlex.quote, place))} moves its cluster to dev, at a price.",
            )
        library = self._archive.library()
        view, results = self._archive.case_view(run, index.ordinals[case_id], library)
        chosen = self._archive.chosen(run, index, selection)
        page = case_page.case_page_markup(
            run, view, results, places=library, index=index, selection=selection, chosen=chosen
        )
        return whole(opening(view.case.question, "runs", name=self._name) + page + CLOSING)

    def diff(self, first: str, second: str, request: Request) -> Response:
        """Two runs compared, paired case by case."""
        runs = self._archive.runs.get(first), self._archive.runs.get(second)
        kind, page = text_of(request, "kind"), page_of(request)

        def pieces() -> Iterator[Markup]:
            yield opening("What changed", "runs", name=self._name)
            yield diff_page.head_markup(*runs)
            columns = [self._archive.index(run).columns for run in runs]
            found = hiding(diff(*columns, most_cases=diff_page.MOST_CASES), self._archive.hidden(runs[0]))
            yield diff_page.metrics_markup(found)
            base = diff_url(runs[0].id, runs[1].id)
            cases = [change for change in found.cases if not kind or change.kind == kind]
            pages = max(1, -(-len(cases) // diff_page.PAGE_CASES))
            at = (min(page, pages) - 1) * diff_page.PAGE_CASES
            listed = base + (f"?kind={kind}" if kind in KINDS else "")
            changes = list(self._changes(runs, cases[at : at + diff_page.PAGE_CASES]))
            kinds = diff_page.kinds_markup(found, base, kind)
            yield diff_page.cases_markup(kinds, changes, found, min(page, pages), pages, listed)

        return streamed(pieces())

    def _changes(self, runs: tuple[RunRecord, RunRecord], cases: Sequence[CaseDiff]) -> Iterator[Markup]:
        library = self._archive.library()
        manner = diff_page.manner_of(case_page.manner_of(runs[0], library))
        for change in cases:
            views: list[CaseView] = []
            for run, ordinal in zip(runs, change.ordinals, strict=True):
                views.append(self._archive.case_view(run, ordinal, library)[0])
            yield diff_page.change_markup(change, (views[0], views[1]), runs, manner)


class _Cases:
    """The pages of sets of cases."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._archive, self._name = archive, name

    def add_to(self, routes: APIRouter) -> None:
        """Add their routes."""
        routes.get("/cases")(self.all)
        routes.get("/cases/{named:path}/review")(self.review)
        routes.post("/cases/{named:path}/review")(self.decide)
        routes.get("/cases/{named:path}")(self.one)

    def all(self) -> Response:
        """The named sets."""
        sets = self._archive.sets()
        versions = {one.name: len(self._archive.cases.versions(one.name)) for one in sets}
        body = sets_page.sets_markup(sets, versions) if sets else sets_page.empty_markup()
        return whole(opening("Cases", "cases", name=self._name) + body + CLOSING)

    def one(self, named: str, request: Request) -> Response:
        """The cases of a set, by name or digest; with `version`, those of an older version."""
        versions = self._archive.cases.versions(named)
        digest = self._archive.cases.digest(text_of(request, "version") or named)
        cases, text, page = self._archive.set(digest), text_of(request, "q"), page_of(request)
        fitting = [case for case in cases if holds(case, text.casefold())] if text else cases
        pages = max(1, -(-len(fitting) // sets_page.PAGE_CASES))
        page = min(page, pages)
        first = (page - 1) * sets_page.PAGE_CASES
        body = sets_page.set_markup(
            named,
            digest,
            versions,
            fitting[first : first + sets_page.PAGE_CASES],
            sets_page.manner_of(self._archive.library()),
            total=len(cases),
            fitting=len(fitting),
            text=text,
            page=page,
        )
        return whole(opening(named, "cases", name=self._name) + body + CLOSING)

    def review(self, named: str, request: Request) -> Response:
        """The next case to decide on, or the one that is asked for."""
        queue = ReviewQueue(self._archive.database, named)
        digest = text_of(request, "case")
        item = queue.item(digest) if digest else queue.next()
        return self._reviewed(named, queue, item)

    async def decide(self, named: str, request: Request) -> Response:
        """Keep a decision on a case and go on to the next. Other sites are kept out by the guard around the app."""
        fields = form_of(request, await request.body())
        return await asyncio.to_thread(self._decided, named, fields)

    def _decided(self, named: str, fields: Mapping[str, Sequence[str]]) -> Response:
        queue = ReviewQueue(self._archive.database, named)
        decision, digest = (next(iter(fields.get(key, ())), "") for key in ("decision", "case"))
        if decision == "finish":
            queue.finish()
            return RedirectResponse(set_url(named), status_code=303)
        if decision == "undo":
            undone = queue.undo()
            query = "" if undone is None else f"?case={undone.case.digest}"
            return RedirectResponse(review_url(named) + query, status_code=303)
        if decision == "fixed":
            return self._fixed(named, queue, digest, fields)
        queue.decide(digest, cast(Decision, decision))  # raises BadInput for what is no decision
        return RedirectResponse(review_url(named), status_code=303)

    def _fixed(self, named: str, queue: ReviewQueue, digest: str, fields: Mapping[str, Sequence[str]]) -> Response:
        item, library = queue.item(digest), self._archive.library()
        edited = item.fixed or item.case
        try:
            edited = review_page.case_from_form(edited, fields, library)
            resolve(edited, library)
            queue.decide(digest, "fixed", edited)
        except BadInput as error:  # shown beside what was written, so that none of it is lost
            return self._reviewed(named, queue, item, edited=edited, problem=error)
        return RedirectResponse(review_url(named), status_code=303)

    def _reviewed(
        self,
        named: str,
        queue: ReviewQueue,
        item: ReviewItem | None,
        *,
        edited: Case | None = None,
        problem: BadInput | None = None,
    ) -> Response:
        body = review_page.review_markup(
            named, item, queue.progress(), self._archive.library(), edited=edited, problem=problem
        )
        page = opening(f"Review of {named}", "cases", name=self._name) + body + CLOSING
        return whole(page, status=200 if problem is None else http_status(problem))


def _selection(request: Request) -> Selection:
    given = {key: text_of(request, key) for key in ("outcome", "q", "order")}
    # A tag is matched as it stands, white space at its ends included.
    return Selection(**given, tag=request.query_params.get("tag", "")[:LONGEST_TEXT], page=page_of(request))


def _older(page: int, named: str, *, has_more: bool) -> Markup:
    def link(number: int, label: str) -> Markup:
        query = {"cases": named} if named else {}
        query |= {"page": str(number)} if number > 1 else {}
        return Markup('<a class="button small" href="/runs{}">{}</a>').format(
            f"?{urlencode(query)}" if query else "", label
        )

    links = ([link(page - 1, "Newer")] if page > 1 else []) + ([link(page + 1, "Older")] if has_more else [])
    return Markup('<nav class="pager" aria-label="Pages">{}</nav>').format(Markup().join(links)) if links else Markup()
