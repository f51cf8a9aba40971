"""Which excerpts lie close to which, and to a question: for pairs that belong together and passages that mislead."""

from collections.abc import Sequence

import numpy as np

from assay.evals.generation.texts import Excerpt
from assay.models.embedder import Embedder, Vectors

CLOSE = 0.05
"""How much nearer the right excerpt may be to a question (cosine) for another one still to mislead."""


class Nearness:
    """Excerpts with their vectors. Make one with `of`; takes one embedding an excerpt."""

    def __init__(self, excerpts: Sequence[Excerpt], vectors: Vectors, embedder: Embedder) -> None:
        self.excerpts = list(excerpts)
        self._vectors, self._embedder = vectors, embedder
        self._places = {(some.source, some.start): place for place, some in enumerate(excerpts)}

    @classmethod
    async def of(cls, excerpts: Sequence[Excerpt], embedder: Embedder) -> "Nearness":
        vectors = await embedder.embed([_context(excerpt) for excerpt in excerpts])
        return cls(excerpts, vectors, embedder)

    def neighbours(self) -> list[tuple[Excerpt, Excerpt, float]]:
        """Each excerpt with the one nearest to it that does not overlap it and their cosine, nearest pairs first."""
        found = []
        for place, excerpt in enumerate(self.excerpts):
            cosines = self._vectors @ self._vectors[place]
            cosines[place] = -np.inf
            best = int(cosines.argmax())
            if len(self.excerpts) > 1:
                found.append((excerpt, self.excerpts[best], float(cosines[best])))
        return sorted(found, key=lambda pair: -pair[2])

    async def nearest(self, question: str, *, most: int) -> list[Excerpt]:
        """The excerpts nearest to a question, nearest first."""
        asked = (await self._embedder.embed([question], kind="query"))[0]
        return [self.excerpts[place] for place in np.argsort(-(self._vectors @ asked), kind="stable")[:most]]

    async def distractor(self, question: str, excerpt: Excerpt) -> tuple[Excerpt, float] | None:
        """The excerpt nearest to a question save its own, and how much nearer its own is (cosine); None without one."""
        asked = (await self._embedder.embed([question], kind="query"))[0]
        cosines = self._vectors @ asked
        own = self._places[excerpt.source, excerpt.start]
        lead = cosines[own] - cosines
        lead[own] = np.inf
        best = int(lead.argmin())
        return None if best == own else (self.excerpts[best], float(lead[best]))

    async def best_sentence(self, question: str, excerpt: Excerpt) -> tuple[int, int]:
        """The span of the excerpt's sentence nearest to a question."""
        vectors = await self._embedder.embed([question, *(excerpt.quote(*span) for span in excerpt.sentences)])
        return excerpt.sentences[int((vectors[1:] @ vectors[0]).argmax())]


def _context(excerpt: Excerpt) -> str:
    return f"{excerpt.title}\n{excerpt.text}" if excerpt.title else excerpt.text
