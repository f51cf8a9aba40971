"""What can be said about a system in its file: one frozen class per kind, unknown keys refused with the nearest one.

Keys are never in a file: a setting names the environment variable that holds one (`key_env`, `${NAME}` in a header).
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay.errors import BadSetting

Returns = Literal["answers", "passages"]

S = TypeVar("S", bound=BaseModel)


class Common(BaseModel):
    """What every kind of system may say about itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("", description="what reports call it; empty: made from the URL or the function")
    version: str = Field(
        "", description="names this behaviour for good: outputs are shared between runs of the same version"
    )
    returns: Returns | None = Field(
        None, description="answers, or passages for a retriever alone; unset: the first reply decides"
    )
    timeout_seconds: float = Field(120.0, gt=0, description="longest wait for one answer")
    concurrency: int = Field(0, ge=0, description="most questions at once; 0: as many as the run has in flight")
    cost_usd_per_question: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="what a question costs where the reply does not say"
    )


class CallableSpec(Common):
    """A Python function: `target` is `module:callable` or `file.py:callable`, `settings` are its keyword arguments."""

    kind: Literal["callable"] = "callable"
    target: str = Field(min_length=1, description="module:callable or file.py:callable")
    settings: dict[str, Any] = Field(default_factory=dict, description="keyword arguments of the callable")


class Remote(Common):
    """What every HTTP system may say."""

    url: str = Field(min_length=1, description="where it answers")
    headers: dict[str, str] = Field(
        default_factory=dict, description="headers of every request; ${NAME} is the environment variable NAME"
    )
    max_retries: int = Field(2, ge=0, le=10, description="retries on 429, 5xx and refused connections")
    largest_reply_mb: float = Field(16.0, gt=0, le=1024, description="a larger reply is refused")


class OpenAISpec(Remote):
    """A server that speaks the OpenAI wire: `url` is its base URL, as in http://127.0.0.1:8321/v1."""

    kind: Literal["openai"] = "openai"
    model: str = Field("", description="model name; empty: the only one the server lists")
    key_env: str = Field("", description="environment variable that holds the key; api.openai.com: OPENAI_API_KEY")
    instructions: str = Field("", description="system message sent before the question")
    max_tokens: int = Field(1024, ge=1, description="most tokens of an answer, reasoning included")
    temperature: float | None = Field(None, ge=0, le=2, description="sampling temperature; unset: the server's own")
    provider: str = Field("", description="price table provider (openai, anthropic, ...); empty: found by the URL")
    input_usd_per_million: float | None = Field(None, ge=0, description="price of a million prompt tokens")
    output_usd_per_million: float | None = Field(None, ge=0, description="price of a million output tokens")


class PassageSpec(BaseModel):
    """Where a list of passages stands in a reply (`at`) and each part in a passage; unset: found by its usual names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str = Field(min_length=1, description="path of the list in the reply")
    document: str = Field("", description="path of the document's name in a passage")
    text: str = Field("", description="path of the text in a passage")
    start: str = Field("", description="path of its first character in the document")
    end: str = Field("", description="path of the character after its last")
    score: str = Field("", description="path of its score")


class CitationSpec(BaseModel):
    """Where a list of citations stands in a reply (`at`) and each part in a citation; unset: by its usual names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str = Field(min_length=1, description="path of the list in the reply")
    document: str = Field("", description="path of the document's name in a citation")
    quote: str = Field("", description="path of the quoted text")
    start: str = Field("", description="path of its first character in the document")
    end: str = Field("", description="path of the character after its last")


class ReplySpec(BaseModel):
    """Where each part of an answer stands in the reply. A path is `answer.text` or `choices[0].message.content`;
    `$` is the whole reply, and a `?` at the end says that the part may be absent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field("", description="path of the answer's text")
    passages: PassageSpec | str = Field("", description="path of the passages, or a table with at, document, text, ...")
    citations: CitationSpec | str = Field(
        "", description="path of the citations, or a table with at, document, quote, ..."
    )
    confidence: str = Field("", description="path of a confidence between 0 and 1")
    declined: str = Field("", description="path of true or false: whether it refused to answer")
    declined_pattern: str = Field("", description="regular expression; a text it is found in is a refusal")
    cost_usd: str = Field("", description="path of the cost in US dollars")
    latency_ms: str = Field("", description="path of the server's own latency; unset: measured here")
    usage: str = Field("", description="path of token counts, in the OpenAI or Anthropic form")
    trace_id: str = Field("", description="path of a trace id")


class HttpSpec(Remote):
    """Any HTTP endpoint that answers in JSON. `{question}` in `url`, `query` or `body` is the question."""

    kind: Literal["http"] = "http"
    method: Literal["GET", "POST", "PUT"] = Field("POST", description="GET, POST or PUT")
    query: dict[str, str] = Field(default_factory=dict, description="query parameters")
    body: dict[str, Any] | None = Field(None, description="JSON body")
    reply: ReplySpec = Field(default_factory=ReplySpec, description="where the answer stands in the reply")


KINDS: Mapping[str, type[CallableSpec | OpenAISpec | HttpSpec]] = {
    "callable": CallableSpec,
    "openai": OpenAISpec,
    "http": HttpSpec,
}


def checked(kind: type[S], values: Mapping[str, Any], *, where: str) -> S:
    """`values` as a `kind`. Raises BadSetting naming the key, the nearest right one and `where` it stands."""
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
    # A union puts the classes it tried into the place; only names that a file can hold are shown.
    loc = [str(part) for part in problem["loc"] if isinstance(part, int) or not str(part).endswith("Spec")]
    key = ".".join(part for part in loc if part not in ("str", "dict"))
    if problem["type"] == "extra_forbidden":
        raise BadSetting(f"{where} has no setting {key!r}.", hint=nearest(loc[-1], keys_of(kind, loc[:-1])))
    if problem["type"] == "missing":
        raise BadSetting(f"{where} needs {key}.", hint=f"Set {key}: {_description(kind, loc)}.")
    given = repr(problem["input"])
    raise BadSetting(
        f"{where}: {key} = {given if len(given) < 60 else given[:59] + '…'}: {problem['msg'].lower()}.",
        hint=f"Set {key}: {_description(kind, loc)}.",
    )


def keys_of(kind: type[BaseModel], inside: Iterable[str] = ()) -> list[str]:
    """The keys of a table: those of `kind`, or of the table at `inside`."""
    found = _model_at(kind, inside)
    return [name for name in found.model_fields if name != "kind"] if found else []


def nearest(key: str, known: Iterable[str]) -> str:
    """One imperative sentence: the nearest of `known`, or all of them."""
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    if near:
        return f"Did you mean {near[0]}?"
    return f"Use one of: {', '.join(names)}." if names else "Leave it out."


def _model_at(kind: type[BaseModel], inside: Iterable[str]) -> type[BaseModel] | None:
    found: type[BaseModel] | None = kind
    for name in inside:
        field = found.model_fields.get(name) if found else None
        options = (field.annotation, *get_args(field.annotation)) if field else ()
        found = next((option for option in options if isinstance(option, type) and issubclass(option, BaseModel)), None)
    return found


def _description(kind: type[BaseModel], loc: list[str]) -> str:
    found = _model_at(kind, loc[:-1])
    field = found.model_fields.get(loc[-1]) if found else None
    return (field.description if field else None) or "see the guide on systems"
