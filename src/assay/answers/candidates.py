"""The sentences of the passages found, with everything known of how each stands to the question.

A row per sentence, a column per signal, all of them numbers that mean the same for every corpus:
shares, cosines, ranks. The ranking in `quote` and the confidence in `decline` are weighted sums of
these; their weights are learned by `benchmarks/answers/train.py` from this very code.

The strongest signal is late interaction: each token of the question against the token of the
sentence most like it, both seen in their context. It needs an embedder that shows its tokens; others
compare whole sentences.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from assay.answers import question as asking
from assay.answers.question import Question
from assay.answers.words import STOP_WORDS, stems, words
from assay.documents.sentences import sentences
from assay.index.hit import Hit
from assay.models.embedder import Embedder, TokenEmbedder, TokenVectors

Matrix = NDArray[np.float64]

_CLOSED = (".", "!", "?", "…", "。", "！", "？", '"', "”", ")", "]", "'", "’", ";", ":")

READ = 5
"""Passages that are read for an answer, best first. Reading more costs time and found no more answers."""

_MOST_SENTENCES = 400
"""Per question; passages are a few hundred tokens, so only tables and lists come near it."""


_REFERENCE_HEADINGS = frozenset(
    (
        "sources", "references", "bibliography", "works cited", "further reading", "literature cited",
        "quellen", "literatur", "literaturverzeichnis", "weiterführende literatur", "einzelnachweise",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence: characters `start` to `end` of the text of `hits[rank]`'s passage."""

    hit: Hit
    rank: int
    start: int
    end: int
    text: str
    stems: frozenset[str]


@dataclass(frozen=True, slots=True)
class Signals:
    """`values[i, j]` is signal `names[j]` of `candidates[i]`; `hits` are the passages that were read."""

    question: Question
    hits: Sequence[Hit]
    candidates: Sequence[Candidate]
    names: tuple[str, ...]
    values: Matrix

    def column(self, name: str) -> NDArray[np.float64]:
        """One signal of every candidate."""
        return self.values[:, self.names.index(name)]


async def signals(question: Question, hits: Sequence[Hit], *, embedder: Embedder) -> Signals:
    """Every sentence of the first hits with its signals; dense ones by token where the embedder shows its tokens."""
    hits = hits[:READ]
    candidates = _candidates(hits)[:_MOST_SENTENCES]
    columns = _lexical(question, hits, candidates)
    if isinstance(embedder, TokenEmbedder):
        asked = (await embedder.embed_tokens([question.text], kind="query"))[0]
        seen = await embedder.embed_tokens([hit.passage.text for hit in hits], kind="query")
        columns |= _by_token(question, asked, seen, candidates)
    else:
        vectors = await embedder.embed([question.text, *(c.text for c in candidates)], kind="query")
        columns["cosine"] = (vectors[1:] @ vectors[0]).astype(np.float64)
    values = np.stack([np.asarray(column, dtype=np.float64) for column in columns.values()], axis=1)
    return Signals(question, hits, candidates, tuple(columns), values.reshape(len(candidates), len(columns)))


def _candidates(hits: Sequence[Hit]) -> list[Candidate]:
    """Sentences of all hits; lists of references count only where nothing else was found: titles name a topic
    in the question's own words, and answer nothing."""
    by_hit = [(hit, sentences_of(hit, rank=rank)) for rank, hit in enumerate(hits)]
    told = [c for hit, found in by_hit if not _is_reference_list(hit) for c in found]
    return told or [c for _hit, found in by_hit for c in found]


def _is_reference_list(hit: Hit) -> bool:
    return _plain(hit.passage.heading.rsplit(" > ", 1)[-1]) in _REFERENCE_HEADINGS


def sentences_of(hit: Hit, *, rank: int = 0) -> list[Candidate]:
    """The sentences of a passage. Headings are left out: they say what is to come, so they answer nothing."""
    text = hit.passage.text
    headings = {_plain(part) for part in (hit.title, *hit.passage.heading.split(" > "))}
    found = []
    for sentence in sentences(text):
        quote = text[sentence.start : sentence.end]
        if text[sentence.lead] != "#" and _plain(quote) not in headings:
            found.append(Candidate(hit, rank, sentence.start, sentence.end, quote, frozenset(stems(quote))))
    return found


def _plain(text: str) -> str:
    return text.strip(" #*_\t\r\n").casefold()


