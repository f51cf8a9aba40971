"""Numbers in, intervals and verdicts out. Imports nothing of ours.

Every function is plain and takes numpy arrays or sequences; what it returns says how it was made. `STABLE` names what
users may build on; `docs/concepts/statistics.md` says what each is for, its source and what was measured. SciPy's
distributions come from `scipy.special`, loaded inside the functions: `scipy.stats` would double the start of
`assay compare`.
"""

from assay.stats.betting import BettingTest
from assay.stats.binary import bonett_price, mcnemar, newcombe, newcombe10
from assay.stats.certify import Certificate, cases_to_certify, certify
from assay.stats.drift import DriftDetector
from assay.stats.estimate import Evidence
from assay.stats.interval import Interval
from assay.stats.labelled import LabelledBetting
from assay.stats.looks import ClusterLooks
from assay.stats.mean import clustered_t, mean_interval, t_interval
from assay.stats.online import Spending
from assay.stats.paired import paired_interval, paired_t
from assay.stats.permutation import MaxT, max_t
from assay.stats.power import detectable, sample_size
from assay.stats.ppi import Calibrated, Stratum, neyman, ppi_difference, ppi_rate, strata
from assay.stats.rate import clopper_pearson, wilson
from assay.stats.sequential import SequentialBinary
from assay.stats.signflip import SignFlip, sign_flip, sign_flip_interval, sign_flip_p
from assay.stats.variance import advise, variance_components
from assay.stats.verdict import Verdict

STABLE = (
    "BettingTest",
    "ClusterLooks",
    "SequentialBinary",
    "certify",
    "clopper_pearson",
    "clustered_t",
    "detectable",
    "max_t",
    "newcombe",
    "paired_t",
    "ppi_difference",
    "ppi_rate",
    "sample_size",
    "sign_flip",
    "wilson",
)

__all__ = [
    "STABLE",
    "BettingTest",
    "Calibrated",
    "Certificate",
    "ClusterLooks",
    "DriftDetector",
    "Evidence",
    "Interval",
    "LabelledBetting",
    "MaxT",
    "SequentialBinary",
    "SignFlip",
    "Spending",
    "Stratum",
    "Verdict",
    "advise",
    "bonett_price",
    "cases_to_certify",
    "certify",
    "clopper_pearson",
    "clustered_t",
    "detectable",
    "max_t",
    "mcnemar",
    "mean_interval",
    "newcombe",
    "newcombe10",
    "neyman",
    "paired_interval",
    "paired_t",
    "ppi_difference",
    "ppi_rate",
    "sample_size",
    "sign_flip",
    "sign_flip_interval",
    "sign_flip_p",
    "strata",
    "t_interval",
    "variance_components",
    "wilson",
]
