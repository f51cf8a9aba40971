"""The rounds of a race, planned before a call is spent: how many arms, and how many new questions for each of them.

Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943): the better half goes on and every round gets an
equal part of the calls, so the fewer are left the more each is asked. Too few calls for a question to every arm in each
of the log2 rounds mean fewer rounds with sharper cuts; too few questions for equal parts move calls to the early
rounds, where more arms share a question.

Invariant: no plan needs more than the calls or the questions it was given, every round asks something, and the last
leaves one arm. Proved by `tests/unit/decisions/race/test_halving.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

from assay.errors import BadInput

_STEEPEST, _FLATTEST = 1.0, -8.0


@dataclass(frozen=True, slots=True)
class PlannedRound:
    """A round: its number from 1, arms in it, new questions for each of them, and arms times questions."""

    number: int
    arms: int
    items: int

    @property
    def calls(self) -> int:
        """Arm-question evaluations."""
        return self.arms * self.items


def planned_rounds(arms: int, *, items: int, calls: int) -> tuple[PlannedRound, ...]:
    """The rounds for `arms`, at most `items` questions and `calls` evaluations; none for one arm.

    Raises BadInput where the calls do not give every arm one question, or there is no question.
    """
    if arms < 1:
        raise ValueError("a race needs an arm")
    if arms == 1:
        return ()
    if items < 1:
        raise BadInput("There is no question to race on.", hint="Give the race at least one dev question.")
    if calls < arms:
        raise BadInput(
            f"A budget of {calls:,} calls is too small for one round: {arms:,} arms need {arms:,} calls at least.",
            hint=f"Allow {arms:,} calls or more, or race fewer arms.",
        )
    sizes = _sizes(arms, min(ceil(log2(arms)), calls // arms, items))
    asked = _shared_out(sizes, items, calls)
    return tuple(PlannedRound(number, size, n) for number, (size, n) in enumerate(zip(sizes, asked, strict=True), 1))


def _sizes(arms: int, rounds: int) -> list[int]:
    """Arms by round: halved, or cut so much more sharply that as many rounds leave one."""
    if rounds == ceil(log2(arms)):
        sizes = [arms]
        while sizes[-1] > 2:
            sizes.append(-(-sizes[-1] // 2))
        return sizes
    ratio = arms ** (1 / rounds)
    return [arms, *(max(2, ceil(arms / ratio**cut - 1e-9)) for cut in range(1, rounds))]


def _shared_out(sizes: Sequence[int], items: int, calls: int) -> list[int]:
    aims = _aims(sizes, items, calls)
    asked = [max(1, int(aim + 1e-9)) for aim in aims]
    if sum(asked) > items or _cost(sizes, asked) > calls:  # a round that had no whole question was given one
        rest = _aims(sizes, items - len(sizes), calls - sum(sizes))
        aims = [1 + aim for aim in rest]
        asked = [int(aim + 1e-9) for aim in aims]
    # What rounding left goes to the rounds that lost most by it, and then to the last, where a question costs least.
    for place in sorted(range(len(sizes)), key=lambda place: asked[place] - aims[place]):
        if sum(asked) < items and _cost(sizes, asked) + sizes[place] <= calls:
            asked[place] += 1
    asked[-1] += min(items - sum(asked), (calls - _cost(sizes, asked)) // sizes[-1])
    return asked


def _aims(sizes: Sequence[int], items: int, calls: int) -> list[float]:
    """Questions by round in proportion to arms^-slope: slope 1 is equal calls, less where the questions run out."""

    def scaled(slope: float) -> list[float]:
        weights: list[float] = [size**-slope for size in sizes]
        by_calls = calls / sum(weight * size for weight, size in zip(weights, sizes, strict=True))
        return [weight * min(by_calls, items / sum(weights)) for weight in weights]

    def fits(slope: float) -> bool:
        weights: list[float] = [size**-slope for size in sizes]
        cost = sum(weight * size for weight, size in zip(weights, sizes, strict=True))
        return calls * sum(weights) <= items * cost

    if fits(_STEEPEST):
        return scaled(_STEEPEST)
    low, high = _FLATTEST, _STEEPEST
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return scaled(low)


def _cost(sizes: Sequence[int], asked: Sequence[int]) -> int:
    return sum(size * n for size, n in zip(sizes, asked, strict=True))
