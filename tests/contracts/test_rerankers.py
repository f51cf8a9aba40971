"""What every Reranker promises, on every adapter in the catalogue; the cross-encoder is a tiny one made here."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from assay.errors import AssayError, BadSetting, Corrupt, Garbled, NotFound
from assay.models.catalogue import reranker as by_setting
from assay.models.chat import ChatRequest
from assay.models.reranker import Reranker
from assay.models.rerankers import CrossEncoderReranker, JudgeReranker
from assay.models.scripted import ScriptedChat, ScriptedReranker
from assay.models.settings import ModelSettings

QUESTION = "Which bridge is oldest?"
TEXTS = ["Bread needs flour.", "The oldest bridge is stone.", "A bridge.", "", "lone \ud83d surrogate"]


def tiny_cross_encoder(folder: Path, *, labels: int = 1) -> Path:
    """A cross-encoder whose logit counts the words `oldest` and `bridge` in the text, not in the question."""
    vocabulary = {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "oldest": 3, "bridge": 4}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.enable_padding(length=64)
    tokenizer.save(str(folder / "tokenizer.json"))
    weights = np.zeros((5, labels), dtype=np.float32)
    weights[3:, -1] = 1
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["each"], axis=0),
        helper.make_node("Cast", ["token_type_ids"], ["types"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["types", "last"], ["mask"]),
        helper.make_node("Mul", ["each", "mask"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "one"], ["logits"], keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "one"),
    ]
    shape = ["batch", "tokens"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "token_type_ids")]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])
    graph = helper.make_graph(nodes, "tiny", inputs, [output], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    return folder


def graded(request: ChatRequest) -> str:
    passage = request.messages[-1].content.partition("Passage:")[2]
    return json.dumps({"grade": 3 if "oldest" in passage else 1 if "bridge" in passage else 0})


@pytest.fixture(params=["scripted", "judge", "cross-encoder"])
async def reranker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reranker]:
    made: Reranker
    if request.param == "scripted":
        made = ScriptedReranker()
    elif request.param == "judge":
        made = JudgeReranker(ScriptedChat(graded))
    else:
        made = CrossEncoderReranker(tiny_cross_encoder(tmp_path))
    yield made
    await made.aclose()
    await made.aclose()


async def test_it_is_a_reranker(reranker: Reranker) -> None:
    assert isinstance(reranker, Reranker)
    assert reranker.name
    assert reranker.digest


async def test_scores_are_in_order_and_the_best_text_is_highest(reranker: Reranker) -> None:
    scores = await reranker.score(QUESTION, TEXTS)
    assert scores.shape == (len(TEXTS),)
    assert scores.dtype == np.float64
    assert scores.argmax() == 1
    assert scores[2] > scores[0]


async def test_a_score_does_not_depend_on_the_texts_beside_it(reranker: Reranker) -> None:
    together = await reranker.score(QUESTION, TEXTS)
    alone = [float((await reranker.score(QUESTION, [text]))[0]) for text in TEXTS]
    assert together.tolist() == alone


async def test_no_texts_give_no_scores(reranker: Reranker) -> None:
    assert (await reranker.score(QUESTION, [])).shape == (0,)


async def test_a_cross_encoder_gives_its_logit_or_the_last_labels_log_probability(tmp_path: Path) -> None:
    one = CrossEncoderReranker(tiny_cross_encoder(tmp_path))
    assert (await one.score("oldest oldest", ["oldest bridge x"])).tolist() == [2.0]
    await one.aclose()
    two = CrossEncoderReranker(tiny_cross_encoder(tmp_path, labels=2))
    score = (await two.score(QUESTION, ["oldest bridge"]))[0]
    assert score == pytest.approx(2 - np.log(1 + np.exp(2)))
    await two.aclose()


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not hold a cross-encoder"):
        CrossEncoderReranker(tmp_path)


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    model = tiny_cross_encoder(tmp_path) / "model.onnx"
    model.write_bytes(model.read_bytes()[:40])
    with pytest.raises(Corrupt, match=r"model\.onnx"):
        CrossEncoderReranker(tmp_path)


@pytest.mark.parametrize("reply", ["nonsense", '{"grade": 7}', '{"grade": "high"}', "[1]"])
async def test_a_judge_that_gives_no_grade_is_garbled(reply: str) -> None:
    with pytest.raises(Garbled):
        await JudgeReranker(ScriptedChat([reply])).score(QUESTION, ["text"])


async def test_a_judge_reads_as_much_of_a_long_text_as_fits() -> None:
    chat = ScriptedChat(graded, window=400)
    scores = await JudgeReranker(chat).score(QUESTION, ["the oldest bridge " + "and words " * 5000])
    assert scores.tolist() == [3.0]
    assert await chat.count(chat.requests[0].messages) <= 400


async def test_one_failing_call_fails_the_whole(tmp_path: Path) -> None:
    chat = ScriptedChat([NotFound("gone"), *['{"grade": 1}'] * 9])
    with pytest.raises(AssayError, match="gone"):
        await JudgeReranker(chat, calls_at_once=2).score(QUESTION, ["text"] * 10)


def test_the_setting_names_each_kind(tmp_path: Path) -> None:
    chat = ScriptedChat([])
    folder = tiny_cross_encoder(tmp_path)
    assert by_setting(ModelSettings(reranker="none"), chat) is None
    assert isinstance(by_setting(ModelSettings(reranker="judge"), chat), JudgeReranker)
    assert isinstance(by_setting(ModelSettings(reranker=str(folder)), None), CrossEncoderReranker)
    with pytest.raises(BadSetting):
        by_setting(ModelSettings(reranker="judge"), None)
    with pytest.raises(BadSetting, match="no folder"):
        by_setting(ModelSettings(reranker=str(tmp_path / "missing")), chat)
