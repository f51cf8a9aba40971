"""Assay's own routes: /api/ask, /api/search, documents and status, with an OpenAPI document."""

from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from assay.app.http.disconnect import until_disconnected
from assay.app.service import Service
from assay.app.shapes import hits_shape, outcome_shape
from assay.index.hit import Filter

_FLAGS = (
    "what did not hold or was left out, a sentence each: a claim that no passage supports, a passage named that was "
    "not shown, an answer cut off at answers.max_tokens or stopped by the server's content filter, a quote whose model "
    "failed to put a phrase before it"
)

Question = Annotated[str, Field(min_length=1, max_length=4000, examples=["What is a context window?"])]


class Scope(BaseModel):
    """What may be seen: groups for access control, metadata that must match."""

    model_config = ConfigDict(extra="forbid")

    groups: list[str] | None = Field(None, description="only documents of these groups, and public ones")
    metadata: dict[str, str] = Field(default_factory=dict, description="source_prefix, media_type or own keys")

    def filter(self) -> Filter | None:
        """As the index understands it; None where nothing is restricted."""
        if self.groups is None and not self.metadata:
            return None
        return Filter(groups=None if self.groups is None else frozenset(self.groups), metadata=self.metadata)


class AskRequest(Scope):
    """A question."""

    question: Question


class SearchRequest(Scope):
    """A search."""

    question: Question
    k: int | None = Field(None, ge=1, le=1000, description="passages; default: index.k")
    mode: Literal["lexical", "dense", "fused"] | None = Field(None, description="default: index.mode")


class CitationShape(BaseModel):
    """A span of a document: `quote` is its characters `start` to `end`."""

    marker: int
    document: str
    document_id: str
    start: int
    end: int
    quote: str
    page: int | None
    supported: bool


class HitShape(BaseModel):
    """A passage found."""

    rank: int
    document: str
    document_id: str
    title: str
    heading: str
    page: int | None
    start: int
    end: int
    text: str
    score: float
    signals: dict[str, float]


class UsageShape(BaseModel):
    """Tokens in disjoint buckets."""

    uncached: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int


class AskResponse(BaseModel):
    """An answer with citations, or a stated refusal (`outcome` is `declined`, `text` the reason)."""

    outcome: Literal["answer", "declined"]
    text: str
    citations: list[CitationShape]
    hits: list[HitShape]
    usage: UsageShape
    cost_usd: float | None = Field(description="null: the model's price is unknown")
    latency_ms: float
    trace_id: str
    confidence: float
    flags: list[str] = Field(default_factory=list, description=_FLAGS)
    reason: str | None = None


class SearchResponse(BaseModel):
    """Passages, best first."""

    hits: list[HitShape]


def router(service: Service) -> APIRouter:
    """The routes over an open workspace."""
    routes = APIRouter(prefix="/api", tags=["assay"])

    @routes.post("/ask", summary="Ask a question", response_model=AskResponse)
    async def ask(body: AskRequest, request: Request) -> Any:
        outcome = await until_disconnected(request, service.ask(body.question, where=body.filter()))
        return outcome_shape(outcome)

    @routes.post("/search", summary="Find passages", response_model=SearchResponse)
    async def search(body: SearchRequest, request: Request) -> Any:
        found = service.search(body.question, k=body.k, mode=body.mode, where=body.filter())
        return {"hits": hits_shape(await until_disconnected(request, found))}

    @routes.get("/documents", summary="Documents in the workspace")
    async def documents(
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000, offset: Annotated[int, Query(ge=0)] = 0
    ) -> dict[str, Any]:
        rows = await service.documents(limit=limit, offset=offset)
        return {
            "documents": [
                {
                    "id": row.id,
                    "document": row.source,
                    "title": row.title,
                    "media_type": row.media_type,
                    "characters": row.characters,
                    "passages": row.passages,
                    "pages": row.pages,
                    "groups": list(row.groups),
                }
                for row in rows
            ]
        }

    @routes.get("/documents/{document_id}", summary="The extracted text of a document")
    async def document(document_id: str) -> dict[str, Any]:
        view = await service.document(document_id)
        return {
            "id": view.id,
            "document": view.source,
            "title": view.title,
            "media_type": view.media_type,
            "text": view.text,
            "pages": [list(span) for span in view.pages],
            "metadata": dict(view.metadata),
        }

    @routes.get("/status", summary="Models, ingestion, live release and settings in force")
    async def status() -> dict[str, Any]:
        return status_shape(service)

    return routes


def status_shape(service: Service) -> dict[str, Any]:
    """What the models and the ingestion are doing."""
    ingestion = service.ingestion()
    return {
        "models": [
            {"role": model.role, "name": model.name, "state": model.state, "detail": model.detail}
            for model in service.models()
        ],
        "ingestion": {
            "state": ingestion.state,
            "files_done": ingestion.files_done,
            "files_found": ingestion.files_found,
            "passages": ingestion.passages,
            "embedded": ingestion.embedded,
            "failed": [{"path": path, "code": code, "hint": hint} for path, code, hint in ingestion.failed],
        },
        "release": release_shape(service),
        "settings": {row.key: {"value": row.value, "origin": row.origin} for row in service.settings_in_force()},
    }


def release_shape(service: Service) -> dict[str, Any] | None:
    """The release that serves; null where nothing was released."""
    release = service.release()
    return None if release is None else asdict(release)
