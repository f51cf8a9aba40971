"""A model writes; what it wrote is taken apart into claims, and each claim is tied to sentences of the passages.

The model is trusted with nothing but the wording. A marker to a passage it was not shown is dropped and
flagged; a claim without a valid marker gets the sentence that supports it best, where one does; a claim that
nothing supports is flagged. Citations are spans of the documents, never of the model's text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from assay.answers.candidates import Candidate, sentences_of
from assay.answers.claims import Claim, claims_of
from assay.answers.outcome import NOT_SHOWN, UNSUPPORTED, Citation
from assay.answers.pack import Shown
from assay.answers.prompt import NO_ANSWER
from assay.answers.question import is_asked
from assay.answers.verify import cosines, covered, supports
from assay.answers.words import STOP_WORDS, words
from assay.models.embedder import Embedder

_ENOUGH_WORDS = 2
"""A sentence with fewer words that carry meaning claims nothing that could be supported: "Yes.", "In short:"."""


@dataclass(frozen=True, slots=True)
class Written:
    """A model's text with checked citations. `flags` say in a sentence each what did not hold."""

    text: str
    citations: tuple[Citation, ...]
    flags: tuple[str, ...]


def refusal(written: str) -> str | None:
    """The model's reason where it says that there is no answer, or None where it gave one."""
    text = written.strip().strip("*_\"'").lstrip()
    rest = text[len(NO_ANSWER) :]
    if not text.upper().startswith(NO_ANSWER) or rest[:1].isalnum():
        return None
    return " ".join(claim.text for claim in claims_of(rest.lstrip(" :.,-–—*_\"'")))


def may_refuse(start: str) -> bool:
    """Whether a text that begins like this may still turn out to say that there is no answer."""
    text = start.strip().strip("*_\"'").upper()
    return text.startswith(NO_ANSWER) or NO_ANSWER.startswith(text)


async def cited(written: str, shown: Sequence[Shown], *, embedder: Embedder) -> Written:
    """Tie each claim of `written` to the sentences that support it best, in the passages it names or else in all."""
    claims = claims_of(written)
    sentences = [
        (passage.number, sentence)
        for passage in shown
        for sentence in sentences_of(passage.hit)
        if not is_asked(sentence.text)
    ]
    near = await cosines([c.text for c in claims], [s.text for _, s in sentences], embedder=embedder)
    known = {passage.number for passage in shown}
    markers = _Markers()
    text, flags = "", []
    for i, claim in enumerate(claims):
        named = [number for number in claim.cited if number in known]
        flags += [
            f"{NOT_SHOWN}{number}], which was not shown: {claim.text}" for number in claim.cited if number not in known
        ]
        found = _support(claim, named, sentences, near[i])
        if not any(is_supported for _, is_supported in found) and _claims_something(claim.text):
            flags.append(f"{UNSUPPORTED}{claim.text}")
        marks = "".join(f" [{markers.number(sentence, is_supported)}]" for sentence, is_supported in found)
        text += f"{claim.gap}{claim.text}{marks}"
    return Written(text.strip(), tuple(markers.citations), tuple(flags))


def citation(sentence: Candidate, marker: int, *, supported: bool = True) -> Citation:
    """The citation of a sentence: its span in the document."""
    passage = sentence.hit.passage
    return Citation(
        marker=marker,
        document=sentence.hit.source,
        document_id=passage.document_id,
        start=passage.start + sentence.start,
        end=passage.start + sentence.end,
        quote=sentence.text,
        page=passage.page,
        supported=supported,
    )


def _support(
    claim: Claim, named: Sequence[int], sentences: Sequence[tuple[int, Candidate]], near: NDArray[np.float64]
) -> list[tuple[Candidate, bool]]:
    """The best sentence of each passage named, with whether it supports the claim; where none does, the best of all."""
    fit = np.array([covered(claim.text, sentence.text) for _, sentence in sentences]) + near

    def best(where: set[int]) -> tuple[Candidate, bool] | None:
        inside = [i for i, (number, _) in enumerate(sentences) if number in where]
        if not inside:
            return None
        i = max(inside, key=lambda i: fit[i])
        return sentences[i][1], supports(claim.text, sentences[i][1].text, cosine=float(near[i]))

    found = [support for number in named if (support := best({number})) is not None]
    if any(is_supported for _, is_supported in found) or not _claims_something(claim.text):
        return found
    elsewhere = best({number for number, _ in sentences})
    return [elsewhere] if elsewhere is not None and elsewhere[1] else found


def _claims_something(text: str) -> bool:
    return sum(word.lower() not in STOP_WORDS for word in words(text)) >= _ENOUGH_WORDS


class _Markers:
    """Numbers for the sentences cited, in order of appearance; a sentence keeps its number."""

    def __init__(self) -> None:
        self.citations: list[Citation] = []
        self._places: dict[tuple[str, int, int], int] = {}

    def number(self, sentence: Candidate, is_supported: bool) -> int:
        made = citation(sentence, len(self.citations) + 1, supported=is_supported)
        place = (made.document_id, made.start, made.end)
        if place not in self._places:
            self._places[place] = made.marker
            self.citations.append(made)
        marker = self._places[place]
        if not is_supported:  # one claim it does not support is enough to say so
            self.citations[marker - 1] = replace(self.citations[marker - 1], supported=False)
        return marker
