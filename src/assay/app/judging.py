"""Judges of a workspace, checked against people and against attempts to talk them round."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from assay.app.behind import Behind, judging_model, paced
from assay.app.measuring import Measuring
from assay.app.settings import SettingsInForce
from assay.errors import BadSetting
from assay.evals.case import Case
from assay.evals.judges.check import check
from assay.evals.judges.checks import save_check
from assay.evals.judges.labels import Label, judged
from assay.evals.judges.opponent import Opponent, earlier_run, references
from assay.evals.judges.pairwise import Pairwise
from assay.evals.judges.probes import ProbeReport, injection_rate
from assay.evals.judges.report import Report, judge_key
from assay.evals.metrics import judge_for
from assay.evals.scorer import Scorer


async def check_judge(
    measuring: Measuring, labels: Sequence[Label], in_force: SettingsInForce, *, metric: str, threshold: float
) -> Report:
    """A judge against people's labels; those without a recorded score are judged now, and the report is kept."""
    if all(label.is_judged for label in labels):
        return await asyncio.to_thread(check, labels, key="recorded", threshold=threshold)
    async with _judge(measuring, in_force, metric) as judge:
        found = await judged(labels, judge)
    assert judge.judge is not None
    report = await asyncio.to_thread(check, found, key=judge_key(judge.judge), threshold=threshold)
    await asyncio.to_thread(save_check, measuring.workspace.database, report)
    return report


async def probe_judge(measuring: Measuring, in_force: SettingsInForce, *, metric: str) -> ProbeReport:
    """How often the shipped injections turn a judge's verdict."""
    async with _judge(measuring, in_force, metric) as judge:
        assert not isinstance(judge, Pairwise)
        return await injection_rate(judge)


def opponent(measuring: Measuring, cases: Sequence[Case], in_force: SettingsInForce) -> Opponent | None:
    """Whom pairwise judges against: the run evals.against names, else the references; None where it is not asked.

    Raises BadSetting where there is nobody, and where a flag names a run and pairwise is no metric of this evaluation.
    """
    options = in_force.settings.evals
    if "pairwise" not in {name.strip() for name in options.metrics.split(",")}:
        if options.against and in_force.origins["evals.against"].kind == "flag":
            raise BadSetting(
                "evals.against names a run to judge against, but pairwise is not among the metrics.",
                hint=f"Add it: --metrics {options.metrics},pairwise",
            )
        return None
    if not options.against:
        return references(cases)
    run = measuring.runs.get(options.against)
    if run.spec.kind == "retriever":
        raise BadSetting(
            f"Run {run.id[:8]} measured a retriever: it has no answers to judge against.",
            hint="Choose a run of a system that answers; `assay runs` lists them.",
        )
    return earlier_run(cases, measuring.results(run), of=measuring.cases_of(run), run_id=run.id, system=run.spec.system)


@asynccontextmanager
async def _judge(measuring: Measuring, in_force: SettingsInForce, metric: str) -> AsyncIterator[Scorer | Pairwise]:
    settings = in_force.settings
    async with AsyncExitStack() as stack:
        workspace = await stack.enter_async_context(paced(measuring.workspace, in_force))
        behind = Behind(measuring.values, settings, retries=settings.models.max_retries)
        model = behind.chat(await judging_model(workspace, settings, stack))
        if metric == "pairwise":
            yield Pairwise(model)
            return
        embedder = behind.embedder(await workspace.embedder()) if metric == "answer_relevancy" else None
        yield judge_for(metric, model=model, embedder=embedder, criterion=settings.evals.criterion)
