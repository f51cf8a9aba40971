"""The chat: the turns of a conversation, drawn as they change, and the box for the next question.

A stream may yield hundreds of pieces a second; a turn is redrawn at most every `REDRAW_SECONDS`,
because each redraw sends its whole text.
"""

import asyncio

from markupsafe import Markup
from nicegui import ui

from assay.app.service import Extent, Service
from assay.app.web import frame, tables
from assay.app.web.answer import body_markup, question_markup, spoken, status_markup
from assay.app.web.block import Block
from assay.app.web.conversation import Conversation, Turn

REDRAW_SECONDS = 0.07

MAX_QUESTION = 8_000
"""Characters. Longer questions are cut: the box in the browser takes no more either."""


class _TurnView:
    """The three pieces of a turn on the page."""

    def __init__(self, turn: Turn) -> None:
        with ui.element("article").classes("turn"):
            Block(question_markup(turn.question))
            self.body = Block(classes="turn-body")
            self.status = Block(classes="turn-status")


class ChatView:
    """The chat of one browser tab. Built before the tab is known, so `attach` brings its conversation later."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._conversation: Conversation | None = None
        self._views: dict[Turn, _TurnView] = {}
        self._stale: set[Turn] = set()
        self._redraw: asyncio.TimerHandle | None = None
        with ui.element("div").classes("log").props('tabindex="-1"'), ui.element("div").classes("lane"):
            self._head = Block(classes="page-head")
            self._intro = Block(classes="intro-slot")
            self._turns = ui.element("div").classes("turns").props('role="log" aria-live="off"')
        self._speaker = Block(classes="spoken")
        self._speaker.props('role="status" aria-live="polite"')
        self._composer = ui.element("div").classes("composer-slot")
        with self._composer:
            Block(frame.COMPOSER, classes="lane")
        self.show_extent(None)

    def attach(self, conversation: Conversation) -> None:
        """Show a conversation and follow it."""
        self._conversation = conversation
        for turn in conversation.turns:
            self._draw(turn)
        conversation.watch(self._changed)
        self._set_busy()

    def detach(self) -> None:
        """Follow it no more: the browser is gone."""
        if self._redraw is not None:
            self._redraw.cancel()
        if self._conversation is not None:
            self._conversation.unwatch(self._changed)

    def show_extent(self, extent: Extent | None) -> None:
        """Say what can be asked about, and what to do where there is nothing."""
        facts = tables.extent_text(extent) if extent is not None else ""
        self._head.show(Markup('<h1>{}</h1><p class="muted num">{}</p>').format(self._service.name, facts))
        empty = not (self._conversation and self._conversation.turns)
        self._intro.show(tables.intro_markup(extent, self._service.ingestion()) if empty else Markup())

    def ask(self, question: str) -> None:
        """Put a question; nothing happens for a blank one, or while another is being answered."""
        question = question.strip()[:MAX_QUESTION]
        if question and self._conversation is not None:
            self._conversation.ask(self._service, question)
            self._intro.show(Markup())

    def ask_again(self) -> None:
        """Put the last question again."""
        if self._conversation is not None and self._conversation.turns:
            self.ask(self._conversation.turns[-1].question)

    def stop(self) -> None:
        """Stop the answer under way."""
        if self._conversation is not None:
            self._conversation.stop()

    def tick(self) -> None:
        """Show how the loading of models goes while a question waits for it."""
        turn = self._conversation.running if self._conversation is not None else None
        if turn is not None and not turn.text:
            self._changed(turn)

    def _changed(self, turn: Turn) -> None:
        self._stale.add(turn)
        if self._redraw is None:
            self._redraw = asyncio.get_running_loop().call_later(REDRAW_SECONDS, self._draw_stale)

    def _draw_stale(self) -> None:
        self._redraw = None
        stale, self._stale = self._stale, set()
        for turn in stale:
            self._draw(turn)
            if not turn.is_running:
                self._speaker.show(Markup("{}").format(spoken(turn)))
        self._set_busy()

    def _draw(self, turn: Turn) -> None:
        view = self._views.get(turn)
        if view is None:
            with self._turns:
                view = self._views[turn] = _TurnView(turn)
        view.body.show(body_markup(turn))
        view.status.show(status_markup(turn, self._service.models()))

    def _set_busy(self) -> None:
        busy = self._conversation is not None and self._conversation.running is not None
        self._composer.classes(add="busy") if busy else self._composer.classes(remove="busy")
