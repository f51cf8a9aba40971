"""RAGAS' figures on the scripted scenarios, for both of its interfaces, through its real stack. Run as README.md says.

`collections` is the interface RAGAS documents today (ragas.metrics.collections, replies read by `instructor`);
`legacy` the one it deprecates and everybody's older figures come from (replies read by its own parser).
"""

import asyncio
import json
import logging
import math
import os
import platform
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ragas_scenarios import UNSOUND_QUESTION, Scenario, scenarios
from replies import numbers, written
from scripted_server import Choice, ScriptedServer, choice

os.environ["RAGAS_DO_NOT_TRACK"] = "true"
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

from langchain_openai import ChatOpenAI  # noqa: E402
from openai import AsyncOpenAI  # noqa: E402
from ragas.dataset_schema import SingleTurnSample  # noqa: E402
from ragas.embeddings.base import BaseRagasEmbedding, BaseRagasEmbeddings  # noqa: E402
from ragas.llms import LangchainLLMWrapper, llm_factory  # noqa: E402
from ragas.metrics import collections  # noqa: E402
from ragas.metrics._answer_relevance import ResponseRelevancy  # noqa: E402
from ragas.metrics._context_precision import LLMContextPrecisionWithReference  # noqa: E402
from ragas.metrics._context_recall import LLMContextRecall  # noqa: E402
from ragas.metrics._faithfulness import Faithfulness  # noqa: E402
from ragas.run_config import RunConfig  # noqa: E402

MODEL = "gpt-4o-mini"
ASKED_AGAIN = "did not satisfy the constraints"
PACKAGES = ["ragas", "instructor", "langchain-core", "langchain-openai", "openai", "pydantic", "numpy"]


def ragas_keys(step: str) -> Any:
    """Contents of ours under RAGAS' keys."""
    names = {"verdicts": {"verdicts": "statements"}, "attributions": {"attributions": "classifications"}}.get(step, {})

    def renamed(content: Any) -> Any:
        return {names.get(k, k): v for k, v in content.items()} if isinstance(content, dict) else content

    return renamed


class Script:
    """Hands out a scenario's replies: a fresh request gets the next step's, a repeated one the step's next attempt."""

    def __init__(self, scenario: Scenario) -> None:
        self.steps = [[written(a, ragas_keys(s["step"])) for a in s["attempts"]] for s in scenario["steps"]]
        self.position = self.batch = self.repeats = 0

    def __call__(self, request: dict[str, Any]) -> list[Choice]:
        messages = request["messages"]
        repair = ASKED_AGAIN in str(messages[-1]["content"])
        if repair or any(message["role"] == "assistant" for message in messages):
            return [choice(self._again(repair=repair))]
        self.batch, self.repeats = request.get("n") or 1, 0
        texts = [attempts[0] for attempts in self.steps[self.position : self.position + self.batch]]
        self.position += self.batch
        return [choice(text) for text in texts]

    def _again(self, *, repair: bool) -> str:
        attempts = self.steps[self.position - 1 if self.batch == 1 else UNSOUND_QUESTION]
        self.repeats += 1
        text = attempts[min(self.repeats, len(attempts) - 1)]
        if repair and self.repeats == len(attempts) - 1:
            # The legacy interface wants the repaired text inside a JSON object of its own, one more per repair of
            # a repair. A judge that gets it right in the end does as it is told.
            for _ in range(self.repeats):
                text = json.dumps({"text": text})
        return text


def vectors_of(scenario: Scenario) -> dict[str, list[float]]:
    return {text: numbers(vector) for text, vector in scenario.get("vectors", {}).items()}


class Embedding(BaseRagasEmbedding):
    """The scenario's vectors, for `collections`."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__()
        self.vectors = vectors_of(scenario)

    def embed_text(self, text: str, **_: Any) -> list[float]:
        return self.vectors[text]

    async def aembed_text(self, text: str, **_: Any) -> list[float]:
        return self.vectors[text]


class Embeddings(BaseRagasEmbeddings):
    """The scenario's vectors, for `legacy`."""

    def __init__(self, scenario: Scenario) -> None:
        super().__init__()
        self.vectors = vectors_of(scenario)

    def embed_query(self, text: str) -> list[float]:
        return self.vectors[text]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.vectors[text] for text in texts]

    async def aembed_query(self, text: str) -> list[float]:
        return self.vectors[text]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.vectors[text] for text in texts]


async def with_collections(scenario: Scenario, url: str) -> float:
    llm = llm_factory(MODEL, client=AsyncOpenAI(api_key="scripted", base_url=url, max_retries=0))
    question, contexts = scenario["question"], scenario["contexts"]
    match scenario["metric"]:
        case "faithfulness":
            result = await collections.Faithfulness(llm=llm).ascore(question, scenario["answer"], contexts)
        case "answer_relevancy":
            metric = collections.AnswerRelevancy(
                llm=llm, embeddings=Embedding(scenario), strictness=scenario["strictness"]
            )
            result = await metric.ascore(question, scenario["answer"])
        case "context_precision":
            result = await collections.ContextPrecision(llm=llm).ascore(question, scenario["reference"], contexts)
        case _:
            result = await collections.ContextRecall(llm=llm).ascore(question, contexts, scenario["reference"])
    return float(result.value)


async def with_legacy(scenario: Scenario, url: str) -> float:
    chat = ChatOpenAI(model=MODEL, api_key="scripted", base_url=url, max_retries=0)
    llm = LangchainLLMWrapper(chat, run_config=RunConfig(max_retries=1))
    metric: Any = {
        "faithfulness": lambda: Faithfulness(llm=llm),
        "answer_relevancy": lambda: ResponseRelevancy(
            llm=llm, embeddings=Embeddings(scenario), strictness=scenario["strictness"]
        ),
        "context_precision": lambda: LLMContextPrecisionWithReference(llm=llm),
        "context_recall": lambda: LLMContextRecall(llm=llm),
    }[scenario["metric"]]()
    sample = SingleTurnSample(
        user_input=scenario["question"],
        response=scenario["answer"],
        retrieved_contexts=scenario["contexts"],
        reference=scenario["reference"],
    )
    return float(await metric.single_turn_ascore(sample))


async def figure(measure: Any, scenario: Scenario, server: ScriptedServer) -> dict[str, Any]:
    server.load(Script(scenario))
    try:
        value = await measure(scenario, server.url)
    except Exception as error:
        return {"outcome": "error", "error": type(error).__name__, "calls": server.requests}
    if math.isnan(value):
        return {"outcome": "nan", "calls": server.requests}
    return {"outcome": "value", "value": value, "calls": server.requests}


async def measured() -> list[Scenario]:
    done = []
    with ScriptedServer() as server:
        for scenario in scenarios():
            figures = {
                "collections": await figure(with_collections, scenario, server),
                "legacy": await figure(with_legacy, scenario, server),
            }
            steps = [
                {
                    "step": step["step"],
                    "attempts": [{**a, "text": written(a, ragas_keys(step["step"]))} for a in step["attempts"]],
                }
                for step in scenario["steps"]
            ]
            done.append({**scenario, "steps": steps, "figures": figures})
    return done


def main(path: Path) -> None:
    rows = asyncio.run(measured())
    head = {"tool": "ragas", "python": platform.python_version(), "packages": {p: version(p) for p in PACKAGES}}
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) for row in rows)
    path.write_text(f'{json.dumps(head)[:-1]}, "scenarios": [\n{lines}\n]}}\n', encoding="utf-8")
    print(len(rows), "scenarios,", path.stat().st_size, "bytes", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
