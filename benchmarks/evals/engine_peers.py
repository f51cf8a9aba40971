"""One side of the comparison: judge N answers with a scripted judge that replies at once, one call a case.

    python engine_peers.py assay|ragas|deepeval|inspect_ai CASES

Each in the environment that has it. The judge is an object in the process, so what is timed is the framework: its
prompt, its parsing of the reply, its bookkeeping. Prints one JSON object; `peak_mb` is of the process and its children.
"""

import json
import os
import resource
import sys
import tempfile
import time
from typing import Any

ANSWER = "Paris is the capital of France, on the river Seine. " * 4
REFERENCE = "The capital of France is Paris."


def question(number: int) -> str:
    return f"What is the capital of France, and where does it lie? (variant {number})"


def assay(cases: int) -> float:
    import asyncio
    from pathlib import Path

    from assay.evals.case import Case, set_digest
    from assay.evals.engine import evaluate
    from assay.evals.judges.rubric import Rubric
    from assay.evals.output import Output
    from assay.evals.runs import Runs
    from assay.gateway.stack import stacked_chat
    from assay.ledger.database import open_database, sqlite_url
    from assay.ledger.values import Values
    from assay.models.chat import ChatRequest, Completion, Usage
    from assay.models.scripted import ScriptedChat

    class Judge(ScriptedChat):
        async def complete(self, request: ChatRequest) -> Completion:
            return Completion('{"reason": "It agrees.", "level": 3}', "stop", Usage(100, 0, 0, 10), self.name)

    class Answers:
        name, subject, kind = "answers", "answers", "answerer"

        async def __call__(self, asked: str) -> Output:
            return Output(text=ANSWER, calls=0)

        async def aclose(self) -> None: ...

    async def main(folder: str) -> float:
        database = open_database(sqlite_url(Path(folder) / "assay.db"))
        values = Values(database)
        made = [Case(f"c{i}", question(i), answers=(REFERENCE,)) for i in range(cases)]
        judge = Rubric(stacked_chat(Judge([]), values=values))
        started = time.perf_counter()
        record = await evaluate(
            Answers(), made, scorers=[judge], runs=Runs(database), values=values, set_digest=set_digest(made)
        )
        seconds = time.perf_counter() - started
        assert (record.results, record.failed, record.means) == (cases, 0, {"rubric": 1.0})
        values.close()
        return seconds

    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(main(folder))


def ragas(cases: int) -> float:
    os.environ["RAGAS_DO_NOT_TRACK"] = "true"
    from langchain_core.outputs import Generation, LLMResult
    from ragas import EvaluationDataset, SingleTurnSample, evaluate
    from ragas.llms import BaseRagasLLM
    from ragas.metrics import AspectCritic
    from ragas.run_config import RunConfig

    class Judge(BaseRagasLLM):
        def generate_text(self, *_: Any, **__: Any) -> LLMResult:
            return LLMResult(generations=[[Generation(text='{"reason": "It agrees.", "verdict": 1}')]])

        async def agenerate_text(self, *_: Any, **__: Any) -> LLMResult:
            return self.generate_text()

        def is_finished(self, response: LLMResult) -> bool:
            return True

    samples = [SingleTurnSample(user_input=question(i), response=ANSWER, reference=REFERENCE) for i in range(cases)]
    metric = AspectCritic(name="right", definition="Is the answer right?", llm=Judge())
    started = time.perf_counter()
    result = evaluate(
        EvaluationDataset(samples), metrics=[metric], show_progress=False, run_config=RunConfig(max_workers=8)
    )
    seconds = time.perf_counter() - started
    assert list(result["right"]) == [1] * cases
    return seconds


def deepeval(cases: int) -> float:
    os.environ |= {"DEEPEVAL_TELEMETRY_OPT_OUT": "1", "ERROR_REPORTING": "0", "DEEPEVAL_DISABLE_DOTENV": "1"}
    os.chdir(tempfile.mkdtemp())
    from deepeval import evaluate
    from deepeval.evaluate.configs import AsyncConfig, CacheConfig, DisplayConfig
    from deepeval.metrics import GEval
    from deepeval.models import DeepEvalBaseLLM
    from deepeval.test_case import LLMTestCase, SingleTurnParams

    class Judge(DeepEvalBaseLLM):
        def load_model(self) -> "Judge":
            return self

        def generate(self, _prompt: str) -> str:
            return '{"reason": "It agrees.", "score": 10}'

        async def a_generate(self, prompt: str) -> str:
            return self.generate(prompt)

        def get_model_name(self) -> str:
            return "scripted"

    params = [SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT, SingleTurnParams.EXPECTED_OUTPUT]
    metric = GEval(
        name="right",
        evaluation_steps=["Check whether the answer agrees with the reference."],
        evaluation_params=params,
        model=Judge("scripted"),
    )
    tests = [LLMTestCase(input=question(i), actual_output=ANSWER, expected_output=REFERENCE) for i in range(cases)]
    started = time.perf_counter()
    result = evaluate(
        tests,
        [metric],
        async_config=AsyncConfig(max_concurrent=8),
        display_config=DisplayConfig(show_indicator=False, print_results=False),
        cache_config=CacheConfig(write_cache=False),
    )
    seconds = time.perf_counter() - started
    assert [one.metrics_data[0].score for one in result.test_results] == [1.0] * cases
    return seconds


def inspect_ai(cases: int) -> float:
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import model_graded_qa
    from inspect_ai.solver import generate

    def scripted(text: str) -> Any:
        def reply(*_: Any) -> ModelOutput:
            output = ModelOutput.from_content("mockllm", text)
            # With its usage given, inspect_ai counts no tokens itself: that needs a tokenizer from the network.
            output.usage = ModelUsage(input_tokens=100, output_tokens=10, total_tokens=110)
            return output

        return get_model("mockllm/model", custom_outputs=reply, memoize=False)

    samples = [Sample(input=question(i), target=REFERENCE, id=i + 1) for i in range(cases)]
    judge = model_graded_qa(model=scripted("It agrees.\n\nGRADE: C"))
    task = Task(dataset=MemoryDataset(samples), solver=generate(), scorer=judge)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        [log] = inspect_eval(
            task, model=scripted(ANSWER), log_dir=folder, display="none", max_samples=8, max_connections=8
        )
        seconds = time.perf_counter() - started
    assert log.status == "success", log.error
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1.0
    assert log.results.completed_samples == cases
    return seconds


if __name__ == "__main__":
    side, count = sys.argv[1], int(sys.argv[2])
    elapsed = {"assay": assay, "ragas": ragas, "deepeval": deepeval, "inspect_ai": inspect_ai}[side](count)
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({"cases": count, "cases_per_s": round(count / elapsed, 1), "peak_mb": round(peak / 1024)}))
