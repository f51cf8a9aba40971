"""The embedded model's replies are held short by schema; other judges' requests stay as they were."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from assay.evals.case import Case
from assay.evals.judges.judge import REASON_CHARACTERS, TEXT_CHARACTERS, Judge
from assay.evals.judges.prompts import BRIEF
from assay.evals.judges.ragas import ContextRecall, Faithfulness, most_statements
from assay.evals.judges.rubric import Rubric
from assay.evals.output import Output, Retrieved
from assay.models.llama import EmbeddedChat
from assay.models.scripted import ScriptedChat

PASSAGES = (
    Retrieved("d", "The bridge opened in 1932 after eight years of work, and is painted grey. It carries trains."),
)
ANSWER = (
    "The bridge opened in March 1932 after eight years of work, was painted grey because there was enough grey paint, "
    "and carries trains, cars, cyclists and people who walk."
)
CASE = Case("q1", "When was the bridge opened?", answers=("In March 1932, after eight years of work.",))
OUTPUT = Output(ANSWER, passages=PASSAGES)


def texts(schema: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every free text of a schema by the name of its property."""
    for key, value in schema.get("properties", {}).items():
        yield from texts(value, key)
    if "items" in schema:
        yield from texts(schema["items"], name)
    if schema.get("type") == "string" and "enum" not in schema:
        yield name, schema.get("maxLength")


async def schemas_of(provider: str) -> list[Any]:
    replies: list[Any] = [
        {"statements": ["It opened in 1932."]},
        {"verdicts": [{"reason": "r", "verdict": 1}]},
        {"statements": [{"statement": "s", "reason": "r", "attributed": 1}]},
    ]
    model = ScriptedChat(map(json.dumps, replies), provider=provider, window=50_000)
    for judge in (Faithfulness(model), ContextRecall(model)):
        assert all(score.value == 1.0 for score in (await judge.score(CASE, OUTPUT, ())).values())
    return [request.schema for request in model.requests]


async def test_every_text_of_the_embedded_judge_has_an_end() -> None:
    found = [pair for schema in await schemas_of("embedded") for pair in texts(schema)]
    assert dict(found) == {"statements": TEXT_CHARACTERS, "statement": TEXT_CHARACTERS, "reason": REASON_CHARACTERS}
    assert len(found) == 4


async def test_a_judge_behind_a_server_gets_no_bounds_a_strict_server_refuses() -> None:
    assert {most for schema in await schemas_of("openai") for _, most in texts(schema)} == {None}


def test_a_brief_judge_is_another_instrument() -> None:
    brief, long = (Judge(ScriptedChat([], provider=provider)) for provider in ("embedded", "openai"))
    assert brief.instrument("x").prompts["brief"] == BRIEF.digest
    assert "brief" not in long.instrument("x").prompts
    assert brief.digest("x") != long.digest("x")


def test_a_weak_model_may_take_an_answer_apart_less_finely() -> None:
    answer = " ".join(["word"] * 77)
    assert (most_statements(answer), most_statements(answer, brief=True)) == (25, 6)
    assert most_statements("One.", brief=True) == 3
    assert most_statements(answer * 20, brief=True) == 16


async def test_a_form_handed_back_as_it_stands_is_no_statement() -> None:
    model = ScriptedChat(lambda _: json.dumps({"statements": ["...", "..."]}), window=50_000)
    score = (await Faithfulness(model).score(CASE, OUTPUT, ()))["faithfulness"]
    assert score.value is None
    assert "found no statement" in score.error
    assert len(model.requests) == 1


@pytest.fixture(scope="module")
def embedded() -> EmbeddedChat:
    return EmbeddedChat.load(threads=1)


async def test_the_embedded_model_ends_its_judgements_itself(embedded: EmbeddedChat) -> None:
    """Without bounds the same three calls wrote until they were cut off, and gave no score."""
    counted = Counting(embedded)
    try:
        for judge in (Rubric(counted), Faithfulness(counted)):
            (score,) = (await judge.score(CASE, OUTPUT, ())).values()
            assert score.value is not None, score.error
    finally:
        await embedded.aclose()
    assert [finish for finish, _ in counted.ended] == ["stop"] * 3
    assert sum(written for _, written in counted.ended) < 450


class Counting:
    """The embedded model; how each call ended and how many tokens it wrote."""

    def __init__(self, model: EmbeddedChat) -> None:
        self._model = model
        self.ended: list[tuple[str, int]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    async def complete(self, request: Any) -> Any:
        completion = await self._model.complete(request)
        self.ended.append((completion.finish_reason, completion.usage.output))
        return completion
