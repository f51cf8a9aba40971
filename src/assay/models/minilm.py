"""The embedded embedder: all-MiniLM-L6-v2, int8, on onnxruntime.

One text per run and one run per core at a time, each on a single thread: a text's vector depends on nothing but the
text, whatever is embedded beside it and however many cores there are, and no speed is lost against batches. Proved by
`tests/properties/test_embedder.py`.

Passages and queries have their own threads: a question asked during an ingest does not wait behind its passages.
"""

import asyncio
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.errors import Corrupt
from assay.models import minilm_graph
from assay.models.embedder import Kind, Vectors
from assay.models.pinned import MINILM
from assay.models.weights import Progress, derived, fetch, verified
from assay.models.wellformed import well_formed

MAX_TOKENS = 256

_CLS, _SEP = 101, 102
# A vector sees 256 word pieces, which never reach this far unless a text opens with a page of blanks.
_MAX_CHARACTERS = 100_000
# Long texts are tokenised in blocks cut at white space, which no token crosses, so memory stays flat.
_BLOCK_CHARACTERS = 50_000


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
        self._session = _session(graph)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._tokenizer.encode_special_tokens = True  # "[SEP]" in a document is text, not a command
        self._passages = ThreadPoolExecutor(self._threads, thread_name_prefix="embed")
        self._queries = ThreadPoolExecutor(1, thread_name_prefix="embed-query")

    @classmethod
    def load(cls, *, threads: int = 0, cache: Path | None = None, progress: Progress | None = None) -> "MiniLMEmbedder":
        """Fetch, build and quantise what is missing, verify, load. Blocks: 5 s once after the fetch, then 0.2 s."""
        folder = fetch(MINILM, cache=cache, progress=progress)
        graph = quantised_graph(folder)
        return cls(graph, verified(folder, MINILM.members[1]), threads=threads)

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Unit-norm float32 vectors, shape (len(texts), 384), in order. Each sees the first 256 word pieces."""
        vectors = np.empty((len(texts), self.dimensions), dtype=np.float32)
        pool, workers = (self._queries, 1) if kind == "query" else (self._passages, min(self._threads, len(texts)))
        todo, stop = _Countdown(len(texts)), threading.Event()

        def work() -> None:
            for i in todo:
                if stop.is_set():
                    return
                vectors[i] = self._embed_one(texts[i])

        loop = asyncio.get_running_loop()
        running = [loop.run_in_executor(pool, work) for _ in range(workers)]
        try:
            await asyncio.gather(*running)
        finally:
            stop.set()
        return vectors

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

    def _embed_one(self, text: str) -> NDArray[np.float32]:
        pieces = self._tokenizer.encode(well_formed(text[:_MAX_CHARACTERS]), add_special_tokens=False).ids
        ids = np.array([[_CLS, *pieces[: MAX_TOKENS - 2], _SEP]], dtype=np.int64)
        vector: NDArray[np.float32] = self._session.run(None, {"input_ids": ids})[0][0]
        return vector


def quantised_graph(folder: Path) -> Path:
    """The int8 graph in `folder`, made from its safetensors when it is missing or damaged."""
    weights = MINILM.members[0]

    def make(target: Path) -> None:
        full = target.with_suffix(".fp32.onnx")
        minilm_graph.build(verified(folder, weights), full)
        minilm_graph.quantise(full, target)

    sources = {weights.name: weights.sha256}
    return derived(folder, "minilm-int8.onnx", recipe=minilm_graph.RECIPE, sources=sources, make=make)


class _Countdown:
    """Hands out 0, 1, ..., each to exactly one thread."""

    def __init__(self, end: int) -> None:
        self._next, self._end, self._lock = 0, end, threading.Lock()

    def __iter__(self) -> Iterator[int]:
        while True:
            with self._lock:
                i = self._next
                self._next += 1
            if i >= self._end:
                return
            yield i


def _session(graph: Path) -> Any:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning thread would steal a core from the chat model.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class of its own for each way a file can be bad
        raise Corrupt(
            f"onnxruntime cannot load {graph}: {error}", hint="Delete that file: it is made again at the next start."
        ) from error


def _blocks(text: str) -> Iterator[tuple[int, str]]:
    """`text` in (start, block) pairs, cut after white space where there is any."""
    start = 0
    while len(text) - start > _BLOCK_CHARACTERS:
        end = start + _BLOCK_CHARACTERS
        cut = next((i for i in range(end, start, -1) if text[i - 1].isspace()), end)
        yield start, text[start:cut]
        start = cut
    yield start, text[start:]
