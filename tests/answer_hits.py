"""What the tests of the answers room share: hits made from texts, and a retriever that finds what it is told to."""

from collections.abc import Sequence

from assay.documents.document import Passage
from assay.index.hit import Filter, Hit, Mode
from assay.models.embedder import Embedder

PARIS = "Paris is the capital of France. It lies on the Seine. The city was founded by the Parisii before 52 BC."
BERLIN = "Berlin is the capital of Germany. It has 3.7 million inhabitants."


def hit(
    text: str, *, source: str = "a.md", start: int = 0, title: str = "", heading: str = "", dense: float = 0.5
) -> Hit:
    """A hit whose passage starts at `start` of its document."""
    passage = Passage(f"id-{source}", 0, start, start + len(text), text, heading=heading)
    return Hit(passage, source, title, 1.0, {"lexical": 3.0, "dense": dense})


class Finds:
    """A retriever that finds these hits, whatever it is asked."""

    def __init__(self, *hits: Hit) -> None:
        self.hits = list(hits)
        self.asked: list[tuple[str, Filter | None]] = []

    async def search(
        self, question: str, *, k: int | None = None, mode: Mode | None = None, where: Filter | None = None
    ) -> list[Hit]:
        self.asked.append((question, where))
        return self.hits


async def with_cosines(question: str, hits: Sequence[Hit], *, embedder: Embedder) -> list[Hit]:
    """The hits with the dense signal an index would give them."""
    vectors = await embedder.embed([question, *(h.passage.text for h in hits)])
    return [
        Hit(h.passage, h.source, h.title, h.score, {**h.signals, "dense": float(vectors[i + 1] @ vectors[0])})
        for i, h in enumerate(hits)
    ]
