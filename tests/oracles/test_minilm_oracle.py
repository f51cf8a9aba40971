"""The hand-built ONNX graph against a plain numpy forward pass of BERT (Devlin et al. 2019, post-norm, exact GELU)."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.special import erf, softmax

from assay.models import minilm_graph
from assay.models.minilm import quantised_graph
from assay.models.onnx_threads import open_session
from assay.models.pinned import MINILM
from assay.models.weights import fetch, verified

Array = NDArray[np.float64]
HEADS = 12


@pytest.fixture(scope="module")
def folder() -> Path:
    return fetch(MINILM)


def normalised(x: Array, tensors: dict[str, Array], name: str) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + 1e-12) * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def dense(x: Array, tensors: dict[str, Array], name: str) -> Array:
    return x @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


def forward(ids: list[int], tensors: dict[str, Array]) -> Array:
    words, positions, types = (
        tensors[f"embeddings.{part}_embeddings.weight"] for part in ("word", "position", "token_type")
    )
    x = normalised(words[ids] + positions[: len(ids)] + types[0], tensors, "embeddings.LayerNorm")
    for i in range(6):
        layer = f"encoder.layer.{i}"
        q, k, v = (
            dense(x, tensors, f"{layer}.attention.self.{part}").reshape(len(ids), HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        attention = softmax(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]), axis=-1) @ v
        joined = attention.swapaxes(0, 1).reshape(len(ids), -1)
        x = normalised(
            x + dense(joined, tensors, f"{layer}.attention.output.dense"),
            tensors,
            f"{layer}.attention.output.LayerNorm",
        )
        wide = dense(x, tensors, f"{layer}.intermediate.dense")
        wide = wide * (1 + erf(wide / np.sqrt(2))) / 2
        x = normalised(x + dense(wide, tensors, f"{layer}.output.dense"), tensors, f"{layer}.output.LayerNorm")
    pooled = x.mean(0)
    return np.asarray(pooled / np.linalg.norm(pooled))


def test_the_graph_computes_bert_and_int8_stays_near(folder: Path, tmp_path: Path) -> None:
    weights = verified(folder, MINILM.members[0])
    tensors = {name: value.astype(np.float64) for name, value in load_file(weights).items()}
    minilm_graph.build(weights, tmp_path / "full.onnx")
    full = open_session(tmp_path / "full.onnx", hint="", skip=minilm_graph.FUSIONS_TO_SKIP)
    int8 = open_session(quantised_graph(folder), hint="", skip=minilm_graph.FUSIONS_TO_SKIP)
    source = np.random.default_rng(3)
    cosines = []
    for length in (2, 3, 17, 64, 256):
        ids = [101, *source.integers(1000, 30000, length - 2), 102]
        expected = forward(ids, tensors)
        feed = {"input_ids": np.array([ids])}
        np.testing.assert_allclose(full.run(None, feed)[0][0], expected, atol=2e-5)
        cosines.append(float(int8.run(None, feed)[0][0] @ expected))
    assert min(cosines) > 0.97
    assert np.mean(cosines) > 0.985
