"""Choose the sentences that answer a question, from the passages found for it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from assay.answers.words import content_stems, stems
from assay.documents.sentences import sentence_spans
from assay.index.hit import Hit
from assay.models.embedder import Embedder


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence of a passage: characters `start` to `end` of the passage's text. `score` ranks within one question."""

    hit: Hit
    start: int
    end: int
    score: float = 0.0

    @property
    def text(self) -> str:
        return self.hit.passage.text[self.start : self.end]


async def ranked_sentences(question: str, hits: Sequence[Hit], *, embedder: Embedder) -> list[Candidate]:
    """Every sentence of the hits, best first."""
    candidates = [Candidate(hit, a, b) for hit in hits for a, b in sentence_spans(hit.passage.text)]
    if not candidates:
        return []
    asked = set(content_stems(question))
    seen = Counter(stem for hit in hits for stem in set(stems(hit.passage.text)))
    rarity = {stem: math.log(1 + (len(hits) - seen[stem] + 0.5) / (seen[stem] + 0.5)) + 0.5 for stem in asked}
    total = sum(rarity.values())
    vector = (await embedder.embed([question], kind="query"))[0]
    cosines = await embedder.embed([candidate.text for candidate in candidates]) @ vector
    best = max((hit.signals.get("lexical", 0.0) for hit in hits), default=0.0) or 1.0
    scored = []
    for candidate, cosine in zip(candidates, cosines, strict=True):
        covered = sum(rarity[stem] for stem in asked & set(stems(candidate.text))) / total
        score = covered + float(cosine) + candidate.hit.signals.get("lexical", 0.0) / best
        scored.append(Candidate(candidate.hit, candidate.start, candidate.end, score))
    return sorted(scored, key=lambda candidate: -candidate.score)
