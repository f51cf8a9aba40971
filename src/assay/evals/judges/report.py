"""What a check of a judge found: the figures and the words, in a form that is kept and shown."""

from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from assay.evals.judges.verdict import Uses
from assay.evals.scorer import Instrument
from assay.stats.agreement import Confusion
from assay.stats.interval import Interval


@dataclass(frozen=True, slots=True)
class ArmRates:
    """How the judge does on one arm's answers: the share of good ones it calls good, and of bad ones it calls bad.

    NaN, by the method "undefined", where the arm has none of them.
    """

    arm: str
    n: int
    sensitivity: Interval
    specificity: Interval


@dataclass(frozen=True, slots=True)
class ErrorGap:
    """Whether the judge errs on one arm as on the rest: `gap` is the arm's rate minus the rest's.

    `p` is adjusted for all such comparisons (Holm); `differs` where it is at most the report's alpha.
    """

    rate: str
    arm: str
    gap: Interval
    p: float
    differs: bool


@dataclass(frozen=True, slots=True)
class PositionBias:
    """Of pairs judged in both orders: how many verdicts hold (`consistent`), and how far the first place is favoured.

    `lean` is .5 for a judge without a favourite place, 1 for one that always takes the first.
    """

    pairs: int
    consistent: Interval
    lean: Interval


@dataclass(frozen=True, slots=True)
class LengthBand:
    """A third of the cases by length: the judge's mean, people's mean, and the judge's excess with its interval."""

    shortest: float
    longest: float
    n: int
    judge: float
    human: float
    excess: Interval


@dataclass(frozen=True, slots=True)
class LengthBias:
    """Thirds by length, and how much more the judge overrates the longest third than the shortest."""

    bands: tuple[LengthBand, ...]
    slope: Interval


@dataclass(frozen=True, slots=True)
class HumanAgreement:
    """How far people agree with each other: the ceiling. `kappa` is the mean over pairs of people, NaN
    where none varies."""

    cases: int
    people: int
    kappa: float
    alpha: float


@dataclass(frozen=True, slots=True)
class Report:
    """What `judge check` found. `key` names the instrument; `saves` is phi^2, the largest share of labels it can save.

    `n` counts labels, `failed` those without a verdict, `ties` those the judge or people left open; `table` holds the
    rest. `agreement_bounds` counts failed ones as all wrong and all right. `cost_usd` None: unknown or unpriced.
    """

    key: str
    n: int
    failed: int
    ties: int
    clusters: int
    threshold: float
    base_rate: Interval
    table: Confusion
    share: Interval
    agreement_bounds: tuple[float, float]
    kappa: Interval
    ac1: Interval
    phi: Interval
    rho: Interval
    auroc: Interval
    saves: float
    arms: tuple[ArmRates, ...]
    gaps: tuple[ErrorGap, ...]
    position: PositionBias | None
    length: LengthBias | None
    human: HumanAgreement | None
    calls: int
    cost_usd: float | None
    uses: Uses
    verdict: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As kept and shown: limits without a bound are null."""
        shape: dict[str, Any] = _finite(asdict(self))
        return shape


def judge_key(instrument: Instrument) -> str:
    """One text for an instrument: name, prompt digests, model. Another prompt or model is another instrument."""
    digests = ",".join(digest for _, digest in sorted(instrument.prompts.items()))
    return f"{instrument.name}@{digests}@{instrument.model}"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
