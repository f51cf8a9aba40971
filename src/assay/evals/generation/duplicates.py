"""Questions that ask the same: the same words, or nearly the same meaning with equal names, numbers and question word.

MiniLM puts opposite and merely similar questions above any threshold that paraphrases reach, so a cosine alone never
calls two questions one.
"""

import numpy as np

from assay.answers.question import Question
from assay.answers.words import stems
from assay.models.embedder import Embedder, Vectors

_NEAR = 0.9


class Kept:
    """The questions kept so far."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._texts: dict[str, str] = {}
        self._asked: list[Question] = []
        self._vectors: list[Vectors] = []

    async def twin(self, question: str) -> str | None:
        """The kept question that asks what this one asks; None where none does, and then it is kept."""
        text = " ".join(stems(question))
        if text in self._texts:
            return self._texts[text]
        asked = Question.of(question)
        vector = (await self._embedder.embed([question], kind="query"))[0]
        if self._vectors:
            cosines = np.stack(self._vectors) @ vector
            for place in np.flatnonzero(cosines >= _NEAR):
                if _same_marks(self._asked[place], asked):
                    return self._asked[place].text
        self._texts[text] = question
        self._asked.append(asked)
        self._vectors.append(vector)
        return None


def _same_marks(one: Question, other: Question) -> bool:
    return (one.names, one.numbers, one.kind) == (other.names, other.numbers, other.kind)
