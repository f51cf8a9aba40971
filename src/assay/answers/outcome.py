"""What comes out of a question: an answer with citations, or a stated refusal. Both are values."""

from dataclasses import dataclass
from typing import Literal

from assay.index.hit import Hit
from assay.models.chat import Usage


@dataclass(frozen=True, slots=True)
class Citation:
    """A span of a source document: `quote` is exactly its characters `start` to `end`.

    `marker` is the number in the text, [1] for 1. `supported` is False when the claim it stands
    behind is supported by the quote neither lexically nor by embedding.
    """

    marker: int
    document: str
    document_id: str
    start: int
    end: int
    quote: str
    page: int | None = None
    supported: bool = True


UNSUPPORTED = "No passage supports: "
NOT_SHOWN = "Names passage ["
CUT_OFF = "The answer was cut off at "
FILTERED = "The model's server stopped the answer by its content filter."
UNPHRASED = " put no phrase before the quote: "

FlagKind = Literal["unsupported", "cut short", "unphrased", "other"]


def flag_kind(flag: str) -> FlagKind:
    """What a flag of an answer is about. It is kept as a sentence, so it is known by how it begins.

    "unsupported": a claim that no passage shown supports, or that names one that was not shown; "cut short": the text
    ends early; "unphrased": a quote whose model failed to put a phrase before it.
    """
    if flag.startswith((UNSUPPORTED, NOT_SHOWN)):
        return "unsupported"
    if flag.startswith((CUT_OFF, FILTERED)):
        return "cut short"
    return "unphrased" if UNPHRASED in flag else "other"


@dataclass(frozen=True, slots=True)
class Answer:
    """A cited answer. `text` carries [n] markers; `flags` say in a sentence each what did not hold or was left out
    (see `flag_kind`).

    `confidence` is in [0, 1]: the estimated probability that the passages hold the answer.
    """

    text: str
    citations: tuple[Citation, ...]
    hits: tuple[Hit, ...]
    usage: Usage = Usage()
    cost_usd: float | None = 0.0
    latency_ms: float = 0.0
    trace_id: str = ""
    confidence: float = 1.0
    flags: tuple[str, ...] = ()
    kind: Literal["answer"] = "answer"


@dataclass(frozen=True, slots=True)
class Declined:
    """The passages do not hold an answer: `reason` says why in a sentence, `hits` are the nearest."""

    reason: str
    hits: tuple[Hit, ...]
    usage: Usage = Usage()
    cost_usd: float | None = 0.0
    latency_ms: float = 0.0
    trace_id: str = ""
    confidence: float = 0.0
    citations: tuple[Citation, ...] = ()
    kind: Literal["declined"] = "declined"

    @property
    def text(self) -> str:
        """The reason, as shown to the user."""
        return self.reason


Outcome = Answer | Declined


@dataclass(frozen=True, slots=True)
class Progress:
    """An event of a streamed answer: what is being done (`retrieve`, `pack`, `generate`, `verify`)."""

    step: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TextPiece:
    """An event of a streamed answer: more of its text."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a streamed answer. The outcome's text replaces what was streamed."""

    outcome: Outcome


AnswerEvent = Progress | TextPiece | Finished
