"""How many questions a race may ask and how many its confirmation, from a share of the grid, a number, or dollars.

Invariant: race and confirmation together ask no more than was given. Proved by `tests/unit/app/test_race_budget.py`.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay.app.evaluating import call_usd
from assay.app.race_heats import Runner
from assay.app.trying import FEWEST_ITEMS
from assay.errors import BadInput

CONFIRM_SHARE = 0.3
"""The most of the calls that is kept for the confirmation: what the race finds is worth nothing unconfirmed."""

_JUDGED_TOKENS = (300, 4_000)
_VERDICT_TOKENS = (20, 1_000)


@dataclass(frozen=True, slots=True)
class Budgeted:
    """Calls are (design, question) evaluations; the confirmation asks both its sides. `usd` is (least, most), `used`
    what proposing prompts has taken already."""

    race_calls: int
    confirm_calls: int
    usd: tuple[float, float] | None
    used: int = 0


def budgeted(
    runners: Sequence[Runner],
    *,
    dev: int,
    confirm: int,
    share: float,
    calls: int | None,
    usd: float | None,
    used: int = 0,
) -> Budgeted:
    """The calls of a race over `dev` questions and its confirmation on `confirm`.

    Raises BadInput where they do not give every design one question, saying what would.
    """
    arms = len(runners)
    grid = arms * (dev + confirm)
    total = calls if calls is not None else math.floor(share * grid)
    prices = [price for runner in runners if (price := price_of(runner)) is not None]
    dearest = max((high for _low, high in prices), default=0.0)
    if usd is not None and dearest > 0:
        total = min(total, math.floor(usd / dearest))
    total = min(total - used, grid + 2 * confirm)
    kept = _kept(total, confirm)
    race = min(total - kept, arms * dev)
    if race < arms:
        least = used + next(total for total in itertools.count(arms) if total - _kept(total, confirm) >= arms)
        needed = f"{least:,} calls" + (f", which is ${_dollars(least, dearest)}" if usd is not None and dearest else "")
        raise BadInput(
            f"A budget of {max(total, 0):,} calls is too small for one round of {arms:,} designs and a confirmation.",
            hint=f"Allow at least {needed} (--budget-calls {least}), or race fewer designs.",
        )
    low = min((low for low, _high in prices), default=0.0)
    known = len(prices) == len([runner for runner in runners if runner.ready is not None])
    return Budgeted(race, kept, ((race + kept) * low, (race + kept) * dearest) if known else None, used)


def _kept(total: int, confirm: int) -> int:
    """The calls of `total` that are for the confirmation: enough to confirm anything at all."""
    return min(2 * confirm, max(math.floor(CONFIRM_SHARE * total), 2 * FEWEST_ITEMS))


def _dollars(calls: int, dearest: float) -> str:
    """Dollars and cents that are enough for so many calls, however they are rounded."""
    cents = math.ceil(100 * calls * dearest)
    while math.floor(cents / 100 / dearest) < calls:
        cents += 1
    return f"{cents / 100:.2f}"


def price_of(runner: Runner) -> tuple[float, float] | None:
    """What a question to an arm costs with its judgement, from least to most; None where nobody says."""
    if runner.ready is None:
        return None
    expected: tuple[float, float] | None = getattr(runner.ready.system, "expected_cost_usd", None)
    judged = call_usd(runner.ready.judge, prompt=_JUDGED_TOKENS, answer=_VERDICT_TOKENS)
    if expected is None or judged is None:
        return None
    return expected[0] + judged[0], expected[1] + judged[1]
