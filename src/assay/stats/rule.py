"""What a sequential test of right-or-wrong answers was told before its first question.

Invariant: the rule is a value. Equal rules decide equally, and everything that is worked out ahead (boundaries, power,
the law of the stop) is cached on it.
"""

from dataclasses import dataclass
from math import isfinite

from assay.stats.verdict import Verdict

OPTIONAL = frozenset({Verdict.NOT_BETTER, Verdict.NOT_WORSE})


@dataclass(frozen=True, slots=True)
class BinaryRule:
    """See `assay.stats.sequential.SequentialBinary` for the fields; raises `ValueError` where they make no sense."""

    alpha: float = 0.05
    horizon: int = 130
    items: int | None = None
    smallest: float | None = None
    beta: float = 0.05
    margin: float | None = None
    a: float = 5.0
    go_on_after: frozenset[Verdict] = frozenset()

    def __post_init__(self) -> None:
        for name, value in (("alpha", self.alpha), ("beta", self.beta)):
            if not 0 < value < 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {value}")
        for name, distance in (("smallest", self.smallest), ("margin", self.margin)):
            if distance is not None and not 0 < distance < 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {distance}")
        for name, count in (("horizon", self.horizon), ("items", self.items)):
            if count is not None and (type(count) is not int or count < 1):
                raise ValueError(f"{name} must be a whole number of at least 1, not {count}")
        if not (isfinite(self.a) and self.a > 0):
            raise ValueError(f"a must be a number above 0, not {self.a}")
        if not self.go_on_after <= OPTIONAL:
            raise ValueError("a test goes on at most after NOT_WORSE and NOT_BETTER; PROMOTE and WORSE end it")

    @property
    def stops_on_ties(self) -> bool:
        """Whether a question on which the two do equally well can end the test."""
        stated = {Verdict.NOT_BETTER: self.smallest, Verdict.NOT_WORSE: self.margin}
        return any(stated[verdict] is not None for verdict in OPTIONAL - self.go_on_after)
