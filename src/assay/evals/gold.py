"""Gold evidence, found again in the documents at hand, and how much of it some passages hold.

A case names a document and quotes it; the corpus has that document under some source and as some reader extracted it.
The quote is looked for exactly, then as text is compared (`normalised.py`), and mapped back to exact characters, so
gold survives any change of reader, cut or index. Where the document's text is not at hand, the quote is all there is,
and coverage goes by the words the passages share with it.

Invariant: resolved offsets are those of the corpus's text, and `quote` is exactly those characters. Proved by
`tests/unit/evals/test_gold.py` and `tests/properties/test_gold.py`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Protocol

from assay.errors import AssayError, BadInput, NotFound
from assay.evals.case import Case, Evidence
from assay.evals.faults import MOST_FAULTS, shortened
from assay.evals.normalised import NormalisedText, nearest, normalised, normalised_document
from assay.evals.output import Cited, Output, Retrieved
from assay.evals.scorer import Gold

LEAST_RUN = 20
"""Characters of the shortest run of words that counts as part of a quote: shorter ones are common phrases."""

SHORT = 100
"""A piece of gold of up to so many characters is found only as a whole: half a name or number is none."""

HALF = 0.5
"""The share of a longer piece, or of a passage, that makes it count. An editor's choice, stated wherever it is used."""

Spans = Sequence[tuple[int, int]]


class Corpus(Protocol):
    """The documents at hand."""

    def find(self, name: str) -> tuple[str, str] | None:
        """Source and text of the document that is `name` or whose path ends in it; None where there is none.

        Raises BadInput where several are.
        """
        ...


class Texts:
    """A corpus in memory: texts by source."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._by_end: dict[str, list[str]] = {}
        for source in texts:
            self._by_end.setdefault(_last(source), []).append(source)

    def find(self, name: str) -> tuple[str, str] | None:
        """See `Corpus`."""
        source = source_named(name, self._by_end.get(_last(name), ()))
        return None if source is None else (source, self._texts[source])


def source_named(name: str, sources: Sequence[str]) -> str | None:
    """The one source that is `name` or ends in `/name`; None where there is none. Raises BadInput (several)."""
    if name in sources:
        return name
    found = [source for source in sources if same_document(source, name)]
    if len(found) > 1:
        some = ", ".join(sorted(found)[:3])
        raise BadInput(f"{name} names {len(found)} documents ({some}).", hint="Write more of its path.")
    return found[0] if found else None


def same_document(one: str, other: str) -> bool:
    """Whether two names may mean one document: they are equal, or one is the end of the other's path."""
    return one == other or (bool(one and other) and (one.endswith("/" + other) or other.endswith("/" + one)))


def resolve(case: Case, corpus: Corpus, *, required: bool = False) -> tuple[Gold, ...]:
    """The case's evidence in the corpus, in the case's order; white space at a piece's ends is left out.

    A document that is not in the corpus keeps its quote and name, as for a system elsewhere; with `required` it raises
    NotFound. Raises BadInput where the document is there and what should stand in it does not.
    """
    pieces = []
    for piece in case.evidence:
        found = corpus.find(piece.document)
        if found is not None:
            pieces.append(_resolved(case, piece, *found))
        elif required:
            raise NotFound(
                f"Case {case.id}: no document is named {piece.document}.", hint="Ingest it, or correct the case."
            )
        else:
            pieces.append(Gold(piece.document, piece.quote.strip(), piece.start, piece.end, piece.grade))
    return tuple(dict.fromkeys(pieces))


def resolve_all(cases: Sequence[Case], corpus: Corpus, *, required: bool = False) -> list[tuple[Gold, ...]]:
    """The gold of every case, in order. Raises BadInput naming up to twenty cases whose gold is not in the corpus."""
    golds: list[tuple[Gold, ...]] = []
    faults: list[AssayError] = []
    for case in cases:
        try:
            golds.append(resolve(case, corpus, required=required))
        except (BadInput, NotFound) as error:
            faults.append(error)
            if len(faults) == MOST_FAULTS:
                break
    if len(faults) == 1:
        raise faults[0]
    if faults:
        count = f"{len(faults)} cases" if len(faults) < MOST_FAULTS else f"{MOST_FAULTS} cases or more"
        lines = [f"  {error.message} {error.hint}" for error in faults]
        raise BadInput("\n".join([f"The evidence of {count} was not found.", *lines]), hint="Correct these cases.")
    return golds


def locate(output: Output, corpus: Corpus) -> Output:
    """The output with the characters of its passages and citations, where it left them out and the corpus has them.

    Sources become the corpus's own. What cannot be found stays as it is.
    """
    passages = tuple(_located_passage(passage, corpus) for passage in output.passages)
    citations = tuple(_located_citation(citation, corpus) for citation in output.citations)
    return replace(output, passages=passages, citations=citations)


def covered(gold: Gold, passages: Sequence[Retrieved]) -> float:
    """The share of the gold's characters, in [0, 1], that the passages hold together.

    A whole document is held by any passage of it.
    """
    if is_whole(gold):
        return float(any(same_document(gold.document, passage.document) for passage in passages))
    return length_of([span for passage in passages for span in held(gold, passage)]) / length(gold)


