"""Two small convex fits, and the area under the curve: numpy and scipy only, deterministic."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata

Matrix = NDArray[np.float64]


def fit_ranking(groups: Sequence[tuple[Matrix, NDArray[np.bool_]]], *, l2: float) -> Matrix:
    """Weights that put the right rows of each group first: the likelihood of a right row under a softmax.

    Each group is (rows, right). The penalty is on weights of standardised columns; what returns is for raw ones.
    """
    rows = np.vstack([rows for rows, _ in groups])
    spread = rows.std(axis=0)
    spread[spread < 1e-9] = np.inf
    scaled = (rows - rows.mean(axis=0)) / spread
    right = np.concatenate([right for _, right in groups])
    sizes = np.array([len(rows) for rows, _ in groups])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    group_of = np.repeat(np.arange(len(groups)), sizes)

    def loss(weights: Matrix) -> tuple[float, Matrix]:
        scores = scaled @ weights
        powers = np.exp(scores - np.maximum.reduceat(scores, starts)[group_of])
        every, good = np.add.reduceat(powers, starts), np.add.reduceat(powers * right, starts)
        slope = scaled.T @ (powers / every[group_of] - powers * right / good[group_of])
        return float(np.log(every / good).sum() + l2 * weights @ weights / 2), slope + l2 * weights

    found = minimize(loss, np.zeros(rows.shape[1]), jac=True, method="L-BFGS-B")
    return np.asarray(found.x / spread)


def fit_logistic(rows: Matrix, labels: Matrix, *, l2: float, case_weights: Matrix | None = None) -> Matrix:
    """Logistic regression for raw columns, the bias last and not penalised."""
    means, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread < 1e-9] = np.inf
    scaled = np.hstack([(rows - means) / spread, np.ones((len(rows), 1))])
    counts = np.ones(len(rows)) if case_weights is None else case_weights
    penalty = np.full(scaled.shape[1], l2)
    penalty[-1] = 0.0

    def loss(weights: Matrix) -> tuple[float, Matrix]:
        scores = scaled @ weights
        value = (counts * np.logaddexp(0, -scores * (2 * labels - 1))).sum() + 0.5 * (penalty * weights**2).sum()
        slope = scaled.T @ (counts * (1 / (1 + np.exp(-scores)) - labels)) + penalty * weights
        return float(value), slope

    found = minimize(loss, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B").x
    raw = found[:-1] / spread
    return np.append(raw, found[-1] - raw @ np.where(np.isfinite(spread), means, 0.0))


def auroc(positive: NDArray[np.bool_], scores: Matrix) -> float:
    """The probability that a random positive scores higher than a random negative, ties counting half."""
    positive = np.asarray(positive, dtype=bool)
    ranks, n = rankdata(scores), int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(positive) - n)))


def folds(clusters: Sequence[str], *, count: int, seed: int = 0) -> NDArray[np.int64]:
    """A fold for each item; a cluster is never split."""
    names = sorted(set(clusters))
    order = np.random.default_rng(seed).permutation(len(names))
    place = {name: int(order[i]) % count for i, name in enumerate(names)}
    return np.array([place[cluster] for cluster in clusters])
