"""Numbers in, intervals and verdicts out. Imports nothing of ours.

Every function is plain, takes numpy arrays or sequences, and returns an `Interval` that says how it was made.
`paired_interval` and `mean_interval` choose the method; the rest are the methods. Bootstrap and power live in
`assay.stats.bootstrap` and `assay.stats.power`. SciPy's distributions come from `scipy.special`, loaded inside
the functions: `scipy.stats` would double the start of `assay compare`.
"""

from assay.stats.binary import bonett_price, newcombe10
from assay.stats.interval import Interval
from assay.stats.mean import clustered_t, mean_interval, t_interval
from assay.stats.paired import paired_interval
from assay.stats.rate import clopper_pearson, wilson
from assay.stats.signflip import sign_flip_interval, sign_flip_p

__all__ = [
    "Interval",
    "bonett_price",
    "clopper_pearson",
    "clustered_t",
    "mean_interval",
    "newcombe10",
    "paired_interval",
    "sign_flip_interval",
    "sign_flip_p",
    "t_interval",
    "wilson",
]
