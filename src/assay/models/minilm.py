"""The embedded embedder: all-MiniLM-L6-v2, int8, on onnxruntime.

One text per run and one run per core at a time, each on a single thread: a text's vector depends on nothing but the
text, whatever is embedded beside it and however many cores there are, and no speed is lost against batches. Proved by
`tests/properties/test_embedder.py`.

Passages and queries have their own threads: a question asked during an ingest does not wait behind its passages.
"""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.models import minilm_graph
from assay.models.embedder import Kind, TokenVectors, Vectors
from assay.models.onnx_threads import open_session, run_each
from assay.models.pinned import MINILM
from assay.models.weights import Progress, derived, fetch, verified
from assay.models.wellformed import well_formed

MAX_TOKENS = 256

_CLS, _SEP = 101, 102
# A vector sees 256 word pieces, which never reach this far unless a text opens with a page of blanks.
_MAX_CHARACTERS = 100_000
_REMEMBERED = 256  # texts, each 0.2 MB at most
# Long texts are tokenised in blocks cut at white space, which no token crosses, so memory stays flat.
_BLOCK_CHARACTERS = 50_000


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Token vectors in half the memory. New ones are rounded too, so what is remembered never changes a result."""

    tokens: NDArray[np.float16]
    spans: tuple[tuple[int, int], ...]
    vector: NDArray[np.float32]


class MiniLMEmbedder:
    """Embeds in this process. Make one with `load`; call `aclose` to free its threads."""

    name = "all-MiniLM-L6-v2"
    dimensions = minilm_graph.DIMENSIONS
    max_tokens = MAX_TOKENS

    def __init__(self, graph: Path, tokenizer: Path, *, threads: int = 0) -> None:
        """Load the int8 `graph` and its tokenizer. Takes about 0.1 s."""
        from tokenizers import Tokenizer

        self.digest = f"{minilm_graph.RECIPE}:{MAX_TOKENS}:{MINILM.members[0].sha256[:16]}"
        self._threads = threads or os.cpu_count() or 1
        hint = "Delete that file: it is made again at the next start."
        self._session = open_session(graph, hint=hint, skip=minilm_graph.FUSIONS_TO_SKIP)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True  # "[SEP]" in a document is text, not a command
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._looking = threading.Lock()
        self._passages = ThreadPoolExecutor(self._threads, thread_name_prefix="embed")
        self._queries = ThreadPoolExecutor(self._threads, thread_name_prefix="embed-query")

    @classmethod
    def load(cls, *, threads: int = 0, cache: Path | None = None, progress: Progress | None = None) -> "MiniLMEmbedder":
        """Fetch, build and quantise what is missing, verify, load. Blocks: 5 s once after the fetch, then 0.2 s."""
        folder = fetch(MINILM, cache=cache, progress=progress)
        graph = quantised_graph(folder)
        return cls(graph, verified(folder, MINILM.members[1]), threads=threads)

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Unit-norm float32 vectors, shape (len(texts), 384), in order. Each sees the first 256 word pieces."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        pool = self._queries if kind == "query" else self._passages

        def embed_one(i: int) -> None:
            vectors[i] = self._vector(texts[i])

        await run_each(pool, embed_one, count=len(texts), workers=self._threads)
        return vectors

    async def embed_tokens(self, texts: Sequence[str], *, kind: Kind = "passage") -> list[TokenVectors]:
        """Vectors of every token the text's vector is made from, and that vector itself, in order.

        The last `_REMEMBERED` texts are remembered: questions on one topic find the same passages again.
        """
        found: dict[int, TokenVectors] = {}
        pool = self._queries if kind == "query" else self._passages

        def embed_one(i: int) -> None:
            found[i] = self._token_vectors(texts[i])

        await run_each(pool, embed_one, count=len(texts), workers=self._threads)
        return [found[i] for i in range(len(texts))]

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the word pieces of `text`, in order, without special tokens or truncation."""
        spans: list[tuple[int, int]] = []
        for start, block in _blocks(well_formed(text)):
            offsets = self._tokenizer.encode(block, add_special_tokens=False).offsets
            spans += [(start + a, start + b) for a, b in offsets] if start else offsets
        return spans

    async def aclose(self) -> None:
        """Stop the threads. Safe to call twice."""
        for pool in (self._passages, self._queries):
            pool.shutdown(wait=False, cancel_futures=True)

    def _vector(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._session.run(["sentence_embedding"], {"input_ids": self._ids(text)[0]})[0][0]
        return vector

    def _token_vectors(self, text: str) -> TokenVectors:
        with self._looking:
            seen = self._seen.get(text)
            if seen is not None:
                self._seen.move_to_end(text)
        if seen is None:
            seen = self._see(text)
            with self._looking:
                self._seen[text] = seen
                while len(self._seen) > _REMEMBERED:
                    self._seen.popitem(last=False)
        return TokenVectors(_unit(seen.tokens.astype(np.float32)), seen.spans, seen.vector)

    def _see(self, text: str) -> "_Seen":
        ids, spans = self._ids(text)
        vector, states = self._session.run(["sentence_embedding", "token_states"], {"input_ids": ids})
        tokens = _unit(states[0, 1:-1])  # without the two special tokens
        return _Seen(tokens.astype(np.float16), tuple(spans), vector[0])

    def _ids(self, text: str) -> tuple[NDArray[np.int64], list[tuple[int, int]]]:
        """What the graph reads, and the characters each piece but the two special ones stands for."""
        encoded = self._tokenizer.encode(well_formed(text[:_MAX_CHARACTERS]), add_special_tokens=False)
        most = MAX_TOKENS - 2
        return np.array([[_CLS, *encoded.ids[:most], _SEP]], dtype=np.int64), encoded.offsets[:most]


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def quantised_graph(folder: Path) -> Path:
    """The int8 graph in `folder`, made from its safetensors when it is missing or damaged."""
    weights = MINILM.members[0]

    def make(target: Path) -> None:
        full = target.with_suffix(".fp32.onnx")
        minilm_graph.build(verified(folder, weights), full)
        minilm_graph.quantise(full, target)

    sources = {weights.name: weights.sha256}
    return derived(folder, "minilm-int8.onnx", recipe=minilm_graph.RECIPE, sources=sources, make=make)


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """`text` in (start, block) pairs, cut after white space where there is any."""
    start = 0
    while len(text) - start > _BLOCK_CHARACTERS:
        end = start + _BLOCK_CHARACTERS
        cut = next((i for i in range(end, start, -1) if text[i - 1].isspace()), end)
        yield start, text[start:cut]
        start = cut
    yield start, text[start:]
