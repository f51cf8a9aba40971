"""Settings of the index room."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class IndexSettings(BaseModel):
    """How passages are found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["lexical", "dense", "fused"] = Field(
        default="fused", description="lexical (BM25), dense (vectors), or fused"
    )
    k: int = Field(default=8, ge=1, le=1000, description="passages per question")
    candidates: int = Field(default=100, ge=1, le=10_000, description="passages each side gives to fusion")
    fusion: Literal["weighted", "rrf"] = Field(
        default="weighted", description="a weighted sum of scaled scores, or reciprocal rank fusion"
    )
    rrf_k: int = Field(default=60, ge=1, description="constant of reciprocal rank fusion")
    dense_weight: float = Field(
        default=0.6, ge=0, le=1, description="weight of the dense side in fusion; the lexical side has the rest"
    )
    language: str = Field(default="english", description="stemmer of the lexical index")
    rerank: int = Field(
        default=0, ge=0, le=200, description="hits re-scored by the reranker before the cut to k; 0: off"
    )
