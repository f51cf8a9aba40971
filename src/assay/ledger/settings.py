"""Settings of the ledger room."""

from pydantic import BaseModel, ConfigDict, Field


class LedgerSettings(BaseModel):
    """What is recorded of every request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    record_content: bool = Field(
        True, description="keep questions, prompts and answers in the trace; false: only sizes and timings"
    )
    keep_days: int = Field(0, ge=0, description="days a trace is kept; 0: for ever")
