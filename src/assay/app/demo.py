"""The demo: the handbook that ships with Assay, three answers, an honest score and one verdict.

Everything is measured when it runs, with the models and settings in force; nothing is stored
beforehand.
"""

import importlib.resources
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.answers.outcome import Outcome
from assay.app.wiring import Workspace
from assay.decisions.compare import Comparison, Scored, compare
from assay.errors import Conflict, Corrupt
from assay.evals.case import Case
from assay.evals.cases import read_cases
from assay.evals.evidence import evidence_score
from assay.evals.gold import Texts, resolve_all
from assay.evals.measured import Measured, measure
from assay.stats import Interval, mean_interval

QUESTIONS = (
    "Why do language models hallucinate?",
    "When should I fine-tune a model instead of using retrieval?",
    "What is the capital of Australia?",
)

# The planted change: what somebody asks for after reading one refusal. Its verdict is measured, not known.
CHANGE_NAME = "always answer, never decline"
CHANGE = {"answers.decline_below": "0"}


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo found."""

    answers: Sequence[tuple[str, Outcome]]
    score: Interval
    change_name: str
    change: Comparison
    incumbent: Sequence[Measured]
    candidate: Sequence[Measured]


def handbook_folder() -> Path:
    """The folder of the handbook: in the installed package, or in the checkout."""
    packaged = Path(str(importlib.resources.files("assay") / "handbook"))
    checkout = Path(__file__).resolve().parents[3] / "docs" / "handbook"
    for folder in (packaged, checkout):
        if (folder / "questions.jsonl").is_file():
            return folder
    raise Corrupt("The handbook is missing from this installation.", hint="Install Assay again.")


async def check_empty(workspace: Workspace) -> None:
    """Raise Conflict where the workspace holds documents that are not the handbook's."""
    ours = {path.name for path in handbook_folder().glob("*.md")}
    for row in await workspace.documents(limit=len(ours) + 1):
        if Path(row.source).name not in ours:
            raise Conflict(
                f"The workspace {workspace.home} holds documents of yours ({row.source}).",
                hint="Run assay demo in an empty folder.",
            )


async def index_handbook(workspace: Workspace, progress: Callable[[Any], None]) -> Any:
    """Ingest the handbook's chapters; sources are named handbook/<chapter>."""
    folder = handbook_folder()
    return await workspace.ingest(sorted(folder.glob("*.md")), base=folder.parent, progress=progress)


async def run_demo(
    workspace: Workspace,
    *,
    cases: Sequence[Case],
    answered: Callable[[str, Outcome], None],
    progress: Callable[[str, int, int], None],
) -> DemoResult:
    """Ask, score, and judge the planted change. The handbook must be indexed."""
    answers = []
    for question in QUESTIONS:
        outcome = await workspace.ask(question)
        answered(question, outcome)
        answers.append((question, outcome))

    texts = Texts({row.source: (await workspace.document(row.id)).text for row in await workspace.documents()})
    golds = resolve_all(cases, texts, required=True)
    gold = {case.id: pieces for case, pieces in zip(cases, golds, strict=True)}

    def scorer(case: Case, outcome: Outcome) -> float:
        return evidence_score(case, gold[case.id], outcome)

    name = CHANGE_NAME
    incumbent = await measure(
        workspace.ask, cases, scorer=scorer, progress=lambda done: progress("as it is", done, len(cases))
    )
    async with workspace.changed(CHANGE) as variant:
        candidate = await measure(
            variant.ask, cases, scorer=scorer, progress=lambda done: progress(name, done, len(cases))
        )
    return DemoResult(
        answers=answers,
        score=mean_interval([item.score for item in incumbent], clusters=[item.cluster for item in incumbent]),
        change_name=name,
        change=compare([scored(item) for item in incumbent], [scored(item) for item in candidate]),
        incumbent=incumbent,
        candidate=candidate,
    )


def demo_cases() -> list[Case]:
    """The questions that ship with the handbook."""
    return read_cases(handbook_folder() / "questions.jsonl")


def scored(measured: Measured) -> Scored:
    """A measured case as the comparison takes it."""
    return Scored(
        case=measured.case,
        score=measured.score,
        cluster=measured.cluster or None,
        cost_usd=measured.cost_usd,
        latency_ms=measured.latency_ms,
    )
