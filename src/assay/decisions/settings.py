"""Settings of the decisions room."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DecisionSettings(BaseModel):
    """How `assay try` and `assay gate` decide. All of it is fixed and hashed before the first result of a decision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metric: str = Field(
        "auto",
        description="metric decided on; auto: answer_contained where cases have answers, else evidence_recall@5",
    )
    objective: Literal["better", "not_worse"] = Field(
        "better", description="what a candidate has to show: better, or not_worse (then it must be shown cheaper too)"
    )
    alpha: float = Field(
        0.05, gt=0, lt=0.5, description="evidence budget of a question set: the chance of any wrong promotion on it"
    )
    beta: float = Field(0.05, gt=0, lt=0.5, description="chance to drop a candidate that gains what matters")
    margin: float = Field(0.02, gt=0, lt=1, description="how much worse still counts as not worse, in units of score")
    smallest: float = Field(0.05, gt=0, lt=1, description="smallest gain that matters, in units of score")
    cost_ratio: float = Field(
        0.0,
        ge=0,
        description="largest accepted ratio of cost an answer, candidate to incumbent; 0: reported, not judged",
    )
    latency_ratio: float = Field(
        0.0, ge=0, description="largest accepted ratio of p95 latency, candidate to incumbent; 0: reported, not judged"
    )
    dev_share: float = Field(0.3, gt=0, lt=1, description="share of a set's clusters kept for looking at and tuning on")
    dev_questions: int = Field(
        20, ge=0, le=1000, description="dev questions both answer after a verdict, to read what changed; 0: none"
    )
    looks: int = Field(4, ge=1, le=20, description="looks at the evidence where questions come in few clusters")
