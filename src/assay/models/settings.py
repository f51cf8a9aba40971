"""Settings of the models room."""

from pydantic import BaseModel, ConfigDict, Field


class ModelSettings(BaseModel):
    """Which models are used. `embedded` runs in this process; anything else is a model name for
    the OpenAI-compatible server at `base_url`. Keys come from the environment, never from a file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chat: str = Field(
        "embedded",
        description="chat model: embedded, none, or a model name at chat_base_url; loaded only where answers use it",
    )
    chat_base_url: str = Field("https://api.openai.com/v1", description="OpenAI-compatible server for chat")
    chat_key_env: str = Field("OPENAI_API_KEY", description="environment variable that holds the chat key")
    chat_window: int = Field(8192, ge=256, description="context window of a remote chat model, in tokens")
    chat_provider: str = Field(
        "", description="price table provider (openai, anthropic, ...); empty: guessed from the model name"
    )
    embedder: str = Field("embedded", description="embedder: embedded, or a model name at embedder_base_url")
    embedder_base_url: str = Field("https://api.openai.com/v1", description="OpenAI-compatible server for embeddings")
    embedder_key_env: str = Field("OPENAI_API_KEY", description="environment variable that holds the embedder key")
    embedder_max_tokens: int = Field(512, ge=16, description="tokens of a text that a remote embedder sees")
    reranker: str = Field(
        "none",
        description="reranker: none, judge (the chat model), or a folder or hub name of an ONNX cross-encoder",
    )
    timeout_seconds: float = Field(60.0, gt=0, description="longest wait for a model's answer")
    connect_timeout_seconds: float = Field(5.0, gt=0, description="longest wait for a connection")
    max_retries: int = Field(2, ge=0, le=10, description="retries on 429, 5xx and timeouts, honouring Retry-After")
    threads: int = Field(0, ge=0, description="CPU threads for embedded models; 0: all cores")