def held(gold: Gold, passage: Retrieved | Cited) -> Spans:
    """Which characters of the gold, counted from its start, the passage holds. The gold is no whole document.

    By offsets where both know them. Else by words: the passage holds the quote, or lies in it whole, or holds the
    longest run of words in common with it, of at least LEAST_RUN characters. A passage of another name holds nothing;
    one without a name may.
    """
    if passage.document and not same_document(gold.document, passage.document):
        return ()
    if gold.start is not None and gold.end is not None and passage.start is not None and passage.end is not None:
        start, end = max(gold.start, passage.start), min(gold.end, passage.end)
        return ((start - gold.start, end - gold.start),) if start < end else ()
    return _shared(gold.quote, passage.text if isinstance(passage, Retrieved) else passage.quote)


def length(gold: Gold) -> int:
    """Characters of a piece of gold that is no whole document, as `held` counts them."""
    if gold.start is not None and gold.end is not None:
        return gold.end - gold.start
    return len(gold.quote)


def is_found(gold: Gold, share: float) -> bool:
    """Whether a covered share of the gold is enough to have found it: all of a SHORT piece, HALF of a longer one."""
    return share >= (1.0 if length(gold) <= SHORT else HALF)


def is_relevant(gold: Gold, passage: Retrieved | Cited, spans: Spans | None = None) -> bool:
    """Whether one passage or citation finds the gold by itself, or lies in it by HALF.

    `spans` are what `held` gave for the two, where that is known already.
    """
    if is_whole(gold):
        return same_document(gold.document, passage.document)
    held_length = length_of(held(gold, passage) if spans is None else spans)
    if not held_length:
        return False
    return is_found(gold, held_length / length(gold)) or held_length >= HALF * extent(passage)


def extent(passage: Retrieved | Cited) -> int:
    """Characters of a passage or citation."""
    if passage.start is not None and passage.end is not None:
        return passage.end - passage.start
    return len(passage.text if isinstance(passage, Retrieved) else passage.quote)


def is_whole(gold: Gold) -> bool:
    """Whether the gold is a whole document."""
    return not gold.quote and gold.start is None


def length_of(spans: Spans) -> int:
    """How many characters the spans cover together."""
    total = reached = 0
    for start, end in sorted(spans):
        if end > reached:
            total += end - max(start, reached)
            reached = end
    return total


def _resolved(case: Case, piece: Evidence, source: str, text: str) -> Gold:
    start, end = piece.start, piece.end
    if not piece.quote and start is None:
        return Gold(source, grade=piece.grade)
    if piece.quote:
        span = find_quote(text, piece.quote, near=start)
        if span is None:
            raise BadInput(
                f"Case {case.id}: its evidence does not stand in {source}: {shortened(piece.quote)!r}.",
                hint="Quote the document as it reads, or correct its name.",
            )
        start, end = span
    if start is None or end is None or end > len(text):
        raise BadInput(
            f"Case {case.id}: its evidence ends at character {end} of {source}, which has {len(text)}.",
            hint="Count characters from 0 in the extracted text, or quote it.",
        )
    quote = text[start:end].strip()
    if not quote:
        raise BadInput(
            f"Case {case.id}: its evidence at {start} to {end} of {source} is blank.", hint="Correct the offsets."
        )
    start = text.index(quote, start)
    return Gold(source, quote, start, start + len(quote), piece.grade)


def find_quote(text: str, quote: str, *, near: int | None = None) -> tuple[int, int] | None:
    """Where a quote stands in a text, exactly or as text is compared: first, or nearest to `near`; None if nowhere."""
    place = nearest(text, quote, near)
    if place is not None:
        return place, place + len(quote)
    return normalised_document(text).find(quote, near=near)


def _located_passage(passage: Retrieved, corpus: Corpus) -> Retrieved:
    if passage.start is not None and passage.end is not None:
        return passage
    found = _found(passage.document, passage.text, corpus)
    return passage if found is None else replace(passage, document=found[0], start=found[1], end=found[2])


def _located_citation(citation: Cited, corpus: Corpus) -> Cited:
    if citation.start is not None and citation.end is not None:
        return citation
    found = _found(citation.document, citation.quote, corpus)
    return citation if found is None else replace(citation, document=found[0], start=found[1], end=found[2])


def _found(name: str, text: str, corpus: Corpus) -> tuple[str, int, int] | None:
    try:
        document = corpus.find(name) if name and text.strip() else None
    except BadInput:
        return None  # several documents of that name: the text alone must do
    span = find_quote(document[1], text) if document else None
    return None if document is None or span is None else (document[0], *span)


def _shared(quote: str, text: str) -> Spans:
    """Characters of `quote` that `text` holds: all of them, those it stands at, or its longest run of shared words."""
    wanted, given = normalised(quote), normalised(text)
    if not wanted or not given:
        return ()
    if wanted in given:
        return ((0, len(quote)),)
    # Where the document is at hand a short citation has offsets and counts: it must count the same where it is not.
    inside = NormalisedText(quote).find(text)
    if inside is not None and not any(_is_within_word(quote, place) for place in inside):
        return (inside,)
    words, others = list(re.finditer(r"\S+", quote)), normalised(text).split()
    run = SequenceMatcher(None, [normalised(word[0]) for word in words], others, autojunk=False).find_longest_match()
    if not run.size:
        return ()
    start, end = words[run.a].start(), words[run.a + run.size - 1].end()
    return ((start, end),) if end - start >= LEAST_RUN else ()


def _is_within_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1 : place + 1].isalnum()


def _last(source: str) -> str:
    return source.rsplit("/", 1)[-1]
