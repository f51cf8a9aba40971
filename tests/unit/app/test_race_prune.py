"""Designs that retrieve worse are out before any answer is made; whoever equals one that stays, stays."""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from assay.app.contender import Contender
from assay.app.evaluating import Evaluation, evaluation
from assay.app.measuring import Chosen, Measuring, measuring
from assay.app.race_arms import Entry, field_of
from assay.app.race_heats import Heats, Runner
from assay.app.race_prune import Pruned, pruned
from assay.app.settings import load_settings
from assay.app.wiring import open_workspace
from assay.decisions.race.space import Factor, Space
from assay.evals.case import Case, Evidence
from assay.evals.output import Output, Retrieved
from assay.evals.retrieval_metrics import RetrievalScorer

TOWNS = ["Halden", "Bergen", "Narvik", "Tromsø", "Molde", "Bodø", "Alta", "Vardø"]
THINGS = ["ferry", "lighthouse", "market", "harbour"]


def text(town: str) -> str:
    return "\n\n".join(
        f"# {thing.title()} of {town}\n\nThe {thing} of {town} is run by keeper {town[:2]}{number}. Ships pass it "
        f"daily, running and sailing. Nobody in {town} minds the rain, the wind or the running water."
        for number, thing in enumerate(THINGS)
    )


def cases() -> list[Case]:
    """Asked in other words than the documents': stemming, meaning and words alone find different ones."""
    asked = ["Who runs the {0} in {1}?", "the keepers of {1}, which run {0}s", "name of the {1} person in charge: {0}"]
    return [
        Case(
            f"{town}-{number}",
            asked[(place + number) % 3].format(thing, town),
            evidence=(Evidence(f"docs/{town}.md", f"The {thing} of {town} is run by keeper {town[:2]}{number}."),),
        )
        for place, town in enumerate(TOWNS)
        for number, thing in enumerate(THINGS)
    ]


@dataclass
class Setting:
    """A workspace with its cases, and one evaluation that stands for that of every arm."""

    measured: Measuring
    ready: Evaluation
    base: Any

    def entries(self, **factors: Sequence[Any]) -> list[Entry]:
        space = Space(tuple(Factor(name.replace("__", "."), tuple(levels)) for name, levels in factors.items()))
        return list(field_of(space, self.base, Contender(changes={"index.k": 9})).entries)

    async def pruned(
        self, entries: list[Entry], *, incumbent: int | None = None, ready: Evaluation | None = None, broken: int = -1
    ) -> Pruned | None:
        runners = [
            Runner(entry, None, problem="broken") if entry.arm.number == broken else Runner(entry, ready or self.ready)
            for entry in entries
        ]
        heats = Heats(runners, metric="f1", concurrency=1)
        serving = len(entries) - 1 if incumbent is None else incumbent
        return await pruned(self.measured, entries, heats, incumbent=serving)

    async def evaluated(self, entry: Entry, metric: str) -> float:
        """What answering every question under the design scores."""
        scorer = RetrievalScorer(ks=(int(metric.partition("@")[2]),))
        values = []
        async with self.measured.workspace.variant(entry.in_force) as variant:
            for case in self.ready.chosen.cases:
                if not self.ready.gold[case.id]:
                    continue
                hits = await variant.search(case.question)
                passages = [Retrieved(h.source, h.passage.text, h.passage.start, h.passage.end) for h in hits]
                scores = await scorer.score(case, Output(passages=tuple(passages)), self.ready.gold[case.id])
                values.append(scores[metric].value)
        return sum(values) / len(values)


@asynccontextmanager
async def opened(folder: Path, asked: Sequence[Case]) -> AsyncIterator[Setting]:
    (folder / "docs").mkdir()
    for town in TOWNS:
        (folder / "docs" / f"{town}.md").write_text(text(town))
    base = load_settings(folder=folder, environ={}, flags={"models.threads": "1"})
    async with open_workspace(base, home=folder / ".assay") as workspace, measuring(workspace) as measured:
        await workspace.ingest([folder / "docs"])
        chosen = Chosen("support", measured.save_part("support", asked), asked)
        async with evaluation(measured, chosen, base) as ready:
            yield Setting(measured, ready, base)


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    more = [Case("no-evidence", "Who minds the rain?")]
    async with opened(tmp_path, [*cases(), *more]) as found:
        yield found


