"""Pairwise as a metric of a run: against an earlier run or the references; nothing is dropped, nothing mixed up."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from assay.errors import BadSetting, TimedOut
from assay.evals.case import Case, set_digest
from assay.evals.columns import rows_of
from assay.evals.diff import diff
from assay.evals.engine import evaluate, spec_of
from assay.evals.history import history
from assay.evals.judges.opponent import Opponent, earlier_run, references
from assay.evals.judges.pairwise import Against, Pairwise
from assay.evals.metrics import Instruments, described, scorers_for
from assay.evals.output import Output
from assay.evals.result import Result
from assay.evals.runs import RunRecord, Runs
from assay.evals.scoreboard import Scoreboard, scoreboard
from assay.evals.scorer import Scorer
from assay.evals.system import System
from assay.gateway.replica import replica
from assay.ledger.database import Database
from assay.ledger.values import Values
from assay.models.chat import ChatRequest
from assay.models.scripted import ScriptedChat
from eval_parts import Contains, FunctionSystem

CASES = [Case(f"q{i}", f"What is {i}?", answers=(f"right {i}",)) for i in range(6)]
UNANSWERABLE = Case("u", "Who?", answerable=False)


def picks(word: str = "right") -> ScriptedChat:
    """A judge that takes the answer that holds the word; the first where both or neither do."""

    def reply(request: ChatRequest) -> str:
        first, second = request.messages[-1].content.split("<first>")[1].split("<second>")
        better = "second" if word in second and word not in first else "first"
        return json.dumps({"reason": f"It says {word}.", "better": better})

    return ScriptedChat(reply, window=50_000)


class Bench:
    """Runs of one database, each judged against another."""

    def __init__(self, database: Database) -> None:
        self.runs, self.values = Runs(database), Values(database)

    async def run(
        self, system: System, *scorers: Scorer, cases: list[Case] = CASES, replicas: int = 1, resume: bool = True
    ) -> RunRecord:
        return await evaluate(
            system, cases, scorers=scorers, runs=self.runs, values=self.values, set_digest=set_digest(cases),
            replicas=replicas, resume=resume,
        )  # fmt: skip

    def opponent(self, run: RunRecord, cases: list[Case] = CASES, of: list[Case] = CASES) -> Opponent:
        return earlier_run(cases, self.runs.results(run.id), of=of, run_id=run.id, system=run.spec.system)

    def board(self, run: RunRecord, cases: list[Case] = CASES) -> Scoreboard:
        return scoreboard(rows_of(self.runs.results(run.id), cases))

    def results(self, run: RunRecord) -> list[Result]:
        return list(self.runs.results(run.id))


@pytest.fixture
def bench(sqlite_database: Database) -> Iterator[Bench]:
    made = Bench(sqlite_database)
    yield made
    made.values.close()


def answers(*texts: str, subject: str = "a") -> FunctionSystem:
    """A system that gives the n-th text to the n-th question of CASES; it fails on "!"."""

    def answer(question: str) -> str:
        text = texts[int(question.rpartition(" ")[2].rstrip("?"))]
        if text == "!":
            raise TimedOut("No answer.")
        return text

    return FunctionSystem(answer, subject=subject)


async def test_each_answer_is_judged_against_the_earlier_run(bench: Bench) -> None:
    old = await bench.run(answers("right", "wrong", "same", "right a", "wrong", "!"))
    model = picks()
    against = Against(Pairwise(model), bench.opponent(old))
    new = await bench.run(answers("wrong", "right", "same", "right b", "!", "wrong", subject="b"), against)
    values = {one.case_id: one.scores["pairwise"].value for one in bench.results(new)}
    # Worse, better, the same text, a judge that follows the place, a failure here, a failure there.
    assert values == {"q0": 0.0, "q1": 1.0, "q2": 0.5, "q3": 0.5, "q4": 0.0, "q5": 1.0}
    assert len(model.requests) == 6, "three pairs in both orders; the others need no judge"
    metric = bench.board(new).metrics["pairwise"]
    assert (metric.value, metric.n, metric.errors, metric.unscored) == (pytest.approx(0.5), 6, 1, 0)


async def test_a_score_says_whom_it_compares_with_and_whether_the_orders_agree(bench: Bench) -> None:
    old = await bench.run(answers("right", "right", "same", "!", "right", "x"))
    against = Against(Pairwise(picks()), bench.opponent(old))
    new = await bench.run(answers("wrong", "right too", "same", "x", "x", "x", subject="b"), against)
    scores = {one.case_id: one.scores["pairwise"] for one in bench.results(new)}
    name = f"run {old.id[:8]}"
    assert scores["q0"].details == {
        "against": name, "other": "right", "forward": 0.0, "backward": 0.0, "orders_agree": True,
    }  # fmt: skip
    assert scores["q0"].reasoning == "With this answer first: It says right.\nWith the other first: It says right."
    assert (scores["q1"].details["orders_agree"], scores["q1"].value) == (False, 0.5)
    assert "orders_agree" not in scores["q2"].details
    assert scores["q3"].details["other"] == "(failed: timed_out: No answer.)"
    (note,) = bench.board(new).notes
    assert note == (
        f"pairwise is against {name}; 0.5 is a tie. Pairs judged in both orders: 3; the verdict changed with the "
        "order in 1, which are ties."
    )
    recorded = new.spec.scorers[0]
    assert recorded["against"]["run_id"] == old.id
    assert recorded["judge"]["prompts"].keys() >= {"pairwise.better"}


async def test_a_case_the_other_run_lacks_is_not_applicable_and_counted(bench: Bench) -> None:
    elsewhere = [*CASES[:3], replace(CASES[3], question="Something else?"), UNANSWERABLE]
    old = await bench.run(FunctionSystem(lambda _: "right"), cases=elsewhere)
    opponent = bench.opponent(old, of=elsewhere)
    assert opponent.sentence.endswith("3 of 6 cases are there; it does not apply to the other 3")
    system = answers("x", "x", "!", "x", "!", "x", subject="b")
    new = await bench.run(system, Contains(), Against(Pairwise(picks()), opponent))
    scored = {one.case_id: one.scores["pairwise"].value for one in bench.results(new) if "pairwise" in one.scores}
    assert scored == {"q0": 0.0, "q1": 0.0, "q2": 0.0}, "what failed here and is not there is not counted either"
    assert "does not apply to 3 of 6 cases" in bench.board(new).notes[1]


async def test_a_run_that_shares_no_case_is_refused(bench: Bench) -> None:
    elsewhere = [UNANSWERABLE]
    old = await bench.run(FunctionSystem(lambda _: "x"), cases=elsewhere)
    with pytest.raises(BadSetting, match="none of the cases"):
        bench.opponent(old, of=elsewhere)


async def test_replicas_meet_their_own_and_go_round_where_the_other_has_fewer(bench: Bench) -> None:
    cases = CASES[:1]
    old = await bench.run(FunctionSystem(lambda _: f"wrong {replica.get()}"), cases=cases, replicas=2)
    against = Against(Pairwise(picks()), bench.opponent(old, cases, cases))
    new = await bench.run(FunctionSystem(lambda _: "right", subject="b"), against, cases=cases, replicas=3)
    others = [one.scores["pairwise"].details["other"] for one in bench.results(new)]
    assert others == ["wrong 0", "wrong 1", "wrong 0"]
    assert bench.board(new, cases).metrics["pairwise"].n == 1


async def test_another_opponent_is_another_run(bench: Bench) -> None:
    """Else a run begun against one would be gone on with against another."""
    first = await bench.run(FunctionSystem(lambda _: "x"))
    second = await bench.run(FunctionSystem(lambda _: "x", subject="c"))
    grown = [replace(one, output=Output("y")) for one in bench.results(first)]
    opponents = [
        bench.opponent(first),
        bench.opponent(second),
        earlier_run(CASES, grown, of=CASES, run_id=first.id, system="s"),
        references(CASES),
    ]
    system = FunctionSystem(subject="b")
    specs = [
        spec_of(system, CASES, scorers=[Against(Pairwise(picks()), opponent)], set_digest="s").digest
        for opponent in opponents
    ]
    assert len(set(specs)) == len(specs)
    again = spec_of(system, CASES, scorers=[Against(Pairwise(picks()), bench.opponent(first))], set_digest="s")
    assert again.digest == specs[0]


async def test_runs_with_other_opponents_are_on_another_scale(bench: Bench) -> None:
    old = await bench.run(FunctionSystem(lambda _: "x"))
    runs = []
    for number, opponent in enumerate([bench.opponent(old), references(CASES), bench.opponent(old)]):
        system = FunctionSystem(lambda _: "right", subject=f"b{number}")
        made = await bench.run(system, Against(Pairwise(picks()), opponent))
        bench.runs.summarise(made.id, bench.board(made).as_json())
        runs.append(bench.runs.get(made.id))
    assert [point.run_id for point in history(runs)["pairwise"]] == [runs[0].id, runs[2].id]
    rows = [list(rows_of(bench.runs.results(run.id), CASES)) for run in runs]
    apart = diff(rows[0], rows[1])
    assert "pairwise" not in apart.metrics
    assert any("not compared" in note for note in apart.notes)
    assert "pairwise" in diff(rows[0], rows[2]).metrics


async def test_references_are_the_opponent_where_no_run_is_named() -> None:
    cases = [CASES[0], UNANSWERABLE, Case("open", "Why?")]
    model = picks()
    instruments = Instruments(lambda: model, lambda: pytest.fail("no embedder"))
    (scorer,), shown = scorers_for("pairwise", kind="answerer", cases=cases, instruments=instruments)
    assert shown == ("pairwise",)
    better = await scorer.score(cases[0], Output("wrong"), ())
    assert better["pairwise"].value == 0.0
    assert (await scorer.score(UNANSWERABLE, Output(declined=True), ()))["pairwise"].value == 0.5
    assert (await scorer.score(UNANSWERABLE, Output("It was me."), ()))["pairwise"].value == 0.0
    assert await scorer.score(cases[2], Output("So."), ()) == {}
    assert len(model.requests) == 2


def test_without_anybody_to_judge_against_it_is_a_wrong_setting() -> None:
    instruments = Instruments(picks, lambda: pytest.fail("no embedder"))
    with pytest.raises(BadSetting) as caught:
        scorers_for("pairwise", kind="answerer", cases=[Case("a", "?"), UNANSWERABLE], instruments=instruments)
    assert "--against" in caught.value.hint
    with pytest.raises(BadSetting, match="for retrievers"):
        scorers_for("pairwise", kind="retriever", cases=CASES, instruments=instruments)
    assert "pairwise" in [name for name, _, _ in described()]


async def test_a_judge_that_fails_leaves_the_pair_open(bench: Bench) -> None:
    old = await bench.run(FunctionSystem(lambda _: "x"))
    broken = Pairwise(ScriptedChat(lambda _request: "prose", window=50_000))
    new = await bench.run(FunctionSystem(lambda _: "y", subject="b"), Against(broken, bench.opponent(old)))
    board = bench.board(new)
    metric = board.metrics["pairwise"]
    assert (metric.worst, metric.best, metric.unscored) == (0.0, 1.0, 6)
    assert "No pair needed a judge" not in " ".join(board.notes)
