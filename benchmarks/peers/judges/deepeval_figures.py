"""DeepEval's G-Eval figures on the scripted scenarios, through its real stack. Run as README.md says."""

import asyncio
import json
import logging
import math
import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geval_scenarios import Scenario, scenarios
from replies import numbers, written
from scripted_server import Choice, ScriptedServer, choice

os.environ |= {"DEEPEVAL_TELEMETRY_OPT_OUT": "1", "ERROR_REPORTING": "0", "DEEPEVAL_DISABLE_DOTENV": "1"}
HERE = Path.cwd()
os.chdir(tempfile.mkdtemp())  # DeepEval writes a folder of its own where it runs
logging.disable(logging.CRITICAL)

from deepeval.metrics import GEval  # noqa: E402
from deepeval.metrics.g_eval import Rubric  # noqa: E402
from deepeval.models import DeepEvalBaseLLM, OpenAIModel  # noqa: E402
from deepeval.test_case import LLMTestCase, SingleTurnParams  # noqa: E402

CRITERIA = "Is the answer right?"
PARAMS = [SingleTurnParams.INPUT, SingleTurnParams.ACTUAL_OUTPUT, SingleTurnParams.EXPECTED_OUTPUT]
PACKAGES = ["deepeval", "openai", "pydantic"]
MODELS = {"logprobs": "gpt-4o", "schema": "o3-mini"}  # whose table entries say what each can do


def text_of(reply: Any) -> str | None:
    return None if reply is None else written(reply, lambda content: content)


class Script:
    """The steps' reply first where steps are generated, then the score's, for as long as it is asked."""

    def __init__(self, scenario: Scenario) -> None:
        self.texts = [text_of(scenario["reply"])]
        if scenario["steps_reply"] is not None:
            self.texts.insert(0, text_of(scenario["steps_reply"]))
        self.tokens = None if scenario["tokens"] is None else [wire(token) for token in numbers(scenario["tokens"])]
        self.asked = 0

    def next(self) -> str | None:
        self.asked += 1
        return self.texts[min(self.asked, len(self.texts)) - 1]

    def __call__(self, request: dict[str, Any]) -> list[Choice]:
        return [choice(self.next(), self.tokens if request.get("logprobs") else None)]


def wire(token: dict[str, Any]) -> dict[str, Any]:
    top = token["top"] and [{"token": t, "logprob": logprob, "bytes": None} for t, logprob in token["top"]]
    return {"token": token["token"], "logprob": token["logprob"], "bytes": None, "top_logprobs": top}


class TextJudge(DeepEvalBaseLLM):
    """A judge of the user's own that takes a prompt and returns text: no schema, no log-probabilities."""

    def __init__(self, script: Script) -> None:
        self.script = script
        super().__init__("scripted")

    def load_model(self) -> "TextJudge":
        return self

    def generate(self, _prompt: str) -> str | None:
        return self.script.next()

    async def a_generate(self, _prompt: str) -> str | None:
        return self.script.next()

    def get_model_name(self) -> str:
        return "scripted"


async def measure(scenario: Scenario, script: Script, url: str) -> float:
    kind = MODELS.get(scenario["judge"])
    judge = OpenAIModel(model=kind, api_key="scripted", base_url=url) if kind else TextJudge(script)
    rubric = scenario["rubric"]
    metric = GEval(
        name="Correctness",
        criteria=CRITERIA,
        evaluation_steps=scenario["steps"],
        evaluation_params=PARAMS,
        rubric=None if rubric is None else [Rubric(score_range=(a, b), expected_outcome=c) for a, b, c in rubric],
        strict_mode=scenario["strict"],
        model=judge,
    )
    case = LLMTestCase(
        input=scenario["question"], actual_output=scenario["answer"], expected_output=scenario["reference"]
    )
    return await metric.a_measure(case, _show_indicator=False)


async def figure(scenario: Scenario, server: ScriptedServer) -> dict[str, Any]:
    script = Script(scenario)
    server.load(script)
    try:
        value = float(await measure(scenario, script, server.url))
    except Exception as error:
        return {"outcome": "error", "error": type(error).__name__, "calls": script.asked}
    if math.isnan(value):
        return {"outcome": "nan", "calls": script.asked}
    return {
        "outcome": "value", "value": value if math.isfinite(value) else {"$number": "Infinity"}, "calls": script.asked
    }  # fmt: skip


async def measured() -> list[Scenario]:
    done = []
    with ScriptedServer() as server:
        for scenario in scenarios():
            found = await figure(scenario, server)
            for name in ("steps_reply", "reply"):
                if scenario[name] is not None:
                    scenario[name] = {**scenario[name], "text": text_of(scenario[name])}
            done.append({**scenario, "figure": found})
    return done


def main(path: Path) -> None:
    rows = asyncio.run(measured())
    head = {"tool": "deepeval", "python": platform.python_version(), "packages": {p: version(p) for p in PACKAGES}}
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")) for row in rows)
    path.write_text(f'{json.dumps(head)[:-1]}, "scenarios": [\n{lines}\n]}}\n', encoding="utf-8")
    print(len(rows), "scenarios,", path.stat().st_size, "bytes", file=sys.stderr)


if __name__ == "__main__":
    main(HERE / sys.argv[1])
