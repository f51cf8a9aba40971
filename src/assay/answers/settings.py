"""Settings of the answers room."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class AnswerSettings(BaseModel):
    """How a question is answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    style: Literal["quote", "write", "auto"] = Field(
        "auto",
        description="quote: verbatim sentences; write: the model writes; auto: write unless the model is embedded",
    )
    sentences: int = Field(2, ge=1, le=10, description="most sentences an answer by quoting holds")
    decline_below: float = Field(
        0.5, ge=0, le=1, description="quoting: decline when the estimated probability of an answer is lower"
    )
    max_tokens: int = Field(400, ge=1, description="longest answer a model may write, in its tokens")
    instructions: str = Field("", description="added to the instructions of a writing model")
    phrase: bool = Field(
        False,
        description="quoting: put a phrase by the model first where the check supports it; off, because the embedded "
        "model's passed the check for one question in six (LOG.md)",
    )
