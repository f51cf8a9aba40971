"""Documents of a workspace by the names that cases, answers and gold use: their text, and where they open.

One is made for each page, so that what it finds is of one moment; it asks the store only for documents that are named.
"""

from assay.app.web.place import Place, Spot
from assay.errors import BadInput, NotFound
from assay.evals.case import Case
from assay.evals.gold import resolve, source_named
from assay.evals.scorer import Gold
from assay.index.store import Store

_MOST_NAMESAKES = 1_000


class Library:
    """Implements `Corpus` of `assay.evals.gold` and `Places` of `assay.app.report.case_parts`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[str, str] | None] = {}
        self._texts: dict[str, str] = {}

    def find(self, name: str) -> tuple[str, str] | None:
        """Source and text of the document that is `name` or whose path ends in it. Raises BadInput for several."""
        found = self._named(name)
        if found is None:
            return None
        source, document_id = found
        if document_id not in self._texts:
            try:
                self._texts[document_id] = self._store.document(document_id).text
            except NotFound:
                return None  # removed since it was looked up
        return source, self._texts[document_id]

    def document(self, source: str, start: int | None = None, end: int | None = None) -> str | None:
        """The address of a document, opened at these characters; None where it is not here, or several are."""
        try:
            found = self._named(source)
        except BadInput:
            return None
        return None if found is None else Spot(found[1], start or 0, end or 0).url

    def trace(self, trace_id: str) -> str:
        """The address of a trace."""
        return Place("trace", trace_id=trace_id).url

    def gold(self, case: Case) -> tuple[Gold, ...]:
        """The case's gold in the documents as they are now; as the case says where they are gone or have changed."""
        try:
            return resolve(case, self)
        except BadInput:
            return tuple(Gold(piece.document, piece.quote, grade=piece.grade) for piece in case.evidence)

    def _named(self, name: str) -> tuple[str, str] | None:
        if not name.strip():
            return None
        if name not in self._known:
            self._known[name] = self._looked_up(name)
        return self._known[name]

    def _looked_up(self, name: str) -> tuple[str, str] | None:
        exact = self._store.documents(prefix=name, limit=1)
        if exact and exact[0].source == name:
            return name, exact[0].id
        namesakes = self._store.documents(matching=name.rsplit("/", 1)[-1], limit=_MOST_NAMESAKES)
        ids = {row.source: row.id for row in namesakes}
        source = source_named(name, list(ids))
        return None if source is None else (source, ids[source])
