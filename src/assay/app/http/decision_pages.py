"""The decision pages: /decisions and what is below them, rendered here and streamed.

As with the evaluation pages every route is a plain function, so the framework runs it in a thread: folding a decision
again may take seconds. Nothing is changed by a GET; labels come by forms that the guard around the app keeps to our own
pages, and only the question that is asked now, or one that has a label, takes one.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from assay.app.http.pages import form_of, page_of, page_route, pager, streamed, text_of, whole
from assay.app.labelling import Labelling, labelled_sentence
from assay.app.report import decision_page, decisions_page, label_page, reading_part
from assay.app.report.addresses import label_url
from assay.app.report.archive import Archive
from assay.app.report.decision_archive import DecisionArchive
from assay.app.report.decision_file import decision_file
from assay.app.report.shell import CLOSING, HEADERS, opening
from assay.decisions.register import Decision
from assay.errors import BadInput

_PAGE_DECISIONS = 40
_RELOAD_SECONDS = 2
_MOST_SKIPPED = 2_000
_LABELLER = "in the browser"
_SCORES = {"1": (1.0, 0.0), "2": (0.0, 1.0), "b": (1.0, 1.0), "n": (0.0, 0.0)}


def router(archive: Archive, *, name: str) -> APIRouter:
    """The pages over the decisions of a workspace called `name`."""
    routes = APIRouter(route_class=page_route(name), include_in_schema=False)
    found = DecisionArchive(archive)
    _Decisions(found, name).add_to(routes)
    _Labels(found, name).add_to(routes)
    return routes


class _Decisions:
    """The list, and each decision."""

    def __init__(self, archive: DecisionArchive, name: str) -> None:
        self._archive, self._name = archive, name

    def add_to(self, routes: APIRouter) -> None:
        """Add their routes."""
        routes.get("/decisions")(self.all)
        routes.get("/decisions/{decision_id}")(self.one)
        routes.get("/decisions/{decision_id}/standing")(self.standing)
        routes.get("/decisions/{decision_id}/report.html")(self.report)

    def all(self, request: Request) -> Response:
        """Every decision, what serves, what evidence is left."""
        archive, page = self._archive, page_of(request)
        decisions = archive.newest(limit=_PAGE_DECISIONS + 1, offset=(page - 1) * _PAGE_DECISIONS)
        states = {decision.id: archive.state(decision) for decision in decisions}
        log, releases = archive.releases()
        is_live = "running" in states.values()

        def pieces() -> Iterator[Markup]:
            refresh = 2 * _RELOAD_SECONDS if is_live else 0
            yield opening("Decisions", "decisions", name=self._name, refresh_seconds=refresh)
            yield decisions_page.head_markup()
            if not decisions and page == 1:
                yield decisions_page.empty_markup()
                if log:
                    yield decisions_page.releases_markup(log, releases)
                return
            shown = decisions[:_PAGE_DECISIONS]
            links = pager("/decisions", page, has_more=len(decisions) > _PAGE_DECISIONS)
            yield Markup('<div class="beside">') + decisions_page.decisions_markup(shown, states, links)
            yield Markup('<div class="stack">') + decisions_page.releases_markup(log, releases)
            yield Markup('<h2 class="over">Evidence budgets</h2>')
            for standing, hypothesis in archive.standings(shown):
                found = archive.decisions_of(standing)
                yield decisions_page.budget_section(standing, hypothesis, found, archive.chances)
            yield Markup("</div></div>")

        return streamed(pieces())

    def one(self, decision_id: str) -> Response:
        """A decision; what takes longest comes last."""
        view = self._archive.view(decision_id)
        is_live = view.state == "running"

        def pieces() -> Iterator[Markup]:
            refresh = _RELOAD_SECONDS if is_live else 0
            yield opening(decision_page.title_of(view), "decisions", name=self._name, refresh_seconds=refresh)
            yield decision_page.head_markup(view)
            standing = decision_page.standing_markup(view)
            yield Markup("<div data-until-done>{}</div>").format(standing) if is_live else standing
            yield decision_page.follows_markup(view)
            yield decision_page.figures_markup(view)
            yield decision_page.budget_section(view)
            if is_live:
                return
            yield reading_part.dev_markup(view, self._archive.dev(view.decision))
            checked = self._archive.checked(view.decision) if view.state == "done" else None
            yield reading_part.checked_markup(view, checked)

        return streamed(pieces())

    def standing(self, decision_id: str) -> Response:
        """Figures and plot: the piece of the page that is fetched again while it runs."""
        found = decision_page.standing_markup(self._archive.view(decision_id))
        return Response(str(found), media_type="text/html", headers=dict(HEADERS))

    def report(self, decision_id: str) -> Response:
        """The single file; it carries its own policy."""
        view = self._archive.view(decision_id)
        checked = self._archive.checked(view.decision) if view.state == "done" else None
        made = decision_file(view, self._archive.dev(view.decision), checked)
        name = f'attachment; filename="assay-decision-{view.decision.id[:8]}.html"'
        own = {"content-disposition": name, "cache-control": "no-store", "content-security-policy": "sandbox"}
        return Response(made, media_type="text/html", headers=own)


class _Labels:
    """Labelling the answers of a decision."""

    def __init__(self, archive: DecisionArchive, name: str) -> None:
        self._archive, self._name = archive, name

    def add_to(self, routes: APIRouter) -> None:
        """Add their routes."""
        routes.get("/decisions/{decision_id}/label")(self.ask)
        routes.post("/decisions/{decision_id}/label")(self.take)

    def ask(self, decision_id: str, request: Request) -> Response:
        """The question to label now, or how many are to be labelled, or that all are there."""
        decision = self._finished(decision_id)
        if decision.details.get("labels_wanted") is None:
            return self._page(label_page.declare_markup(decision))
        desk, skipping = self._archive.labelling(decision), _skipping(text_of(request, "skip"))
        done, wanted = len(desk.labels.all()), desk.labels.wanted
        if not wanted:
            return self._page(label_page.alike_markup(decision))
        if done >= wanted and decision.support != "HUMAN-CALIBRATED":
            return self._page(label_page.unread_markup(decision, wanted=wanted))
        if done >= wanted:
            outcome = decision.outcome or {}
            before = str(outcome.get("judged_verdict") or outcome.get("verdict"))
            says = labelled_sentence(desk.verdict())
            return self._page(label_page.complete_markup(decision, before, says=says, wanted=wanted))
        item = desk.labels.next(skipping=skipping)
        if item is None:
            return self._page(label_page.skipped_markup(decision, done=done, wanted=wanted))
        return self._page(label_page.label_markup(decision, item, done=done, wanted=wanted, skipping=skipping))

    async def take(self, decision_id: str, request: Request) -> Response:
        """Keep a label and go on. Other sites are kept out by the guard around the app."""
        fields = form_of(request, await request.body())
        return await asyncio.to_thread(self._taken, decision_id, fields)

    def _taken(self, decision_id: str, fields: Mapping[str, Sequence[str]]) -> Response:
        decision = self._finished(decision_id)
        choice, skipping = _field(fields, "choice"), _skipping(_field(fields, "skip"))
        if choice == "declare":
            self._archive.labelling(decision, wanted=_wanted(_field(fields, "labels")))
            return _back(decision, frozenset())
        if decision.details.get("labels_wanted") is None:
            raise BadInput("How many labels there are to be was not declared.", hint="Open the page again.")
        desk = self._archive.labelling(decision)
        if not _is_complete(desk):  # once complete, no label changes
            skipping = _labelled(desk, choice, _number(_field(fields, "ordinal")), skipping)
        if _is_complete(desk) and decision.support != "HUMAN-CALIBRATED":
            desk.settle()
        return _back(decision, skipping)

    def _finished(self, decision_id: str) -> Decision:
        decision = self._archive.register.get(decision_id)
        if decision.status != "done":
            raise BadInput(
                f"Decision {decision.id[:8]} is not finished ({self._archive.state(decision)}).",
                hint="Finish it first: run the same `assay try` again.",
            )
        return decision

    def _page(self, body: Markup) -> Response:
        return whole(opening("Label answers", "decisions", name=self._name) + body + CLOSING)


def _is_complete(desk: Labelling) -> bool:
    return 0 < desk.labels.wanted <= len(desk.labels.all())


def _labelled(desk: Labelling, choice: str, ordinal: int, skipping: frozenset[int]) -> frozenset[int]:
    """Do what was chosen; the questions skipped from here on."""
    if choice == "u":
        desk.labels.undo()
    elif choice == "s":
        return skipping | {ordinal}
    elif choice in _SCORES:
        _keep(desk, ordinal, choice, skipping)
    else:
        raise BadInput(f"{choice!r} is no choice.", hint="Open the page again.")
    return skipping


def _keep(desk: Labelling, ordinal: int, choice: str, skipping: frozenset[int]) -> None:
    """Keep the label of the question that is asked now, or change one; a stale page changes nothing."""
    asked = desk.labels.next(skipping=skipping)
    is_asked = asked is not None and asked.item.ordinal == ordinal
    if ordinal in desk.labels.items and (is_asked or any(label.ordinal == ordinal for label in desk.labels.all())):
        shown = desk.labels.shown(desk.labels.items[ordinal])
        desk.labels.add(shown, *_SCORES[choice], labeller=_LABELLER)


def _back(decision: Decision, skipping: frozenset[int]) -> Response:
    query = f"?skip={','.join(map(str, sorted(skipping)))}" if skipping else ""
    return RedirectResponse(label_url(decision.id) + query, status_code=303)


def _field(fields: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(fields.get(name, ())), "").strip()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _skipping(text: str) -> frozenset[int]:
    return frozenset(_number(part) for part in text.split(",")[:_MOST_SKIPPED] if part) - {-1}


def _wanted(text: str) -> int:
    wanted = _number(text)
    if not label_page.FEWEST <= wanted <= label_page.MOST:
        raise BadInput(
            f"{text or 'Nothing'} is no number of labels from {label_page.FEWEST} to {label_page.MOST:,}.",
            hint="Go back and give one.",
        )
    return wanted
