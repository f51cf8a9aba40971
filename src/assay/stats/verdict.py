"""The five things a sequential test may say, shared by every test of this room.

Invariant: a verdict changes at most into a stronger one on the same side (NOT_WORSE into PROMOTE, NOT_BETTER into
WORSE), and only where the caller asked to go on. Proved by `tests/properties/test_sequential_properties.py`.
"""

from enum import StrEnum


class Verdict(StrEnum):
    """What the evidence so far shows about candidate minus incumbent.

    - PROMOTE: better than 0 (`low > 0`).
    - NOT_WORSE: worse by less than the stated margin, if at all (`low > -margin`).
    - NOT_BETTER: better by less than the smallest difference that matters, if at all (`high < smallest`).
    - WORSE: worse than 0 (`high < 0`).
    - UNDECIDED: none of these is shown, yet or at all.
    """

    PROMOTE = "PROMOTE"
    NOT_WORSE = "NOT_WORSE"
    NOT_BETTER = "NOT_BETTER"
    WORSE = "WORSE"
    UNDECIDED = "UNDECIDED"
