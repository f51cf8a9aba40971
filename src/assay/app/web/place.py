"""Where in the page one is: the URL is the state, so a link, a reload and the back button all work.

`place_of(place.url) == place` for every place, proved by `tests/unit/web/test_place.py`.
"""

from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

View = Literal["chat", "documents", "settings", "trace", "missing"]

TITLES: dict[View, str] = {
    "chat": "Chat",
    "documents": "Documents",
    "settings": "Settings",
    "trace": "Trace",
    "missing": "Not found",
}


@dataclass(frozen=True, slots=True)
class Spot:
    """A document, and in it the characters `start` to `end`; both 0 where it is opened at its beginning."""

    document_id: str
    start: int = 0
    end: int = 0

    @property
    def url(self) -> str:
        """The link that opens it in the list of documents, from anywhere."""
        return f"/documents/{quote(self.document_id, safe='')}{self._query('?')}"

    def _query(self, before: str) -> str:
        return before + urlencode({"start": self.start, "end": self.end}) if self.end > self.start else ""


@dataclass(frozen=True, slots=True)
class Place:
    """A view, and the document opened beside it. Only chat and documents have one."""

    view: View
    spot: Spot | None = None
    trace_id: str = ""

    @property
    def url(self) -> str:
        """Path and query of this place."""
        if self.view == "trace":
            return f"/trace/{quote(self.trace_id, safe='')}"
        if self.view == "documents":
            return "/documents" if self.spot is None else self.spot.url
        if self.view == "settings":
            return "/settings"
        if self.spot is None:
            return "/"
        return "/?" + urlencode({"document": self.spot.document_id}) + self.spot._query("&")

    @property
    def closed(self) -> "Place":
        """The same view with no document beside it."""
        return replace(self, spot=None)


def place_of(url: str) -> Place:
    """The place a path with query names; `missing` where there is none."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    steps = [unquote(step) for step in parts.path.split("/") if step]
    match steps:
        case []:
            return Place("chat", _spot(query.get("document", ""), query))
        case ["documents"]:
            return Place("documents")
        case ["documents", document_id]:
            return Place("documents", _spot(document_id, query))
        case ["settings"]:
            return Place("settings")
        case ["trace", trace_id]:
            return Place("trace", trace_id=trace_id)
        case _:
            return Place("missing")


def _spot(document_id: str, query: dict[str, str]) -> Spot | None:
    if not document_id:
        return None
    start, end = _offset(query.get("start", "")), _offset(query.get("end", ""))
    return Spot(document_id, start, end) if end > start else Spot(document_id)


def _offset(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0
