"""Our judges give the figures of ragas and deepeval on the same scripted replies, sound and malformed.

The figures were made by the peers themselves: `benchmarks/peers/judges/README.md`. Where ragas' two interfaces differ
(a fenced reply, "1" for 1), ours agrees with one of them. A figure off the scale of 0 to 1 is no score of ours.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.errors import Garbled
from assay.evals.case import Case
from assay.evals.judges.geval import GEval
from assay.evals.judges.ragas import AnswerRelevancy, ContextPrecision, ContextRecall, Faithfulness
from assay.evals.output import Output, Retrieved
from assay.evals.scorer import Score
from assay.models.chat import ChatRequest, Completion, TokenLogprob, Usage
from assay.models.scripted import ScriptedChat, ScriptedEmbedder

DATA = Path(__file__).parent / "data"
CLOSE = 1e-9
OUR_KEYS = {"attributions": {"attributions": "statements"}}


def load(name: str) -> list[dict[str, Any]]:
    return json.loads((DATA / name).read_text(encoding="utf-8"))["scenarios"]


def numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return float(value["$number"]) if set(value) == {"$number"} else {k: numbers(v) for k, v in value.items()}
    return [numbers(item) for item in value] if isinstance(value, list) else value


def written(attempt: dict[str, Any], step: str) -> str:
    """The reply in the form of the scenario, its content under our keys."""
    content = attempt["content"]
    if attempt["form"] == "verbatim":
        return attempt["text"]
    if isinstance(content, dict):
        content = {OUR_KEYS.get(step, {}).get(key, key): value for key, value in content.items()}
    text = json.dumps(numbers(content))
    return {
        "json": text,
        "fenced": f"```json\n{text}\n```",
        "embedded": f"Here is my judgement.\n{text}\nI hope this helps.",
        "truncated": text[:-1],
        "trailing_comma": f"{text[:-1]},{text[-1]}",
        "single_quotes": text.replace('"', "'"),
        "listed": f"[{text}]",
        "twice": f"{text}\n{text}",
    }[attempt["form"]]


class Steps:
    """A step's replies: the next step for a fresh request, the next attempt for a repeated one, the last for ever."""

    def __init__(self, steps: Sequence[Sequence[str]]) -> None:
        self.steps, self.at, self.repeats, self.calls = steps, -1, 0, 0

    def __call__(self, request: ChatRequest) -> str:
        self.calls += 1
        if any(message.role == "assistant" for message in request.messages):
            self.repeats += 1
        else:
            self.at, self.repeats = self.at + 1, 0
        attempts = self.steps[self.at]
        return attempts[min(self.repeats, len(attempts) - 1)]


class ScenarioEmbedder(ScriptedEmbedder):
    """The scenario's vectors, as they are."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        super().__init__()
        self.vectors = vectors

    async def embed(self, texts: Sequence[str], *, kind: str = "passage") -> Any:
        rows = [self.vectors[text] for text in texts]
        if len({len(row) for row in rows}) > 1:
            raise Garbled("The vectors have different dimensions.")
        return np.array(rows, dtype=np.float64)


async def ours(scenario: dict[str, Any]) -> tuple[Score | None, int]:
    replies = Steps([[written(attempt, step["step"]) for attempt in step["attempts"]] for step in scenario["steps"]])
    model = ScriptedChat(replies, window=100_000)
    judge: Any
    match scenario["metric"]:
        case "faithfulness":
            judge = Faithfulness(model)
        case "answer_relevancy":
            embedder = ScenarioEmbedder(numbers(scenario["vectors"]))
            judge = AnswerRelevancy(model, embedder, questions=scenario["strictness"])
        case "context_precision":
            judge = ContextPrecision(model)
        case _:
            judge = ContextRecall(model)
    case = Case("1", scenario["question"], answers=(scenario["reference"],))
    passages = tuple(Retrieved("d", text) for text in scenario["contexts"])
    scores = await judge.score(case, Output(scenario["answer"], passages=passages), ())
    return scores.get(scenario["metric"]), replies.calls


def value_of(figure: dict[str, Any]) -> float | None:
    """The peer's figure, None where it is none: an error or NaN."""
    return numbers(figure.get("value"))


