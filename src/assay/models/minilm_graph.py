"""Build the ONNX graph of all-MiniLM-L6-v2 from its safetensors, without torch.

One input, `input_ids` of shape (batch, tokens). Two outputs: `sentence_embedding`, shape (batch, 384), mean-pooled and
L2-normalised inside the graph, and `token_states` of shape (batch, tokens, 384), what it was pooled from. There is no
attention mask: texts run one at a time, so nothing is ever padded. The fused `com.microsoft` operators are emitted
directly, because onnxruntime's optimiser recognises only graphs that torch exported.
`tests/oracles/test_minilm_oracle.py` checks the fp32 graph against a plain numpy forward pass.

Quantisation is int8 per output channel: per tensor (the library's default) moves vectors to cosine 0.94 of fp32, per
channel keeps 0.995. Activations are quantised from their own range in each run, so two texts in one run would change
each other's vectors: the embedder runs one text at a time.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LAYERS = 6
HEADS = 12
DIMENSIONS = 384
# Changes whenever the graph or its quantisation changes a vector; part of the embedder's digest.
RECIPE = "minilm-fused-int8-per-channel-3"
# Steps of onnxruntime's optimiser that make this graph slower.
FUSIONS_TO_SKIP = ("SkipLayerNormFusion",)

_EPSILON = 1e-12
_OPSET = 17
_MICROSOFT = "com.microsoft"

Array = NDArray[Any]


class _Graph:
    """Nodes and weights while the graph is being laid."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def weight(self, name: str, value: Array) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, domain=domain, **attributes))
        return output


def build(safetensors: Path, target: Path) -> None:
    """Write the fp32 graph for the weights in `safetensors` to `target`."""
    import onnx
    from onnx import TensorProto, helper
    from safetensors.numpy import load_file

    tensors: dict[str, Array] = load_file(safetensors)
    graph = _Graph()
    hidden = _embeddings(graph, tensors)
    for layer in range(LAYERS):
        hidden = _encoder_layer(graph, tensors, layer=layer, hidden=hidden)
    _pool(graph, hidden)
    proto = helper.make_graph(
        graph.nodes,
        "all-MiniLM-L6-v2",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "tokens"])],
        [
            helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", DIMENSIONS]),
            helper.make_tensor_value_info("token_states", TensorProto.FLOAT, ["batch", "tokens", DIMENSIONS]),
        ],
        graph.weights,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)]
    model = helper.make_model(proto, opset_imports=opsets, ir_version=8)
    # Says that shapes need no inference before quantising; without it the library warns on the root logger.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    onnx.save(model, str(target))


def quantise(source: Path, target: Path) -> None:
    """Write the int8 form of the fp32 graph `source` to `target`."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(target),
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Attention", "Gather"],
        # Shape inference cannot see through com.microsoft operators: the type of their outputs (1 is float) is given.
        extra_options={"DefaultTensorType": 1},
    )


def _embeddings(graph: _Graph, tensors: dict[str, Array]) -> str:
    """Word, position and type embeddings, summed and normalised."""
    # Every token is of type 0, so that row of the type table is added to the positions once and for all.
    positions = tensors["embeddings.position_embeddings.weight"] + tensors["embeddings.token_type_embeddings.weight"][0]
    graph.weight("words", tensors["embeddings.word_embeddings.weight"])
    graph.weight("positions", positions)
    for name, value in (("zero", [0]), ("one", [1]), ("two", [2])):
        graph.weight(name, np.array(value, dtype=np.int64))
    graph.add("Gather", ["words", "input_ids"], "embedded_words", axis=0)
    graph.add("Shape", ["input_ids"], "shape")
    graph.add("Slice", ["shape", "one", "two", "zero"], "tokens")
    graph.add("Slice", ["positions", "zero", "tokens", "zero"], "embedded_positions")
    graph.add("Add", ["embedded_words", "embedded_positions"], "embedded")
    gamma = graph.weight("embedded.gamma", tensors["embeddings.LayerNorm.weight"])
    beta = graph.weight("embedded.beta", tensors["embeddings.LayerNorm.bias"])
    return graph.add("LayerNormalization", ["embedded", gamma, beta], "hidden", axis=-1, epsilon=_EPSILON)


def _encoder_layer(graph: _Graph, tensors: dict[str, Array], *, layer: int, hidden: str) -> str:
    """Self-attention and feed-forward, each followed by bias, residual and normalisation.

    Three plain operators: the fused SkipLayerNormalization takes eight times as long on the CPU, so the session is
    opened without the optimiser's step that would fuse them again (`FUSIONS_TO_SKIP`).
    """
    theirs, ours = f"encoder.layer.{layer}", f"layer{layer}"

    def matrix(name: str) -> Array:
        return tensors[f"{theirs}.{name}.weight"].T  # torch keeps (out, in), MatMul wants (in, out)

    def bias(name: str) -> Array:
        return tensors[f"{theirs}.{name}.bias"]

    def residual(value: str, skip: str, *, name: str, dense: str, norm: str) -> str:
        biased = graph.add("Add", [value, graph.weight(f"{name}.bias", bias(dense))], f"{name}.biased")
        summed = graph.add("Add", [biased, skip], f"{name}.sum")
        gamma = graph.weight(f"{name}.gamma", tensors[f"{theirs}.{norm}.weight"])
        beta = graph.weight(f"{name}.beta", tensors[f"{theirs}.{norm}.bias"])
        return graph.add("LayerNormalization", [summed, gamma, beta], name, axis=-1, epsilon=_EPSILON)

    qkv = [f"attention.self.{part}" for part in ("query", "key", "value")]
    weight = graph.weight(f"{ours}.qkv.weight", np.concatenate([matrix(part) for part in qkv], axis=1))
    offset = graph.weight(f"{ours}.qkv.bias", np.concatenate([bias(part) for part in qkv]))
    attended = graph.add("Attention", [hidden, weight, offset], f"{ours}.attention", domain=_MICROSOFT, num_heads=HEADS)
    weight = graph.weight(f"{ours}.attention_out.weight", matrix("attention.output.dense"))
    attended = graph.add("MatMul", [attended, weight], f"{ours}.attention_out")
    dense, norm = "attention.output.dense", "attention.output.LayerNorm"
    hidden = residual(attended, hidden, name=f"{ours}.attended", dense=dense, norm=norm)

    weight = graph.weight(f"{ours}.up.weight", matrix("intermediate.dense"))
    offset = graph.weight(f"{ours}.up.bias", bias("intermediate.dense"))
    wide = graph.add("MatMul", [hidden, weight], f"{ours}.up")
    wide = graph.add("BiasGelu", [wide, offset], f"{ours}.gelu", domain=_MICROSOFT)
    weight = graph.weight(f"{ours}.down.weight", matrix("output.dense"))
    narrow = graph.add("MatMul", [wide, weight], f"{ours}.down")
    return residual(narrow, hidden, name=f"{ours}.hidden", dense="output.dense", norm="output.LayerNorm")


def _pool(graph: _Graph, hidden: str) -> None:
    """Mean over tokens, then unit length."""
    graph.add("Identity", [hidden], "token_states")
    graph.add("ReduceMean", ["token_states"], "mean", axes=[1], keepdims=0)
    graph.add("LpNormalization", ["mean"], "sentence_embedding", axis=-1, p=2)
