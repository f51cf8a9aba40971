"""The questions of one browser tab and what became of them; it outlives the connection, not the process.

A turn ends in exactly one of four ways: an outcome, a failure with a hint, stopped by the user, or
stopped because nobody was left to read it. Stopping closes the service's stream, which stops the
model. Proved by `tests/unit/web/test_conversation.py`.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from assay.answers.outcome import Finished, Outcome, Progress, TextPiece
from assay.app.service import Service
from assay.errors import AssayError

_log = logging.getLogger(__name__)

MAX_TURNS = 200
"""Of one tab. Older ones are forgotten, so a tab left open for months stays small."""

MAX_CONVERSATIONS = 500


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no outcome: one sentence of what was wrong and one of what to do."""

    message: str
    hint: str = ""
    code: str = "error"


@dataclass(eq=False, slots=True)
class Turn:
    """A question and what became of it. `text` is what was streamed so far; the outcome's text replaces it."""

    question: str
    step: str = ""
    detail: str = ""
    text: str = ""
    outcome: Outcome | None = None
    failure: Failure | None = None
    is_stopped: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def is_running(self) -> bool:
        """Whether something may still come."""
        return self.outcome is None and self.failure is None and not self.is_stopped

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the question was asked."""
        return (time.monotonic() - self.started) * 1000


Watcher = Callable[[Turn], None]


class Conversation:
    """The turns of one tab. Watchers are told of every change, in the event loop the turns run in."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._watchers: set[Watcher] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> Turn | None:
        """The turn under way: at most one, the last."""
        return self.turns[-1] if self.turns and self.turns[-1].is_running else None

    def watch(self, watcher: Watcher) -> None:
        """Tell `watcher` of every change from now on."""
        self._watchers.add(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Tell it no more. When the last one is gone the turn under way is stopped: nobody reads it."""
        self._watchers.discard(watcher)
        if not self._watchers:
            self.stop()

    def ask(self, service: Service, question: str) -> Turn | None:
        """Put a question, unless one is still being answered (then None). Needs a running event loop."""
        if self.running is not None:
            return None
        turn = Turn(question)
        self.turns.append(turn)
        del self.turns[:-MAX_TURNS]
        self._task = asyncio.create_task(self._answer(service, turn), name="assay answer")
        return turn

    def stop(self) -> None:
        """Stop the turn under way, if there is one."""
        turn = self.running
        if turn is not None and self._task is not None:
            # Said here and not only in the task: one that is cancelled before it began never runs.
            turn.is_stopped = True
            self._task.cancel()
            self._changed(turn)

    async def _answer(self, service: Service, turn: Turn) -> None:
        self._changed(turn)
        try:
            async with aclosing(service.stream(turn.question)) as events:  # type: ignore[type-var]  # generators all
                async for event in events:
                    _take(turn, event)
                    self._changed(turn)
            if turn.outcome is None:
                turn.failure = Failure("The answer ended before it was complete.", "Ask again.", "garbled")
        except asyncio.CancelledError:
            turn.is_stopped = turn.outcome is None
            raise
        except AssayError as error:
            turn.failure = Failure(error.message, error.hint, error.slug)
        except Exception:  # noqa: BLE001  # the edge: nobody awaits this task, so the user must be told here
            _log.exception("a question failed in a way nobody foresaw")
            turn.failure = Failure(
                "Assay failed in a way it should not.", "Look into the log of the server, and report it.", "internal"
            )
        finally:
            self._changed(turn)

    def _changed(self, turn: Turn) -> None:
        for watcher in list(self._watchers):
            watcher(turn)


def _take(turn: Turn, event: Progress | TextPiece | Finished) -> None:
    match event:
        case Progress(step, detail):
            turn.step, turn.detail = step, detail
        case TextPiece(text):
            turn.text += text
        case Finished(outcome):
            turn.outcome = outcome


class Conversations:
    """The conversations of all tabs, by the tab's random id. The least recently opened are forgotten first."""

    def __init__(self) -> None:
        self._by_tab: OrderedDict[str, Conversation] = OrderedDict()

    def of(self, tab_id: str) -> Conversation:
        """The conversation of a tab, new where the tab is new."""
        conversation = self._by_tab.setdefault(tab_id, Conversation())
        self._by_tab.move_to_end(tab_id)
        while len(self._by_tab) > MAX_CONVERSATIONS:
            _, oldest = self._by_tab.popitem(last=False)
            oldest.stop()
        return conversation
