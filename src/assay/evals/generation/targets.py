"""What a generation asks of next: excerpts, and pairs of them that lie close together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.evals.generation.draft import Draft, Kind
from assay.evals.generation.nearness import Nearness
from assay.evals.generation.texts import Excerpt


@dataclass(frozen=True, slots=True)
class Target:
    """What one attempt is made of: an excerpt, and for pairs its partner."""

    excerpt: Excerpt
    partner: Excerpt | None = None
    is_outside: bool = False


class Targets:
    """What to ask of next. Excerpts that no question rests on yet come before the others."""

    def __init__(self, nearness: Nearness, outside: Sequence[Excerpt]) -> None:
        self.excerpts, self._outside = nearness.excerpts, outside
        self._pairs = nearness.neighbours()
        self._used: set[Excerpt] = set()

    def of(self, kind: Kind) -> Iterator[Target]:
        if kind == "unanswerable":
            yield from (Target(excerpt, is_outside=True) for excerpt in self._outside)
        targets = self._all(kind)
        later = []
        for target in targets:
            if target.excerpt in self._used:
                later.append(target)
            else:
                yield target
        yield from later

    def take(self, draft: Draft) -> None:
        """Note what a kept draft rests on."""
        self._used |= {draft.about, *(quote.excerpt for quote in draft.evidence)}

    def _all(self, kind: Kind) -> Iterator[Target]:
        if kind in ("single", "unanswerable"):
            yield from (Target(excerpt) for excerpt in self.excerpts)
            return
        seen: set[frozenset[Excerpt]] = set()
        for one, other, _ in self._pairs:
            pair = frozenset((one, other))
            if kind == "adversarial" or pair not in seen:
                seen.add(pair)
                yield Target(one, other)
