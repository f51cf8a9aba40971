"""A threshold that comes with a guarantee: what is accepted beyond it is wrong at most so often, or the feature is off.

Learn then Test (Angelopoulos, Bates, Candes, Jordan and Lei 2021, arXiv 2110.01052, section 3: fixed sequence testing):
thresholds are tested from strict to loose, each at the full delta, up to the first that fails. Picking the loosest
threshold whose measured error is low enough breaks its promise about every second time.
Invariant: P(the true error of what the shipped threshold accepts > epsilon) <= delta over calibration draws, whatever
the errors do along the thresholds. Proved where the naive rule fails: `tests/oracles/test_certify.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log1p
from math import log as ln
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tried:
    """One threshold: of `accepted` verified cases beyond it `errors` were wrong. `p` tests that its true error exceeds
    epsilon; `upper` is the largest error these counts allow with confidence 1 - delta (Clopper and Pearson, one side).
    `passed` is None where the sequence never came to it."""

    threshold: float
    accepted: int
    errors: int
    p: float
    upper: float
    passed: bool | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """The loosest certified `threshold`, or None: then the feature stays off. `needed` says how many verified accepted
    cases without an error would certify something, `reason` what happened in one sentence."""

    threshold: float | None
    epsilon: float
    delta: float
    steps: tuple[Tried, ...]
    needed: int
    reason: str

    @property
    def on(self) -> bool:
        """Whether anything was certified."""
        return self.threshold is not None


def certify(
    thresholds: Sequence[float] | NDArray[Any],
    accepted: Sequence[int] | NDArray[Any],
    errors: Sequence[int] | NDArray[Any],
    epsilon: float,
    delta: float = 0.05,
) -> Certificate:
    """The loosest of `thresholds` (strict to loose, chosen before the labels were seen) with an error of at most
    `epsilon`, wrong about that with probability at most `delta`; off if none passes.

    `accepted[j]` counts the verified cases that threshold j accepts, `errors[j]` those of them that were wrong; both
    can only grow. p_j = P(Bin(accepted, epsilon) <= errors). Testing starts at the first threshold with at least
    ln(delta)/ln(1 - epsilon) accepted cases, because fewer cannot pass; that may depend on scores, never on errors.
    Cases must be independent: repeats of one query are one case.
    """
    levels, k, e = np.asarray(thresholds, dtype=np.float64), np.asarray(accepted), np.asarray(errors)
    _check(levels, k, e, epsilon=epsilon, delta=delta)
    needed = cases_to_certify(epsilon, delta)
    p, upper = binomial_tail(k, e, epsilon), upper_errors(k, e, delta)
    enough = np.flatnonzero(k >= needed)
    start = int(enough[0]) if len(enough) else len(levels)
    failed = np.flatnonzero(p[start:] > delta)
    stop = start + int(failed[0]) if len(failed) else len(levels)
    steps = tuple(
        Tried(
            float(levels[j]),
            int(k[j]),
            int(e[j]),
            float(p[j]),
            float(upper[j]),
            None if j < start or j > stop else j < stop,
        )
        for j in range(len(levels))
    )
    if stop > start:
        reason = f"errors of at most {epsilon:.2%} with confidence {1 - delta:.0%}: {steps[stop - 1].errors} wrong"
        reason += f" of {steps[stop - 1].accepted:,} verified"
        return Certificate(float(levels[stop - 1]), epsilon, delta, steps, needed, reason)
    if start == len(levels):
        most = int(k.max()) if len(k) else 0
        reason = f"off: {most:,} accepted cases were verified, at least {needed:,} are needed for {epsilon:.2%}"
    else:
        reason = f"off: {int(e[start])} of the {int(k[start]):,} strictest verified cases were wrong"
    return Certificate(None, epsilon, delta, steps, needed, reason)


def cases_to_certify(epsilon: float, delta: float = 0.05, errors: int = 0) -> int:
    """The smallest number of verified accepted cases that certifies `epsilon` although `errors` of them are wrong; 299
    for one per cent without an error."""
    if not 0 < epsilon < 1 or not 0 < delta < 1 or errors < 0:
        raise ValueError(f"epsilon {epsilon} and delta {delta} must lie between 0 and 1, errors {errors} not below 0")
    low = ceil(ln(delta) / log1p(-epsilon) - 1e-9)
    if errors == 0:
        return max(1, low)
    high = low
    while binomial_tail(np.array([high]), np.array([errors]), epsilon)[0] > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        fits = binomial_tail(np.array([middle]), np.array([errors]), epsilon)[0] <= delta
        low, high = (low, middle) if fits else (middle, high)
    return high


def binomial_tail(n: NDArray[Any], errors: NDArray[Any], rate: float) -> NDArray[np.float64]:
    """P(Bin(n, rate) <= errors), element by element; 1 where n is 0 or all are errors."""
    from scipy.special import bdtr

    return np.where(errors >= n, 1.0, bdtr(errors, np.maximum(n, 1), rate)).astype(np.float64)


def upper_errors(n: NDArray[Any], errors: NDArray[Any], delta: float) -> NDArray[np.float64]:
    """The one-sided Clopper-Pearson limit on a rate at confidence 1 - delta, element by element; 1 without cases."""
    from scipy.special import betaincinv

    inside = errors < n
    return np.where(inside, betaincinv(errors + 1, np.where(inside, n - errors, 1), 1 - delta), 1.0).astype(np.float64)


def _check(levels: NDArray[Any], accepted: NDArray[Any], errors: NDArray[Any], *, epsilon: float, delta: float) -> None:
    if not 0 < epsilon < 1 or not 0 < delta < 1:
        raise ValueError(f"epsilon {epsilon} and delta {delta} must lie between 0 and 1")
    if levels.ndim != 1 or not levels.shape == accepted.shape == errors.shape:
        raise ValueError("there must be as many thresholds as counts of accepted cases and of errors")
    if not np.isfinite(levels).all() or (accepted % 1 != 0).any() or (errors % 1 != 0).any():
        raise ValueError("thresholds must be finite, accepted cases and errors whole numbers")
    steps = np.diff(levels)
    if not ((steps > 0).all() or (steps < 0).all()):
        raise ValueError("thresholds must go one way, from strict to loose")
    wrong_order = (np.diff(accepted) < 0).any() or (np.diff(errors) < 0).any()
    if wrong_order or (errors < 0).any() or (errors > accepted).any():
        raise ValueError("a looser threshold accepts what a stricter one does: counts must grow, errors among accepted")
