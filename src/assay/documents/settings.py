"""Settings of the documents room."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

CutName = Literal["tokens", "recursive", "sentences", "headings", "semantic"]


class DocumentSettings(BaseModel):
    """How documents are read and cut. Sizes are in tokens of the embedder in use."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cut: CutName = Field("headings", description="how text is cut: tokens, recursive, sentences, headings, semantic")
    size: int = Field(200, ge=16, le=8192, description="largest passage, in tokens of the embedder")
    overlap: int = Field(0, ge=0, le=4096, description="tokens repeated from the passage before (tokens and sentences)")
    max_file_mb: int = Field(100, ge=1, description="files larger than this are reported and skipped")
    max_text_mb: int = Field(64, ge=1, description="documents whose extracted text is larger are reported and skipped")
    max_seconds: float = Field(120, gt=0, description="documents that take longer to read are reported and skipped")
