"""Each metric over runs, from the scoreboards kept with them."""

from dataclasses import replace

from assay.evals.columns import rows_of
from assay.evals.history import history
from assay.evals.scoreboard import scoreboard
from report_run import run_of


def test_points_are_oldest_first_and_know_whether_the_cases_are_the_same(tmp_path):
    runs, run, cases = run_of(tmp_path, 30)
    runs.summarise(run.id, scoreboard(rows_of(runs.results(run.id), cases)).as_json())
    newest = runs.get(run.id)
    older = replace(newest, id="0a", created_ns=1, spec=replace(newest.spec, set_digest="other"))
    unfinished = replace(newest, id="0b", created_ns=2, summary=None)
    found = history([newest, older, unfinished])
    points = found["token_f1"]
    assert [point.run_id for point in points] == ["0a", run.id]
    assert [point.same_cases for point in points] == [False, True]
    assert points[1].low <= points[1].value <= points[1].high
    assert points[1].n == newest.summary["metrics"]["token_f1"]["n"]


def test_no_run_has_no_history():
    assert history([]) == {}


def test_the_course_of_a_run_is_of_its_system_and_ends_with_it(tmp_path):
    runs, run, cases = run_of(tmp_path, 30)
    runs.summarise(run.id, scoreboard(rows_of(runs.results(run.id), cases)).as_json())
    kept = runs.get(run.id)

    def at(run_id, created_ns, system):
        return replace(kept, id=run_id, created_ns=created_ns, spec=replace(kept.spec, system=system))

    mine = at("0b", 20, "bot:answer(k=5)")
    others = [at("0a", 10, "bot:answer"), at("0c", 30, "bot:answer"), at("0d", 15, "bot:answer_dict"), mine]
    assert [point.run_id for point in history(others, before=mine)["token_f1"]] == ["0a", "0b"]
