"""ChatModel: the one protocol between Assay and anything that generates text.

A wrapper around a ChatModel (cache, budget, retry) is itself a ChatModel. The contract test in
`tests/contracts/test_chat_models.py` runs on every adapter and wrapper.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked of a model.

    `max_tokens` caps the output, reasoning included. `schema` is a JSON schema the output must
    match. `top_logprobs` asks for that many alternatives per token where the server has them.
    `lenient` hands a reply that does not match `schema` back as it is, where otherwise `Garbled` is
    raised: for callers that read replies themselves, and want them counted and cached.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 256
    temperature: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    top_logprobs: int | None = None
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens in disjoint buckets: their sum is everything, nothing is counted twice."""

    uncached: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def input(self) -> int:
        """Prompt tokens, cached or not."""
        return self.uncached + self.cache_read + self.cache_write

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.output + self.reasoning

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.uncached + other.uncached,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
            self.output + other.output,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A generated token, its natural-log probability and the alternatives the server gave."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


FinishReason = Literal["stop", "length", "content_filter", "other"]


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back: the whole text, why it ended, what it used and how long it took."""

    text: str
    finish_reason: FinishReason
    usage: Usage
    model: str
    logprobs: tuple[TokenLogprob, ...] = ()
    latency_ms: float = 0.0
    ttft_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed completion; the last one carries the whole `completion`."""

    text: str
    completion: Completion | None = None


@runtime_checkable
class ChatModel(Protocol):
    """Generates text.

    `window` is the context window in tokens, prompt and output together. `digest` names the exact
    weights or remote model, for the subject of a run. `provider` is the key for prices
    (`embedded` costs nothing).
    """

    name: str
    provider: str
    digest: str
    window: int

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer. Raises `Upstream` errors, `BadInput` where the prompt exceeds the window."""
        ...

    def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """The answer in pieces. Closing the iterator (or cancelling the task) stops generation."""
        ...

    async def count(self, messages: Sequence[Message]) -> int:
        """Prompt tokens of `messages` with the model's template; exact when `counts_exactly`, else
        an upper bound that the packer may rely on."""
        ...

    @property
    def counts_exactly(self) -> bool:
        """True when `count` uses the model's own tokenizer."""
        ...

    async def aclose(self) -> None:
        """Free what the model holds. Safe to call twice."""
        ...
