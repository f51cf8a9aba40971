"""Assay's embedding weights for peers: the same ONNX file, read by onnxruntime alone, one text a run on one thread.

The vectors are those of `assay.models.minilm`; the peer's own environment needs onnxruntime, tokenizers and numpy.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

MAX_TOKENS, CLS, SEP = 256, 101, 102


class MiniLM:
    """`texts` counts how many texts were embedded."""

    dimensions = 384

    def __init__(self, folder: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        graph = folder / "minilm-int8.onnx"
        self._session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.texts = 0

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit-norm vectors, shape (len(texts), 384)."""
        self.texts += len(texts)
        return np.vstack([self._one(text) for text in texts])

    def _one(self, text: str) -> NDArray[np.float32]:
        ids = self._tokenizer.encode(text, add_special_tokens=False).ids[: MAX_TOKENS - 2]
        given = {"input_ids": np.array([[CLS, *ids, SEP]], dtype=np.int64)}
        vector: NDArray[np.float32] = self._session.run(["sentence_embedding"], given)[0][0]
        return vector
