"""How often, and after how many questions, a declared rule promotes: at no gain, at what matters, and at twice that."""

from dataclasses import dataclass
from math import sqrt

from assay.decisions.hypothesis import Hypothesis

ASSUMED = {
    "exact-horizon": "the two differ on 16% of questions",
    "betting": "differences spread by 0.25",
    "cluster-looks": "differences spread by 0.4, and a fifth of that is shared within a cluster",
}


@dataclass(frozen=True, slots=True)
class Chance:
    """If the true gain is `gain` (units of score): the chance to PROMOTE and the questions asked on average."""

    gain: float
    promote: float
    expected_items: float

    def sentence(self) -> str:
        """In words."""
        gain = f"{100 * self.gain:+g} points" if self.gain else "no gain"
        return f"if {gain}: promoted {100 * self.promote:.0f}% of the time, about {self.expected_items:,.0f} questions"


def chances(hypothesis: Hypothesis) -> tuple[Chance, ...]:
    """The chances of the rule of a hypothesis, at its alpha."""
    smallest = hypothesis.margins.smallest
    return tuple(_chance(hypothesis, gain) for gain in (0.0, smallest, 2 * smallest))


def _chance(hypothesis: Hypothesis, gain: float) -> Chance:
    from scipy.special import ndtr, ndtri

    spread = 0.4
    power = float(ndtr(gain / spread * sqrt(hypothesis.items) + ndtri(hypothesis.alpha)))
    return Chance(gain, power, hypothesis.items * (1 - power / 2))
