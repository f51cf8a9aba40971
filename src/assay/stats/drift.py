"""Has quality fallen below its floor? A detector that may run for ever and raises a false alarm once in a long while.

Shiryaev-Roberts e-detector: for each stake the wealth of all bets ever begun, one more with every score, each of which
gains while scores lie below the floor. Under any dependence with a mean at or above the floor their sum grows by one a
score at most, so the mean time to a false alarm is at least the threshold (Shin, Ramdas and Rinaldo 2022,
arXiv 2203.03532). Invariant: O(stakes) a score, no window kept. Proved by `tests/oracles/test_drift.py`.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any, Self

STAKES = (0.1, 0.2, 0.4, 0.8, 1.6, 3.0)


class DriftDetector:
    """Scores in [0, 1], one at a time; `alarm` once their mean has fallen below `floor`.

    `floor` is what quality must not fall under: a certified lower bound less a tolerance (2 points serve), never the
    estimate itself, which alarms for ever. `run_length` is the mean number of scores between false alarms, at
    least. After an alarm nothing changes; `reset` starts anew. Raises `ValueError` for settings that make no sense.
    """

    def __init__(self, floor: float, *, run_length: float = 10_000.0) -> None:
        if not 0 < floor < 1:
            raise ValueError(f"a floor lies between 0 and 1, not at {floor}")
        if not run_length > 1:
            raise ValueError(f"a run length is a number of scores above 1, not {run_length}")
        self.floor, self.run_length = float(floor), float(run_length)
        # A stake of 1/(1 - floor) would lose everything at a score of 1.
        self._stakes = tuple(stake for stake in STAKES if stake < 1 / (1 - floor))
        self.reset()

    def reset(self) -> None:
        """Start anew, as after an alarm that was looked into."""
        self.n = 0
        self.alarm = False
        self._wealth = [0.0] * len(self._stakes)

    @property
    def level(self) -> float:
        """How near an alarm is, 0 to 1 and above: the evidence over its threshold."""
        return sum(self._wealth) / len(self._wealth) / self.run_length

    def update(self, score: float) -> bool:
        """Take the next score; True once there is an alarm. Raises `ValueError` for a score outside [0, 1]."""
        value = float(score)
        if not 0 <= value <= 1:
            raise ValueError(f"scores lie between 0 and 1, not at {value}")
        if self.alarm:
            return True
        self.n += 1
        below = self.floor - value
        self._wealth = [
            (1 + stake * below) * (wealth + 1) for stake, wealth in zip(self._stakes, self._wealth, strict=True)
        ]
        self.alarm = self.level >= 1
        return self.alarm

    def state(self) -> dict[str, Any]:
        """Everything needed to go on elsewhere, as plain JSON."""
        return {
            "floor": self.floor,
            "run_length": self.run_length,
            "n": self.n,
            "alarm": self.alarm,
            "wealth": list(self._wealth),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The detector as `state()` left it. Raises `ValueError` for what is no state of one."""
        try:
            made = cls(state["floor"], run_length=state["run_length"])
            made.n, made.alarm = int(state["n"]), bool(state["alarm"])
            wealth = [float(value) for value in state["wealth"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is not the state of a detector: {error}") from error
        if len(wealth) != len(made._stakes) or not all(isfinite(value) and value >= 0 for value in wealth):
            raise ValueError("this is not the state of a detector: its wealth makes no sense")
        made._wealth = wealth
        return made
