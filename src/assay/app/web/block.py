"""The one way HTML reaches the browser: a `Markup`, which only escaping functions make.

Two walls: `Markup.format` has escaped whatever came from outside, and the browser's sanitiser
(DOMPurify, on by default in `ui.html`) would still drop a script or a handler had one slipped in.
"""

from markupsafe import Markup
from nicegui import ui

_NOTHING = Markup()


class Block:
    """A piece of the page whose content can be replaced. Setting the same content again sends nothing."""

    def __init__(self, markup: Markup = _NOTHING, classes: str = "", *, tag: str = "div") -> None:
        self._element = ui.html(_sendable(markup), tag=tag).classes(classes)

    def show(self, markup: Markup) -> None:
        """Replace the content."""
        self._element.set_content(_sendable(markup))

    def props(self, props: str) -> None:
        """Set attributes of the element around the content."""
        self._element.props(props)

    def move_first(self) -> None:
        """Put it before everything else beside it."""
        self._element.move(target_index=0)


def _sendable(markup: Markup) -> str:
    # Lone surrogates, which broken PDF files yield, cannot be sent as UTF-8.
    return str(markup).encode("utf-8", "replace").decode("utf-8")
