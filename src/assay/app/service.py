"""What the front doors (command line, HTTP, page) can ask of an open workspace.

`Service` is the only thing `app.cli`, `app.http` and `app.web` know; `app.wiring` makes the real
one and `app.scripted` a fake one for developing pages without models.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from assay.answers.outcome import AnswerEvent, Outcome
from assay.documents.document import Heading
from assay.index.hit import Filter, Hit, Mode

State = Literal["waiting", "loading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One model in use: what it is doing now, and what to do where it failed."""

    role: Literal["embedder", "chat", "reranker"]
    name: str
    state: State
    detail: str = ""
    done_bytes: int = 0
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """The ingestion under way or the last one: counts so far and files that failed."""

    state: Literal["idle", "running", "finished", "failed"] = "idle"
    files_done: int = 0
    files_found: int = 0
    passages: int = 0
    embedded: int = 0
    current: str = ""
    failed: tuple[tuple[str, str, str], ...] = ()  # (path, code, hint)


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document in the list: `characters` of extracted text, `passages` it was cut into."""

    id: str
    source: str
    title: str
    media_type: str
    characters: int
    passages: int
    pages: int
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extent:
    """How much the workspace holds."""

    documents: int = 0
    passages: int = 0


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document to show: text, headings and page spans (characters)."""

    id: str
    source: str
    title: str
    media_type: str
    text: str
    headings: tuple[Heading, ...] = ()
    pages: tuple[tuple[int, int], ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """A setting, its value and where it came from: flag, environment, file or default."""

    key: str
    value: Any
    origin: str
    description: str


@dataclass(frozen=True, slots=True)
class ReleaseStatus:
    """The release that serves and the verdict that put it there; `id` is empty before the first.

    `is_exact` is False where a flag or a variable says otherwise than the release. `problem` says why a newer release
    does not serve.
    """

    id: str = ""
    verdict: str | None = None
    without_evidence: bool = False
    is_exact: bool = True
    problem: str = ""


class Service(Protocol):
    """An open workspace."""

    name: str

    def models(self) -> Sequence[ModelStatus]:
        """What each model is doing."""
        ...

    def ingestion(self) -> IngestStatus:
        """How the ingestion stands."""
        ...

    def settings_in_force(self) -> Sequence[SettingInForce]:
        """Every setting with its origin. Secrets are never among them."""
        ...

    def release(self) -> ReleaseStatus | None:
        """The release that serves; None where nothing was released."""
        ...

    async def extent(self) -> Extent:
        """How many documents and passages there are. Cheap: the page asks after every change of the ingestion."""
        ...

    async def documents(self, *, limit: int = 1000, offset: int = 0, matching: str = "") -> Sequence[DocumentRow]:
        """Documents in the workspace, by source; only those whose source or title contains `matching`, in any case."""
        ...

    async def document(self, document_id: str) -> DocumentView:
        """One document by id. Raises NotFound."""
        ...

    async def search(
        self, question: str, *, k: int | None = None, mode: Mode | None = None, where: Filter | None = None
    ) -> list[Hit]:
        """Passages for a question. Waits for the models while they load."""
        ...

    async def ask(self, question: str, *, where: Filter | None = None) -> Outcome:
        """An answer or a stated refusal."""
        ...

    def stream(self, question: str, *, where: Filter | None = None) -> AsyncIterator[AnswerEvent]:
        """The same in pieces; the last event is Finished."""
        ...

    async def trace(self, trace_id: str) -> Any:
        """A trace of the ledger. Raises NotFound."""
        ...