def same(a: float | None, b: float | None) -> bool:
    return a is b if a is None or b is None else math.isclose(a, b, rel_tol=0, abs_tol=CLOSE)


def agrees(score: Score | None, theirs: float | None) -> bool:
    """Ours is theirs; a cosine below zero scores 0 with its mean in the details, another figure off the scale none."""
    mine = None if score is None else score.value
    if theirs is None or -CLOSE <= theirs <= 1 + CLOSE:
        return same(mine, theirs)
    if score is not None and "cosines" in score.details:
        return mine == 0 and same(float(np.mean(score.details["cosines"])), theirs)
    return mine is None


@pytest.mark.parametrize("scenario", load("ragas.json"), ids=lambda scenario: scenario["id"])
async def test_the_ragas_four_equal_ragas(scenario: dict[str, Any]) -> None:
    score, calls = await ours(scenario)
    if score is not None and score.value is None:
        assert score.error
        assert "\n" not in score.error
    agreement = {name: agrees(score, value_of(figure)) for name, figure in scenario["figures"].items()}
    assert any(agreement.values()), score
    if scenario["kind"] == "regular":
        assert all(agreement.values()), score
        assert calls == scenario["figures"]["collections"]["calls"]


class TokensChat(ScriptedChat):
    """A scripted judge that also gives the scenario's log-probabilities where it is asked for them."""

    def __init__(self, texts: list[str], tokens: list[Any] | None) -> None:
        super().__init__(texts, window=100_000)
        self.tokens = tokens

    async def complete(self, request: ChatRequest) -> Completion:
        self.requests.append(request)
        text = self._reply(request)
        assert isinstance(text, str)
        asked = request.top_logprobs is not None
        given = tuple(
            TokenLogprob(token["token"], token["logprob"], tuple((t, p) for t, p in token["top"] or ()))
            for token in numbers(self.tokens or [])
        )
        return Completion(text, "stop", Usage(), "scripted", logprobs=given if asked else ())


# A strict mode G-Eval does not have; a scale of one point, which is refused when the judge is made; and a null among
# the log-probabilities, which an adapter refuses before any judge sees it.
NOT_OURS = (
    "strict/",
    "rubric/single-point",
    "rubric/overlapping",
    "rubric/backwards",
    "rubric/beyond",
    "/null-logprob",
)


def geval_scenarios() -> list[dict[str, Any]]:
    return [s for s in load("deepeval_geval.json") if not any(name in s["id"] for name in NOT_OURS)]


@pytest.mark.parametrize("scenario", geval_scenarios(), ids=lambda scenario: scenario["id"])
async def test_g_eval_equals_deepeval(scenario: dict[str, Any]) -> None:
    replies = [scenario["steps_reply"], scenario["reply"]] if scenario["steps_reply"] else [scenario["reply"]]
    texts = ["" if reply is None else reply["text"] for reply in replies]
    model = TokensChat(texts, scenario["tokens"] if scenario["judge"] == "logprobs" else None)
    ranges = scenario["rubric"] or [[0, 10, "any"]]
    judge = GEval(
        model,
        criterion="Is the answer right?",
        steps=scenario["steps"] or (),
        scale=(min(low for low, _, _ in ranges), max(high for _, high, _ in ranges)),
        shown=("question", "reference", "answer"),
        samples=1,
    )
    case = Case("1", scenario["question"], answers=(scenario["reference"],))
    score = (await judge.score(case, Output(scenario["answer"]), ()))["g_eval"]
    theirs = value_of(scenario["figure"])
    if scenario["judge"] == "schema" and theirs is None and score.value is not None:
        # Where the client itself parses the reply, deepeval takes bare JSON only; ours reads it in any wrapping.
        assert scenario["id"].startswith(("schema/form-", "schema/reason-", "schema/reply-open-brace"))
        assert same(score.value, 0.8)
    elif scenario["steps_reply"] and (score.value is None) != (theirs is None):
        # deepeval takes steps that are no list of texts from one kind of judge and fenced ones from the other.
        assert scenario["id"] in ("steps/text-text", "steps/text-numbers", "steps/logprobs-fenced")
    else:
        assert agrees(score, theirs), score
        assert score.error or score.value is not None
    assert len(model.requests) == scenario["figure"]["calls"] or score.value is None or theirs is None
