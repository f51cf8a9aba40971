"""The page of one browser tab: every view in one document, the URL as its state, one channel for what the user does.

The chat is built once and only hidden behind other views, so it keeps its place and goes on
streaming. The browser's script sends one event, `assay`, with what was done; whatever it carries is
checked here as input from outside.
"""

import time
from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import Client, ui
from nicegui.events import GenericEventArguments

from assay.app.service import Extent, IngestStatus, Service
from assay.app.web import frame, tables
from assay.app.web.block import Block
from assay.app.web.chat import ChatView
from assay.app.web.conversation import Conversations
from assay.app.web.panel import DocumentPanel
from assay.app.web.place import TITLES, Place, place_of
from assay.app.web.waterfall import trace_markup
from assay.errors import AssayError

LIST_STEP = 500
"""Documents listed at first, and more with each request."""

POLL_SECONDS = 1.0

RELIST_SECONDS = 5.0
"""While an ingestion runs the list is drawn again no more often: a redraw takes the focus from a row."""


class Page:
    """Everything on the page of one tab."""

    def __init__(self, service: Service, conversations: Conversations, client: Client, place: Place) -> None:
        self._service = service
        self._conversations = conversations
        self._client = client
        self._place = Place("missing")
        self._extent: Extent | None = None
        self._seen: IngestStatus | None = None
        self._matching = ""
        self._listed = LIST_STEP
        self._listed_at = 0.0
        with ui.element("div").classes("app"):
            self._build_bar()
            self._stage = ui.element("div").classes("stage")
            with self._stage, ui.element("main").classes("content").props('id="content" tabindex="-1"'):
                self._build_views()
            with self._stage:
                self._panel = DocumentPanel(service)
        self._set_view(place)
        ui.on("assay", self._act)
        ui.timer(POLL_SECONDS, self._tick)
        client.on_connect(self._connected)
        client.on_delete(self._chat.detach)
        self._attached = False

    def _build_bar(self) -> None:
        with ui.element("header").classes("top"):
            Block(frame.BAR, "top-left")
            self._nav = Block(classes="nav", tag="nav")
            self._nav.props('id="assay-nav" aria-label="Views"')
            self._state = Block(classes="top-state")
            self._state.props('role="status"')
            Block(frame.THEME, "top-theme")

    def _build_views(self) -> None:
        self._views = {}
        for view in TITLES:
            with ui.element("section").classes(f"view {view} off").props(f'aria-label="{TITLES[view]}"') as section:
                self._views[view] = section
        with self._views["chat"]:
            self._chat = ChatView(self._service)
        with self._views["documents"], ui.element("div").classes("lane wide"):
            self._list_head = Block(classes="page-head")
            self._ingestion = Block(classes="stack")
            Block(frame.FILTER, "filter-slot")
            self._list = Block(tables.LOADING, "card flush")
        with self._views["settings"], ui.element("div").classes("lane wide"):
            self._release = Block(tables.release_markup(self._service.release()), "page-head")
            self._models = Block(classes="card")
            self._settings = Block(classes="stack")
        with self._views["trace"], ui.element("div").classes("lane wide"):
            Block(Markup("<h1>Trace</h1>"), "page-head")
            self._trace = Block(tables.LOADING)
        with self._views["missing"], ui.element("div").classes("lane"):
            Block(frame.MISSING)

    async def _connected(self) -> None:
        if not self._attached and self._client.tab_id is not None:
            self._attached = True
            self._chat.attach(self._conversations.of(self._client.tab_id))
            await self._tick()
            await self._go(self._place, is_first=True)

    async def _act(self, event: GenericEventArguments) -> None:
        acts: dict[str, Callable[[], Awaitable[None] | None]] = {
            "stop": self._chat.stop,
            "again": self._chat.ask_again,
            "earlier": lambda: self._more(earlier=True),
            "later": lambda: self._more(earlier=False),
            "list-more": self._list_more,
        }
        match event.args:
            case {"act": "go", "url": str(url)}:
                await self._go(place_of(url))
            case {"act": "ask", "question": str(question)}:
                self._chat.ask(question)
            case {"act": "filter", "text": str(text)}:
                self._matching, self._listed = text.strip()[:200], LIST_STEP
                await self._show_list()
            case {"act": str(act)} if act in acts:
                pending = acts[act]()
                if pending is not None:
                    await pending

    async def _go(self, place: Place, *, is_first: bool = False) -> None:
        moved = place.view != self._place.view or is_first
        self._set_view(place)
        if place.spot is None:
            self._panel.close()
        elif place.spot != self._panel.spot and await self._panel.open(place):
            self._client.run_javascript("assay.reveal()")
        if place.view == "documents" and moved:
            await self._show_list()
        elif place.view == "settings":
            self._show_settings()
        elif place.view == "trace":
            await self._show_trace(place.trace_id)
        if moved:
            self._client.run_javascript(f"assay.arrived({str(is_first).lower()})")

    def _set_view(self, place: Place) -> None:
        self._place = place
        for view, section in self._views.items():
            section.classes(remove="off") if view == place.view else section.classes(add="off")
        self._stage.classes(add="split") if place.spot else self._stage.classes(remove="split")
        self._nav.show(frame.nav_markup(place.view))
        ui.page_title(f"{TITLES[place.view]} · {self._service.name}")

    async def _tick(self) -> None:
        ingestion, models = self._service.ingestion(), self._service.models()
        if ingestion != self._seen:
            try:
                self._extent = await self._service.extent()
            except AssayError:
                return  # the next tick tries again; what is shown stays
            self._seen = ingestion
            self._show_ingestion(ingestion)
            is_due = time.monotonic() - self._listed_at > RELIST_SECONDS
            if self._place.view == "documents" and (is_due or ingestion.state != "running"):
                await self._show_list()
        self._state.show(frame.state_markup(models, ingestion, self._service.release()))
        self._chat.show_extent(self._extent)
        self._chat.tick()
        if self._place.view == "settings":
            self._show_settings()

    def _show_settings(self) -> None:
        self._release.show(tables.release_markup(self._service.release()))
        self._models.show(tables.models_markup(self._service.models()))
        self._settings.show(tables.settings_markup(self._service.settings_in_force()))

    async def _show_list(self) -> None:
        try:
            rows = await self._service.documents(limit=self._listed + 1, matching=self._matching)
        except AssayError as error:
            self._list.show(tables.problem_markup(error.message, error.hint))
            return
        self._listed_at = time.monotonic()
        self._show_ingestion(self._service.ingestion())
        if not rows and not self._matching and self._service.ingestion().state != "running":
            self._list.show(tables.empty_markup())
            return
        listed = rows[: self._listed]
        self._list.show(tables.documents_markup(listed, matching=self._matching, has_more=len(rows) > len(listed)))

    def _show_ingestion(self, ingestion: IngestStatus) -> None:
        facts = tables.extent_text(self._extent or Extent())
        self._list_head.show(Markup('<h1>Documents</h1><p class="muted num">{}</p>').format(facts))
        self._ingestion.show(tables.ingestion_markup(ingestion))

    async def _list_more(self) -> None:
        self._listed += LIST_STEP
        await self._show_list()

    async def _show_trace(self, trace_id: str) -> None:
        try:
            self._trace.show(trace_markup(await self._service.trace(trace_id)))
        except AssayError as error:
            self._trace.show(tables.problem_markup(error.message, error.hint))

    async def _more(self, *, earlier: bool) -> None:
        await self._panel.more(earlier=earlier)
        self._client.run_javascript("assay.settle()")
