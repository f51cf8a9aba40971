"""What a decision asks, complete and hashed before the first result: nothing of it can be chosen afterwards.

Invariant: the digest covers everything that could be bent once results are known: systems, cases and their order, the
metric, the rule, error rates, margins. A candidate that is edited is another hypothesis.
Proved by `tests/unit/decisions/test_hypothesis.py`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Objective = Literal["better", "not_worse"]
RuleName = Literal["exact-horizon", "betting", "cluster-looks"]


@dataclass(frozen=True, slots=True)
class Named:
    """A system as a decision names it: what people call it, and what names its behaviour (see `evals.run_spec`)."""

    name: str
    subject: str | None
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Margins:
    """What is allowed and what matters, stated before the run.

    `margin`: how much worse in the score still counts as not worse (in the unit of the score, 0.02 is two points).
    `smallest`: the smallest gain that matters; a candidate shown to gain less is NOT_BETTER.
    `cost_ratio` and `latency_ratio`: the largest ratio candidate/incumbent of mean cost an answer and of p95 latency
    that is accepted; None: that side is reported, not judged.
    """

    margin: float = 0.02
    smallest: float = 0.05
    cost_ratio: float | None = None
    latency_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One question to the evidence: is `candidate` better than `incumbent` (or not worse by more than the margin)?

    `set_digest` names the confirm cases in the very order they are folded, `order_digest` that order; `items` counts
    them and `clusters` the units they come in (None where each stands alone). `alpha` bounds the chance to promote what
    should not be, `beta` that of dropping a candidate that gains `smallest`. `horizon` counts discordant pairs
    (exact-horizon); `looks` are the numbers of clusters at which the evidence is looked at (cluster-looks).
    """

    set_name: str
    season: int
    set_digest: str
    order_digest: str
    items: int
    clusters: int | None
    metric: str
    incumbent: Named
    candidate: Named
    scorers: tuple[str, ...]
    objective: Objective
    rule: RuleName
    alpha: float
    beta: float
    margins: Margins
    horizon: int | None = None
    looks: tuple[int, ...] = ()
    replicas: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of all of it."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    @property
    def question_digest(self) -> str:
        """SHA-256 (hex) of what is asked: systems, set of cases, metric, scorers, objective and margins.

        Not of how it is answered (season, alpha, order, rule), so that asking the same again finds the same decision.
        """
        names = "set_name metric incumbent candidate scorers objective margins replicas"
        asked = {name: self.as_json()[name] for name in names.split()}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """As kept in the ledger; `hypothesis_from` reads it back."""
        return {**asdict(self), "scorers": list(self.scorers), "looks": list(self.looks), "extra": dict(self.extra)}

    def sentence(self) -> str:
        """The hypothesis in words, with its error rates."""
        what = (
            f"{self.candidate.name} scores higher than {self.incumbent.name} in {self.metric}"
            if self.objective == "better"
            else f"{self.candidate.name} scores no more than {self.margins.margin:g} below {self.incumbent.name} "
            f"in {self.metric}"
        )
        units = f"{self.items:,} questions" + (f" in {self.clusters:,} clusters" if self.clusters is not None else "")
        return f"{what}, on {units} like these; wrongly said with probability at most {self.alpha:.3g}."


def hypothesis_from(shape: Mapping[str, Any]) -> Hypothesis:
    """The hypothesis `as_json` wrote."""
    return Hypothesis(
        **{
            **shape,
            "incumbent": Named(**shape["incumbent"]),
            "candidate": Named(**shape["candidate"]),
            "margins": Margins(**shape["margins"]),
            "scorers": tuple(shape["scorers"]),
            "looks": tuple(shape["looks"]),
        }
    )
