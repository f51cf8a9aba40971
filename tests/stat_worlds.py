"""Worlds of known truth for the statistics: systems that answer questions, judges that err, thresholds that risk."""

from functools import lru_cache

import numpy as np
from scipy.special import bdtr, expit, ndtri


def difference(outcomes):
    """Candidate minus incumbent of right-or-wrong outcomes, each shape (n,)."""
    incumbent, candidate = outcomes
    return candidate.astype(float) - incumbent


def pairs(rng, n, *, incumbent=0.70, candidate=0.75, phi=0.6):
    """Right-or-wrong outcomes of two systems whose answers correlate: about .16 of the questions differ."""
    spread = np.sqrt(incumbent * (1 - incumbent) * candidate * (1 - candidate))
    both = incumbent * candidate + phi * spread
    cell = rng.choice(4, n, p=[both, incumbent - both, candidate - both, 1 - incumbent - candidate + both])
    return cell < 2, (cell == 0) | (cell == 2)


def judged(rng, outcomes, agreement, *, shared=0.0):
    """What a judge says of both answers: wrong with probability 1 - agreement, a share of it on both at once."""
    n, error = len(outcomes[0]), 1 - agreement
    alone = (error - error * shared) / (1 - error * shared)
    common = rng.random(n) < error * shared
    return tuple(np.where(common | (rng.random(n) < alone), ~right, right) for right in outcomes)


def flattered(rng, outcomes, share):
    """A judge that takes a share of the candidate's wrong answers for right, and errs nowhere else."""
    incumbent, candidate = outcomes
    return incumbent, candidate | (rng.random(len(candidate)) < share)


@lru_cache
def ability(rate, spread):
    """The logit at which questions whose difficulty has that standard deviation are answered right at `rate`."""
    difficulty = ndtri((np.arange(4_000) + 0.5) / 4_000) * spread
    low, high = -40.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if expit(middle + difficulty).mean() < rate else (low, middle)
    return low


def systems(rng, n, rates, *, spread=4.0):
    """Right-or-wrong outcomes of systems on the same questions, shape (systems, n); what is hard is hard for all."""
    difficulty = rng.normal(0, spread, n)
    levels = np.array([ability(rate, spread) for rate in rates])
    return rng.random((len(rates), n)) < expit(levels[:, None] + difficulty)


def better_p(incumbent, candidates):
    """One-sided exact McNemar p-values that each candidate (rows) is better than the incumbent."""
    wins, losses = (candidates & ~incumbent).sum(axis=-1), (~candidates & incumbent).sum(axis=-1)
    return bdtr(losses, wins + losses, 0.5)
