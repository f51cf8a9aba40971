"""Streams of paired differences of known truth, and the rules people use on them, for whole arrays of runs at once.

The sizes are those of XQuAD's articles (every second by title) and paragraphs. `article_effects` makes clusters whose
questions share an effect: a cluster's difference is normal around the truth with standard deviation `spread`.
"""

import numpy as np

from assay.stats.clusters import ClusterSums
from assay.stats.flips import look_flips
from assay.stats.horizon import calibrate
from assay.stats.wealth import THETAS

ARTICLES = np.array(
    [23, 30, 24, 25, 24, 24, 21, 36, 32, 20, 23, 25, 24, 25, 22, 19, 25, 24, 21, 22, 26, 25, 17, 21]
)  # 24 articles, 578 questions


def article_effects(rng, runs, sizes, *, difference=0.0, spread=0.1, disagreement=0.2):
    """Sums and sizes of shape (runs, clusters): clusters of `sizes` in random order, answers right or wrong."""
    order = np.argsort(rng.random((runs, len(sizes))), axis=1)
    cases = sizes[order]
    effect = np.clip(difference + spread * rng.standard_normal(cases.shape), -disagreement, disagreement)
    win, lose = (disagreement + effect) / 2, (disagreement - effect) / 2
    wins = rng.binomial(cases, win)
    losses = rng.binomial(cases - wins, lose / (1 - win))
    return (wins - losses).astype(float), cases.astype(float), wins, losses


def one_by_one(rng, sizes, wins, losses):
    """The same outcomes as single differences of shape (runs, questions), the questions of all clusters shuffled."""
    runs, total = len(wins), int(sizes[0].sum())
    won, lost = wins.sum(axis=1), losses.sum(axis=1)
    places = np.arange(total)
    ordered = np.where(places < won[:, None], 1.0, np.where(places < (won + lost)[:, None], -1.0, 0.0))
    # A random order of all questions, whoever they belong to: only how many were won and lost matters.
    return np.take_along_axis(ordered, np.argsort(rng.random((runs, total)), axis=1), axis=1)


def ever_promoted(differences, *, alpha=0.05, thetas=THETAS, choose=None):
    """Whether the mixture wealth of bets on d ever reaches 1/alpha, per row; `choose` breaks the rule of betting."""
    wealth = np.ones((len(differences), len(thetas)))
    promoted = np.zeros(len(differences), bool)
    for step in differences.T:
        growth = 1 + step[:, None] * thetas
        wealth *= growth if choose is None else choose(growth)
        promoted |= wealth.mean(axis=1) >= 1 / alpha
        np.clip(wealth, 1e-200, 1e200, out=wealth)
    return promoted


def ever_significant(differences, *, least=20, critical=1.645):
    """Whether a one-sided t test, done after every difference from the twentieth, is ever significant at .05."""
    n = np.arange(1, differences.shape[1] + 1)
    mean = np.cumsum(differences, axis=1) / n
    variance = np.maximum(np.cumsum(differences**2, axis=1) / n - mean**2, 1e-12) * n / np.maximum(n - 1, 1)
    return (mean / np.sqrt(variance / n) > critical)[:, least - 1 :].any(axis=1)


def ever_past_horizon(differences, *, horizon, alpha=0.05):
    """Whether the exact-horizon test of right-or-wrong answers ever promotes, per row."""
    bounds = np.array(calibrate(horizon, alpha, 5.0).wins)
    wins = np.cumsum(differences > 0, axis=1)
    differ = np.cumsum(differences != 0, axis=1)
    return ((wins >= bounds[np.minimum(differ, horizon)]) & (differ <= horizon)).any(axis=1)


def promoted_at_looks(sums, sizes, looks, *, alpha=0.05, spending=1.0, draws=1_000):
    """At which of the looks each run is promoted by flipping whole clusters; as many as there are looks if at none."""
    clusters = sums.shape[1]
    spent = [alpha * (look / clusters) ** spending for look in looks]
    when = np.full(len(sums), len(looks))
    for run, (total, size) in enumerate(zip(sums, sizes, strict=True)):
        flips = look_flips(ClusterSums(total, size), looks, planned=clusters, draws=draws, seed=run)
        bounds = flips.struck(0.0, 1, spent)
        passed = np.flatnonzero(flips.sums[:, 0] > np.array(bounds))
        when[run] = passed[0] if len(passed) else len(looks)
    return when
