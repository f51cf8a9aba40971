"""A judge against people: what the check finds where the truth is known, and what it lets the judge be used for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.app.cli.judge import print_report
from assay.errors import BadInput
from assay.evals.judges.check import check
from assay.evals.judges.checks import checked, last_check, save_check
from assay.evals.judges.labels import Label, judged, read_labels
from assay.evals.judges.pairwise import Pairwise
from assay.evals.judges.report import judge_key
from assay.evals.judges.rubric import Rubric
from assay.evals.scorer import Instrument
from assay.ledger.database import Database, open_database, sqlite_url
from assay.models.scripted import ScriptedChat


def labels(
    n: int = 400, *, right: float = 0.9, base: float = 0.6, arms: dict[str, float] | None = None, seed: int = 0
) -> list[Label]:
    """Labels of a judge that is right with this chance, in each arm its own."""
    rng, made = np.random.default_rng(seed), []
    for i in range(n):
        good = bool(rng.random() < base)
        for arm, chance in (arms or {"": right}).items():
            said = good if rng.random() < chance else not good
            made.append(Label(f"c{i}", float(good), score=0.9 if said else 0.1, arm=arm, cost_usd=0.001, calls=1))
    return made


def words(report: Any) -> str:
    return " ".join(report.verdict)


def test_the_figures_of_a_judge_whose_errors_are_known() -> None:
    rows = [Label(f"a{i}", 1, score=1.0 if i < 45 else 0.0) for i in range(50)]
    rows += [Label(f"b{i}", 0, score=1.0 if i < 10 else 0.0) for i in range(50)]
    report = check(rows)
    assert (report.table.true_positives, report.table.false_positives) == (45, 10)
    assert (report.table.false_negatives, report.table.true_negatives) == (5, 40)
    assert report.share.value == 0.85
    assert report.kappa.value == pytest.approx(0.7)
    assert report.phi.value == pytest.approx((45 * 40 - 50) / np.sqrt(55 * 45 * 50 * 50))
    assert report.saves == pytest.approx(report.phi.value**2)
    assert report.rho.value == pytest.approx(report.phi.value)
    (arm,) = report.arms
    assert (arm.sensitivity.value, arm.specificity.value) == (0.9, 0.8)
    assert arm.sensitivity.method == "wilson"
    assert not report.gaps
    assert report.position is None


def test_a_judge_that_failed_stays_in_the_count() -> None:
    rows = [*labels(200), *(Label(f"x{i}", 1, error="no JSON") for i in range(50))]
    report = check(rows)
    assert (report.n, report.failed, report.table.n) == (250, 50, 200)
    worst, best = report.agreement_bounds
    assert worst == pytest.approx(report.share.value * 200 / 250)
    assert best == pytest.approx(worst + 50 / 250)
    assert "50 of 250" in words(report)


def test_few_labels_say_nothing() -> None:
    for rows in (labels(60), labels(400, base=0.99)):
        report = check(rows)
        assert not any((report.uses.triage, report.uses.rate, report.uses.difference))
        assert "Too few labels" in report.verdict[0]


def test_a_weak_judge_may_only_choose_what_people_look_at() -> None:
    report = check(labels(500, right=0.68))
    assert report.saves < 0.2
    assert (report.uses.triage, report.uses.rate) == (True, False)
    assert "Do not compare systems" in words(report)


def test_a_judge_that_guesses_may_do_nothing() -> None:
    assert not check(labels(500, right=0.5)).uses.triage
    assert "contradicts people" in words(check(labels(500, right=0.3)))


def test_differential_error_forbids_comparing() -> None:
    report = check(labels(400, arms={"old": 0.92, "new": 0.75}))
    assert report.uses.rate
    assert not report.uses.difference
    assert any(gap.differs for gap in report.gaps)
    assert "errs differently" in words(report)
    assert {arm.arm for arm in report.arms} == {"old", "new"}


def test_a_judge_that_errs_alike_may_compare_beside_labels() -> None:
    report = check(labels(1500, arms={"old": 0.92, "new": 0.92}))
    assert report.uses.difference
    assert not any(gap.differs for gap in report.gaps)
    few = check(labels(120, arms={"old": 0.92, "new": 0.92}))
    assert not few.uses.difference
    assert "is not shown" in words(few)


def test_false_alarms_about_arms_are_rare() -> None:
    alarms = sum(
        any(gap.differs for gap in check(labels(60, arms={"a": 0.8, "b": 0.8}, seed=seed)).gaps) for seed in range(15)
    )
    assert alarms <= 3


def pair(i: int, good: float, first: float, second: float) -> Label:
    return Label(f"p{i}", good, score=first, swapped=second)


def test_position_bias_and_ties() -> None:
    rng, rows = np.random.default_rng(1), []
    for i in range(300):
        good = float(rng.random() < 0.5)
        rows.append(pair(i, good, 1.0, 0.0) if i < 90 else pair(i, good, good, good))
    report = check(rows)
    assert report.position is not None
    assert report.position.consistent.value == pytest.approx(0.7)
    assert report.position.lean.value == pytest.approx(0.65)
    assert (report.ties, report.table.n, report.share.value) == (90, 210, 1.0)
    assert "favours the first place" in words(report)


def test_length_bias() -> None:
    rng, rows = np.random.default_rng(2), []
    for i in range(300):
        good, length = float(i % 2), float(i)
        said = float(good if rng.random() < 0.9 else not good) * 0.7 + 0.3 * (length > 199)
        rows.append(Label(f"c{i}", good, score=said, length=length))
    report = check(rows)
    assert report.length is not None
    assert [band.n for band in report.length.bands] == [100, 100, 100]
    assert report.length.slope.value == pytest.approx(0.3, abs=0.06)
    assert "overrates longer answers" in words(report)
    assert check(labels(100)).length is None


def test_people_are_the_ceiling() -> None:
    rng, rows = np.random.default_rng(3), []
    for i in range(200):
        good = rng.random() < 0.5
        people = tuple(float(good if rng.random() < 0.9 else not good) for _ in range(3))
        rows.append(Label(f"c{i}", round(np.mean(people)), labels=people, score=float(good)))
    report = check(rows)
    assert report.human is not None
    assert report.human.people == 3
    assert report.human.kappa == pytest.approx(0.64, abs=0.12)
    assert report.human.alpha == pytest.approx(report.human.kappa, abs=0.02)
    assert "People agree with each other" in words(report)


def test_clusters_widen_the_intervals() -> None:
    alone = labels(400)
    shared = [Label(f"c{i}", one.label, score=one.score, cluster=f"d{i // 20}") for i, one in enumerate(sorted(
        alone, key=lambda label: (label.label, label.score or 0)))]  # fmt: skip
    assert check(shared).clusters == 20
    assert check(shared).kappa.half_width > check(alone).kappa.half_width


def test_thresholds_are_separate() -> None:
    rows = [Label(f"c{i}", 0.75 if i % 2 else 1.0, score=0.3 if i % 2 else 0.4) for i in range(200)]
    assert check(rows, threshold=0.35, label_threshold=0.9).share.value == 1.0


def test_nothing_judged_is_refused() -> None:
    with pytest.raises(BadInput, match="no usable verdict"):
        check([Label("a", 1, error="no JSON")])
    with pytest.raises(BadInput, match="tie"):
        check([pair(0, 1, 1.0, 0.0)])


def test_a_report_is_json_whatever_its_limits() -> None:
    rows = labels(30, arms={"a": 0.9, "b": 0.9})
    shape = check([*rows, Label("one", 1, score=1.0, cluster="x", length=5.0)]).as_json()
    text = json.dumps(shape, allow_nan=False)
    assert json.loads(text)["table"]["true_positives"] == shape["table"]["true_positives"]


# --- labels -----------------------------------------------------------------------------------------------------------


def written(path: Path, *rows: Any) -> Path:
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def test_labels_are_read(tmp_path: Path) -> None:
    found = read_labels(
        written(
            tmp_path / "labels.jsonl",
            {"case": "q1", "label": 1, "score": 0.8, "arm": "old", "cost_usd": 0.01},
            {"case": "q1", "label": True, "score": 1, "swapped": 0, "arm": "new", "length": -4},
            {"id": 7, "labels": [1, 0, 1], "question": "Q?", "answer": "A.", "contexts": ["P."]},
            {"case": "q3", "label": 0, "error": "no JSON"},
        )
    )
    assert [label.case for label in found] == ["q1", "q1", "7", "q3"]
    assert found[0] == Label("q1", 1.0, score=0.8, arm="old", cost_usd=0.01)
    assert (found[1].swapped, found[1].length) == (0.0, -4.0)
    assert (found[2].label, found[2].labels, found[2].is_judged) == (pytest.approx(2 / 3), (1.0, 0.0, 1.0), False)
    assert found[3].is_judged


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"label": 1, "score": 1}, 'no "case"'),
        ({"case": "a", "score": 1}, 'no "label"'),
        ({"case": "a", "label": 1}, "neither a score nor an answer"),
        ({"case": "a", "label": 4, "score": 1}, "outside 0 to 1"),
        ({"case": "a", "label": 1, "score": -0.1}, "outside 0 to 1"),
        ({"case": "a", "label": "good", "score": 1}, "no number"),
        ({"case": "a", "labels": [1, "x"], "score": 1}, "no list of numbers"),
        ({"case": "a", "labels": [1, 5], "score": 1}, 'outside 0 to 1'),
        ({"case": "a", "label": 1, "swapped": 1, "answer": "x"}, 'no "score"'),
        ({"case": "a", "label": 1, "score": 1, "verdict": 1}, 'unknown field "verdict"'),
        ({"case": "a", "label": 1, "answer": 3, "score": 1}, "no text"),
        ("{broken", "not JSON"),
        ('{"case": "a", "label": NaN, "score": 1}', "NaN"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_named(tmp_path: Path, row: Any, wrong: str) -> None:
    good = {"case": "first", "label": 1, "score": 1}
    with pytest.raises(BadInput) as caught:
        read_labels(written(tmp_path / "labels.jsonl", good, row))
    assert wrong in caught.value.message
    assert "2" in caught.value.message
    assert caught.value.hint


def test_a_case_twice_and_an_empty_file_are_named(tmp_path: Path) -> None:
    row = {"case": "a", "label": 1, "score": 1}
    with pytest.raises(BadInput, match="line 1 again"):
        read_labels(written(tmp_path / "twice.jsonl", row, row))
    with pytest.raises(BadInput, match="holds no label"):
        read_labels(written(tmp_path / "empty.jsonl"))


async def test_texts_are_judged_now_and_recorded_scores_kept() -> None:
    model = ScriptedChat(
        lambda request: json.dumps({"reason": "r", "level": 3 if "1932" in request.messages[-1].content else 1}),
        window=50_000,
    )
    rows = [
        Label("a", 1, question="When?", answer="In 1932.", reference="1931."),
        Label("b", 0, question="When?", answer="In 1871.", reference="1931."),
        Label("c", 1, question="When?", answer="In 1932."),
        Label("d", 1, score=0.25, question="When?", answer="In 1932.", reference="1931."),
    ]
    found = await judged(rows, Rubric(model))
    assert [label.score for label in found] == [1.0, 0.0, None, 0.25]
    assert "does not apply" in found[2].error
    assert (found[0].length, found[3].length) == (8.0, None)
    assert len(model.requests) == 2


async def test_pairs_are_judged_in_both_orders() -> None:
    model = ScriptedChat(lambda _request: json.dumps({"reason": "r", "better": "first"}), window=50_000)
    (found,) = await judged([Label("a", 1, question="When?", answer="In 1932.", other="In 71.")], Pairwise(model))
    assert (found.score, found.swapped, found.length) == (1.0, 0.0, 2.0)


# --- kept checks ------------------------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Any:
    opened: Database = open_database(sqlite_url(tmp_path / "assay.db"))
    yield opened
    opened.close()


def test_an_instrument_carries_its_last_check(database: Database) -> None:
    instrument = Instrument("rubric", "m [d]", {"rubric.level": "ab", "again": "cd"})
    key = judge_key(instrument)
    assert key == "rubric@cd,ab@m [d]"
    assert checked(database, instrument) == instrument
    save_check(database, check(labels(100, right=0.7), key=key))
    made = save_check(database, check(labels(300), key=key))
    kept = last_check(database, key)
    assert kept is not None
    assert (kept.id, kept.report["n"]) == (made, 300)
    assert checked(database, instrument).last_check == kept.summary
    assert "on 300 labels" in kept.summary
    assert last_check(database, judge_key(Instrument("rubric", "m [d]", {"rubric.level": "ef"}))) is None


def test_what_the_labels_do_not_define_is_said_to_be_undefined() -> None:
    """One good label, judged good: there is nothing to correlate, no bad case, and no interval but of the share."""
    report = check([Label("a", 1, score=0.9)])
    for figure in (report.kappa, report.phi, report.rho, report.auroc, report.arms[0].specificity):
        assert (np.isnan(figure.value), figure.method) == (True, "undefined")
    assert report.share.low < 0.1
    assert report.ac1.method == "none"
    shape = report.as_json()
    assert (shape["kappa"]["value"], shape["saves"]) == (None, None)


@pytest.mark.parametrize("n", [2, 40])
def test_few_labels_that_agree_have_no_zero_width_interval(n: int) -> None:
    report = check([Label(f"c{i}", i % 2, score=0.9 if i % 2 else 0.1) for i in range(n)])
    assert report.share.high - report.share.low > 0.05
    for figure in (report.kappa, report.ac1, report.phi, report.rho, report.auroc):
        assert (figure.value, figure.method) == (pytest.approx(1.0), "none")


def test_a_judge_that_never_erred_may_still_err() -> None:
    """200 labels: the rule of three allows an error in 54; kappa, AC1 and phi reach down as far."""
    report = check([Label(f"c{i}", i % 2, score=0.9 if i % 2 else 0.1) for i in range(200)])
    assert report.share.low == pytest.approx(0.981, abs=0.002)
    for figure in (report.kappa, report.ac1, report.phi):
        assert 0.95 < figure.low < 0.97
    assert report.auroc.method == "none"
    assert report.uses.rate


def test_a_judge_with_one_verdict_and_labels_of_few_documents_say_nothing() -> None:
    constant = check([Label(f"c{i}", i % 2, score=0.9) for i in range(200)])
    assert "same verdict throughout" in constant.verdict[0]
    assert (constant.kappa.value, np.isnan(constant.phi.value)) == (0.0, True)
    few = check([Label(f"c{i}", i % 2, score=0.9 if i % 2 else 0.1, cluster=f"d{i % 5}") for i in range(200)])
    assert "Too few clusters" in few.verdict[0]
    assert few.phi.method == "none"


def test_a_check_without_limits_is_named_without_them(database: Database) -> None:
    save_check(database, check([Label("a", 1, score=0.9)], key="k"))
    kept = last_check(database, "k")
    assert kept is not None
    assert kept.summary.endswith("phi undefined on 1 labels")


def test_what_is_undefined_is_printed_so_and_arms_are_tested(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(check([Label("a", 1, score=0.9)]))
    said = capsys.readouterr().out
    assert "0.000" not in said
    assert "calls and cost" not in said
    print_report(check(labels(arms={"a": 0.9, "b": 0.7})))
    assert "sensitivity, a minus the rest" in capsys.readouterr().out
