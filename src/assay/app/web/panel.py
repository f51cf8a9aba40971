"""The document beside the view: opened at the cited span, drawn in windows, with more on request."""

from markupsafe import Markup
from nicegui import ui

from assay.app.service import DocumentView, Service
from assay.app.web import icons, tables
from assay.app.web.block import Block
from assay.app.web.excerpt import (
    Window,
    excerpt,
    headings_above,
    page_at,
    window_after,
    window_at,
    window_before,
)
from assay.app.web.figures import count
from assay.app.web.place import Place, Spot
from assay.errors import AssayError


class DocumentPanel:
    """One document at a time. It keeps no text: a document may be large, and many tabs may be open."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._spot: Spot | None = None
        self._shown = Window(0, 0)
        self._root = ui.element("aside").classes("panel off").props('aria-label="Document"')
        with self._root:
            self._head = Block(classes="panel-head")
            with ui.element("div").classes("panel-scroll").props('tabindex="0" role="region" aria-label="Text"'):
                self._earlier = Block(classes="more")
                self._text = ui.element("div").classes("document")
                self._later = Block(classes="more")

    @property
    def spot(self) -> Spot | None:
        """What is open."""
        return self._spot

    async def open(self, place: Place) -> bool:
        """Open the place's document; whether it was still wanted when it had been read."""
        spot = place.spot
        assert spot is not None
        self._spot = spot
        self._root.classes(remove="off")
        self._text.clear()
        self._earlier.show(Markup())
        self._later.show(Markup())
        self._head.show(_head(place, None))
        with self._text:
            Block(tables.LOADING)
        try:
            view = await self._service.document(spot.document_id)
        except AssayError as error:
            if self._spot == spot:
                self._fill(tables.problem_markup(error.message, error.hint))
            return self._spot == spot
        if self._spot != spot:
            return False
        self._head.show(_head(place, view))
        self._shown = window_at(view.text, spot.start)
        self._fill(excerpt(view, self._shown, mark=_mark(spot)))
        if not view.text:
            self._fill(Markup('<p class="nothing">This document holds no text.</p>'))
        self._show_edges(view)
        return True

    def close(self) -> None:
        """Close it."""
        self._spot = None
        self._root.classes(add="off")
        self._text.clear()

    async def more(self, *, earlier: bool) -> None:
        """Show the text before or after what is shown."""
        spot = self._spot
        if spot is None:
            return
        try:
            view = await self._service.document(spot.document_id)
        except AssayError as error:
            # It was removed or changed while it was read.
            self._fill(tables.problem_markup(error.message, error.hint))
            return
        if self._spot != spot:
            return
        if earlier:
            window = window_before(view.text, self._shown.start)
            self._shown = Window(window.start, self._shown.end)
        else:
            window = window_after(view.text, self._shown.end)
            self._shown = Window(self._shown.start, window.end)
        with self._text:
            block = Block(excerpt(view, window, mark=_mark(spot)), "window", tag="span")
        if earlier:
            block.move_first()
        self._show_edges(view)

    def _fill(self, markup: Markup) -> None:
        self._text.clear()
        with self._text:
            Block(markup, "window", tag="span")

    def _show_edges(self, view: DocumentView) -> None:
        before, after = self._shown.start, len(view.text) - self._shown.end
        self._earlier.show(_more("earlier", before) if before else Markup())
        self._later.show(_more("later", after) if after else Markup())


def _mark(spot: Spot) -> Window | None:
    return Window(spot.start, spot.end) if spot.end > spot.start else None


def _more(act: str, characters: int) -> Markup:
    return Markup(
        '<button class="button" type="button" data-act="{}">Show more</button>'
        '<span class="faint num">{} {}</span>'
    ).format(act, count(characters, "character"), "above" if act == "earlier" else "below")  # fmt: skip


def _head(place: Place, view: DocumentView | None) -> Markup:
    spot = place.spot
    assert spot is not None
    title = (view.title or view.source) if view is not None else "Document"
    facts: list[Markup] = []
    if view is not None:
        if view.title and view.title != view.source:
            facts.append(Markup('<bdi class="path" title="{}">{}</bdi>').format(view.source, view.source))
        if spot.end > spot.start:
            page = page_at(view.pages, spot.start)
            if page is not None:
                facts.append(Markup("<span>page {}</span>").format(count(page)))
            above = [title for title in headings_above(view.headings, spot.start) if title != view.title]
            if above:
                facts.append(Markup("<bdi>{}</bdi>").format(" › ".join(above[-2:])))
            facts.append(Markup("<code>characters {} to {}</code>").format(count(spot.start), count(spot.end)))
        else:
            facts.append(Markup("<span>{}</span>").format(count(len(view.text), "character")))
    return Markup(
        '<div class="panel-title"><h2 tabindex="-1"><bdi>{}</bdi></h2>'
        '<a class="button icon-only" href="{}" target="_blank" rel="noopener" aria-label="Open in a new tab" '
        'title="Open in a new tab">{}</a>'
        '<a class="button icon-only close" href="{}" data-go aria-label="Close the document" title="Close (Esc)">{}</a>'
        '</div><p class="panel-facts faint num">{}</p>'
    ).format(title, spot.url, icons.LINK, place.closed.url, icons.CLOSE, Markup(" ").join(facts))