async def test_a_score_is_that_of_evaluating_the_design_and_the_best_third_stays(setting: Setting) -> None:
    entries = setting.entries(
        documents__size=[200, 24],
        index__language=["english", "german"],
        index__mode=["lexical", "fused"],
        index__dense_weight=[0.2, 0.8],
        answers__sentences=[1, 3],
    )
    found = await setting.pruned(entries)
    assert found is not None
    assert (found.metric, found.questions) == ("ndcg@8", len(cases()))
    assert found.scores.keys() == {entry.arm.number for entry in entries}
    rankings: dict[Any, float] = {}
    for entry in entries:
        levels = {key: level for key, level in entry.arm.levels.items() if key != "answers.sentences"}
        if entry.arm.levels["answers.sentences"] == 1:
            score = await setting.evaluated(entry, found.metric)
            assert found.scores[entry.arm.number] == pytest.approx(score, abs=1e-12), entry.arm.name
            rankings[str(levels)] = score
        elif str(levels) in rankings:
            assert found.scores[entry.arm.number] == pytest.approx(rankings[str(levels)], abs=1e-12)
    assert len(set(rankings.values())) > 6, "these designs do retrieve differently, languages too"
    ordered = sorted(rankings.values(), reverse=True)
    # The incumbent, which is one more, ranks as the design of its levels does.
    assert found.cut == pytest.approx(ordered[math.ceil(len(ordered) / 3) - 1], abs=1e-12)
    inside = {number for number, score in found.scores.items() if score >= found.cut - 1e-9}
    assert set(found.kept) == inside | {len(entries) - 1}
    assert list(found.kept) == sorted(found.kept)
    for entry in entries[:-1]:
        twin = next(
            other
            for other in entries
            if other is not entry
            and {**other.arm.levels, "answers.sentences": 0} == {**entry.arm.levels, "answers.sentences": 0}
        )
        assert (entry.arm.number in found.kept) == (twin.arm.number in found.kept), "they retrieve alike"
    out = next(entry.arm.number for entry in entries if entry.arm.number not in found.kept)
    assert found.why(out) == (
        f"ndcg@8 {found.scores[out]:.3f} on {len(cases())} questions, the cut was at {found.cut:.3f}"
    )
    shape = found.as_json()
    assert (shape["kept"], shape["out"]) == (len(found.kept), len(entries) - len(found.kept))
    assert shape["kept"] + shape["out"] == len(entries)


async def test_what_serves_reranks_or_cannot_be_opened_stays(setting: Setting) -> None:
    every = setting.entries(
        documents__size=[200, 24],
        index__language=["english", "german"],
        index__mode=["lexical", "fused"],
        index__dense_weight=[0.2, 0.8],
    )
    last = len(every) - 1
    found = await setting.pruned(every)
    assert found is not None
    worst = min(found.scores, key=lambda number: found.scores[number])
    assert worst not in found.kept
    serving = await setting.pruned(every, incumbent=worst)
    assert serving is not None
    assert worst in serving.kept
    assert set(serving.kept) - {worst, last} == set(found.kept) - {last}
    reranking = replace(every[worst], in_force=_reranking(every[worst], "judge"))
    mixed = await setting.pruned([*every[:worst], reranking, *every[worst + 1 :]])
    assert mixed is not None
    assert worst in mixed.kept
    assert worst not in mixed.scores
    idle = replace(every[worst], in_force=_reranking(every[worst], "none"))
    same = await setting.pruned([*every[:worst], idle, *every[worst + 1 :]])
    assert same is not None
    assert same.scores == found.scores, "without a reranker nothing is re-scored"
    strange = replace(every[worst], in_force=every[worst].in_force.changed({"index.language": "klingon"}))
    broken = await setting.pruned([*every[:worst], strange, *every[worst + 1 :]], broken=worst)
    assert broken is not None
    assert worst in broken.kept
    assert broken.scores == {number: score for number, score in found.scores.items() if number != worst}


def _reranking(entry: Entry, reranker: str) -> Any:
    return entry.in_force.changed({"index.rerank": 10, "models.reranker": reranker})


async def test_designs_that_all_retrieve_alike_all_stay(setting: Setting) -> None:
    entries = setting.entries(index__dense_weight=[0.6, 0.6001, 0.6002, 0.6003], index__k=[4, 5])
    found = await setting.pruned(entries)
    assert found is not None
    assert len(set(found.scores.values())) == 1
    assert len(found.kept) == len(entries)


async def test_a_ranking_is_looked_at_no_deeper_than_every_design_goes(setting: Setting) -> None:
    for fewest, depth in ((1, 1), (7, 7), (12, 9)):  # the incumbent goes to 9
        found = await setting.pruned(setting.entries(index__dense_weight=[0.1, 0.4, 0.7, 0.9], index__k=[fewest, 20]))
        assert found is not None
        assert found.metric == f"ndcg@{depth}"


async def test_nothing_is_pruned_by_too_few_searches_or_cases_or_for_a_users_system(
    setting: Setting, tmp_path: Path
) -> None:
    many = setting.entries(index__dense_weight=[0.1, 0.4, 0.7, 0.9])
    assert await setting.pruned(many) is not None
    few = setting.entries(index__dense_weight=[0.1, 0.6], index__k=[4, 5, 6, 7], answers__sentences=[1, 2])
    assert await setting.pruned(few) is None, "two rankings, however many designs"
    theirs = [replace(entry, contender=Contender(system="bot.py:answer")) for entry in many]
    assert await setting.pruned(theirs) is None
    assert await setting.pruned(many, ready=replace(setting.ready, is_foreign=True)) is None
    fewer = replace(setting.ready, gold={**setting.ready.gold, **{case.id: () for case in cases()[:3]}})
    assert await setting.pruned(many, ready=fewer) is None, "29 cases have evidence"
    enough = replace(setting.ready, gold={**setting.ready.gold, **{case.id: () for case in cases()[:2]}})
    left = await setting.pruned(many, ready=enough)
    assert left is not None
    assert left.questions == 30
