"""Settings of the evals room."""

from pydantic import BaseModel, ConfigDict, Field


class EvalSettings(BaseModel):
    """How `assay eval` measures. The judge's key comes from the environment, never from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    metrics: str = Field(
        "auto",
        description="metrics separated by commas, or auto: everything that needs no judge and applies to the cases",
    )
    judge: str = Field(
        "", description="model that judges: embedded, or a model name at judge_base_url; empty: the chat model"
    )
    judge_base_url: str = Field("", description="OpenAI-compatible server of the judge; empty: models.chat_base_url")
    judge_key_env: str = Field(
        "", description="environment variable that holds the judge's key; empty: models.chat_key_env"
    )
    judge_window: int = Field(32768, ge=1024, description="context window of a remote judge, in tokens")
    criterion: str = Field(
        "The answer is correct, answers the whole question, and says nothing that was not asked.",
        description="what g_eval judges, in a sentence",
    )
    against: str = Field(
        "", description="run whose answers pairwise judges against; empty: the reference answers of the cases"
    )
    replicas: int = Field(1, ge=1, le=100, description="times each question is asked; averaged within the case first")
    concurrency: int = Field(8, ge=1, le=1000, description="questions asked at once; the provider's pace may lower it")
    timeout_seconds: float = Field(300.0, gt=0, description="longest wait for one answer and for its judges, each")
