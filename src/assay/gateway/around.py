"""What every wrapper passes through: names, digests, counting and closing are those of what it wraps."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from assay.models.chat import ChatModel, ChatRequest, Completion, Delta, Message
from assay.models.embedder import Embedder, Kind, TokenEmbedder, TokenVectors, Vectors


class AroundChat:
    """A ChatModel around a ChatModel that changes nothing yet."""

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.name, self.provider, self.digest, self.window = model.name, model.provider, model.digest, model.window

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer."""
        return await self._model.complete(request)

    def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """The answer in pieces."""
        return self._model.stream(request)

    async def count(self, messages: Sequence[Message]) -> int:
        """Prompt tokens, as the model counts them."""
        return await self._model.count(messages)

    @property
    def counts_exactly(self) -> bool:
        """As the model does."""
        return self._model.counts_exactly

    async def aclose(self) -> None:
        """Close the model."""
        await self._model.aclose()


class AroundEmbedder:
    """An Embedder around an Embedder that changes nothing yet; a TokenEmbedder exactly where the inner one is."""

    embed_tokens: Callable[..., object]

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.name, self.digest = embedder.name, embedder.digest
        self.dimensions, self.max_tokens = embedder.dimensions, embedder.max_tokens
        self.provider: str = getattr(embedder, "provider", "unknown")
        if isinstance(embedder, TokenEmbedder):
            # Only then, so that whoever asks for a TokenEmbedder is told the truth.
            self.embed_tokens = self._embed_tokens
            self._token_embedder: TokenEmbedder = embedder

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Unit-norm float32 vectors, shape (len(texts), dimensions), in order."""
        return await self._embedder.embed(texts, kind=kind)

    async def _embed_tokens(self, texts: Sequence[str], *, kind: Kind = "passage") -> list[TokenVectors]:
        return await self._token_embedder.embed_tokens(texts, kind=kind)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """As the embedder sees them."""
        return self._embedder.token_spans(text)

    async def aclose(self) -> None:
        """Close the embedder."""
        await self._embedder.aclose()


def closing(stream: AsyncIterator[Delta]) -> contextlib.aclosing[AsyncIterator[Delta]]:  # type: ignore[type-var]
    """Closes a model's stream at the end of a `with`, so that generation stops there."""
    return contextlib.aclosing(stream)  # type: ignore[type-var]