def _lexical(question: Question, hits: Sequence[Hit], candidates: Sequence[Candidate]) -> dict[str, object]:
    """Signals of words: of each passage, and of each sentence in it."""
    passages = [frozenset(stems(_context(hit))) for hit in hits]
    rarity = _rarity(question.terms, passages)
    total = sum(rarity.values()) or 1.0

    def covered(found: frozenset[str]) -> float:
        return sum(weight for term, weight in rarity.items() if term in found) / total

    best = max((hit.signals.get("lexical", 0.0) for hit in hits), default=0.0) or 1.0
    terms = frozenset(question.terms)
    rows = []
    for i, candidate in enumerate(candidates):
        before = _neighbour(candidates, i, -1)
        after = _neighbour(candidates, i, +1)
        hit = candidate.hit
        own = covered(candidate.stems)
        with_before = covered(candidate.stems | before)
        rows.append(
            {
                "covers": own,
                "covers_with_before": with_before - own,
                "covers_with_after": covered(candidate.stems | before | after) - with_before,
                "passage_covers": covered(passages[candidate.rank]),
                "pairs": len(question.pairs & frozenset(pairwise(stems(candidate.text)))) / max(1, len(question.pairs)),
                "names": _share(question.names, candidate.stems),
                "numbers": _share(question.numbers, asking.numbers(candidate.text)),
                "lexical": hit.signals.get("lexical", 0.0) / best,
                "dense": hit.signals.get("dense", 0.0),
                "rank": -math.log1p(candidate.rank),
                "opens": float(candidate.start == 0),
                "is_question": float(asking.is_asked(candidate.text)),
                "short": float(len(candidate.stems) < 6),
                "unfinished": float(not candidate.text.endswith(_CLOSED)),
                "title_case": _title_case(candidate.text),
                **_answer_marks(question, candidate.text, terms),
            }
        )
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def _answer_marks(question: Question, text: str, terms: frozenset[str]) -> dict[str, float]:
    """Whether the sentence holds something of the kind the question asks for, that the question does not say itself."""
    kind = question.kind
    new = math.log1p(asking.new_words(text, terms=terms))
    names = min(len(asking.names(text) - question.names - terms), 3) / 3
    return {
        "new": new,
        "new_thing": new if kind in ("thing", "definition", "manner", "other") else 0.0,
        "number": float(kind == "number" and asking.holds_number(text, beside=question.numbers)),
        "date": float(kind == "date" and asking.holds_date(text, question=question.text)),
        "person": names if kind == "person" else 0.0,
        "place": names if kind == "place" else 0.0,
        "named_thing": names if kind in ("thing", "definition") else 0.0,
        "reason": float(kind == "reason" and asking.holds_reason(text)),
    }


def _by_token(
    question: Question, asked: TokenVectors, seen: Sequence[TokenVectors], candidates: Sequence[Candidate]
) -> dict[str, object]:
    """Signals of meaning, from the tokens of the question and of the passages."""
    carries = _carries_meaning(question.text, asked.spans)
    similar = [asked.tokens @ passage.tokens.T for passage in seen]
    spans = [np.array(passage.spans, dtype=np.int64).reshape(-1, 2) for passage in seen]
    rows = []
    for candidate in candidates:
        where = spans[candidate.rank]
        inside = (where[:, 0] >= candidate.start) & (where[:, 1] <= candidate.end)
        if not inside.any() or not len(asked.spans):  # beyond the embedder's reach
            rows.append((0.0, 0.0, 0.0, 0.0))
            continue
        nearest = similar[candidate.rank][:, inside].max(axis=1)
        pooled = seen[candidate.rank].tokens[inside].mean(axis=0)
        cosine = float(pooled @ asked.vector) / (float(np.linalg.norm(pooled)) or 1.0)
        meaning = nearest[carries] if carries.any() else nearest
        rows.append((float(nearest.mean()), float(meaning.mean()), float(meaning.min()), cosine))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 4)
    names = ("tokens", "tokens_meaning", "tokens_least", "cosine_in_context")
    return {name: columns[:, j] for j, name in enumerate(names)}


def _carries_meaning(text: str, spans: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which tokens belong to words that are no stop words."""
    return np.array([_is_meaningful(text[a:b]) for a, b in spans], dtype=np.bool_)


def _is_meaningful(token: str) -> bool:
    return token.lower() not in STOP_WORDS and any(c.isalnum() for c in token)


def _rarity(terms: Sequence[str], passages: Sequence[frozenset[str]]) -> Mapping[str, float]:
    """How telling each term is: rare among the passages found weighs more (BM25's idf, plus a floor)."""
    n = len(passages)
    seen = Counter(term for passage in passages for term in passage)
    return {term: math.log1p((n - seen[term] + 0.5) / (seen[term] + 0.5)) + 0.5 for term in terms}


def _context(hit: Hit) -> str:
    """The passage with the title and headings it stands under."""
    return f"{hit.title} {hit.passage.heading} {hit.passage.text}"


def _neighbour(candidates: Sequence[Candidate], i: int, step: int) -> frozenset[str]:
    """Stems of the sentence beside, in the same passage."""
    j = i + step
    same = 0 <= j < len(candidates) and candidates[j].rank == candidates[i].rank
    return candidates[j].stems if same else frozenset()


def _title_case(text: str) -> float:
    """The share of long words written with a capital: high in titles of works, names and tables, low in prose."""
    long = [word for word in words(text) if len(word) > 3]
    return sum(word[0].isupper() for word in long) / len(long) if long else 1.0


def _share(wanted: frozenset[str], found: frozenset[str]) -> float:
    """The share of `wanted` in `found`; one half where nothing is wanted."""
    return len(wanted & found) / len(wanted) if wanted else 0.5
