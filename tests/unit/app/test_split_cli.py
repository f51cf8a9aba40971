"""`assay cases split`, `budget` and `open` as a user meets them."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from assay.app.cli.cases import command
from assay.app.cli.main import main
from assay.app.wiring import open_workspace_database
from assay.decisions.evidence_budget import EvidenceBudget
from assay.decisions.hypothesis import Hypothesis, Margins, Named
from assay.decisions.register import Register
from assay.errors import BadInput, NotFound
from assay.evals.case import Case
from assay.evals.cases import CaseStore

CASES = [Case(f"q{i}", f"What is {i}?", cluster=f"c{i // 4}") for i in range(240)]


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ASSAY_DATABASE_URL", raising=False)
    database = open_workspace_database()
    CaseStore(database).save("golden", CASES, "golden.jsonl")
    database.close()


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(command, list(arguments), input=typed, catch_exceptions=False)


def shape(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json").stdout)
    return found


def decided(decision_id: str, verdict: str) -> None:
    """A decision on the set that was taken, and ended with a verdict."""
    database = open_workspace_database()
    budget = EvidenceBudget(database)
    alpha = budget.take("golden", 1, decision_id)
    hypothesis = Hypothesis(
        set_name="golden",
        season=1,
        set_digest="0" * 64,
        order_digest="0" * 64,
        items=160,
        clusters=40,
        metric="f1",
        incumbent=Named("serving", "s1"),
        candidate=Named("larger k\x1b[2J", "s2"),
        scorers=(),
        objective="better",
        rule="cluster-looks",
        alpha=alpha,
        beta=0.05,
        margins=Margins(),
    )
    Register(database).open(hypothesis, details={}, decision_id=decision_id)
    Register(database).update(decision_id, verdict=verdict, status="done")
    budget.settle(decision_id, rejected=verdict == "PROMOTE")
    database.close()


def test_a_split_is_shown_with_what_it_can_see() -> None:
    done = run("split", "golden")
    assert "dev" in done.stdout
    assert "confirm, season 1" in done.stdout
    assert "points" in done.stdout
    found = shape("split")
    assert (found["set"], found["dev"]["clusters"], found["dev"]["cases"], found["warnings"]) == ("golden", 18, 72, [])
    assert set(found["dev"]["ids"]) < {case.id for case in CASES}
    (season,) = found["seasons"]
    assert (season["clusters"], season["cases"], season["alpha_next"]) == (42, 168, 0.025)
    # Formula by hand: (1.96 + 0.8416)·sqrt(.16/n)
    assert season["detectable"] == pytest.approx({"cases_independent": 0.0865, "clusters_as_one": 0.1729}, abs=1e-4)


def test_the_budget_says_who_spent_what_and_what_is_left() -> None:
    assert "not split yet" in run("budget").stderr
    assert shape("budget")["seasons"] == []
    run("split")
    decided("a" * 32, "PROMOTE")
    decided("b" * 32, "NOT_BETTER")
    found = shape("budget", "golden")["seasons"][0]
    told = [(line["decision"][0], line["verdict"], line["alpha"], line["handed_on"]) for line in found["lines"]]
    assert told == [("a", "PROMOTE", 0.025, 0.025), ("b", "NOT_BETTER", pytest.approx(0.025 + 0.05 / 6), 0.0)]
    assert (found["alpha_next"], found["left"]) == pytest.approx((0.05 / 12, 0.05 / 3))
    # Formula by hand: P(Z < .05/sqrt(.16/n) - 2.638)
    assert found["chance"] == pytest.approx(
        {"gain": 0.05, "cases_independent": 0.154, "clusters_as_one": 0.034}, abs=2e-3
    )
    text = run("budget").stdout
    assert "PROMOTE" in text
    assert "0.017 of 0.05 left, 0.0042 for the next decision." in text
    assert "\x1b" not in text


def test_opening_a_case_asks_and_says_the_cost() -> None:
    dev = set(shape("split")["dev"]["ids"])
    kept = next(case.id for case in CASES if case.id not in dev)
    refused = run("open", "golden", kept, typed="n\n")
    assert "4 cases of golden will be dev for good, and 0.025 of the evidence budget is spent" in refused.stderr
    assert shape("split")["dev"]["cases"] == 72
    assert "Nothing was opened." in refused.stderr
    done = run("open", "golden", kept, typed="y\n")
    assert "4 moved to dev" in done.stdout
    assert shape("split")["dev"]["cases"] == 76
    assert "nothing was spent" in run("open", "golden", kept).stdout
    assert "opened c" in run("budget").stdout
    again = shape("open", "golden", kept, "--yes")
    assert (again["clusters"], again["cost"]) == ([], 0)


def test_what_makes_no_sense_is_refused() -> None:
    run("split")
    digest = json.loads(run("list", "--json").stdout)["sets"][0]["digest"]
    with pytest.raises(NotFound, match="belongs to a name"):
        run("split", digest)
    with pytest.raises(NotFound, match="no set of cases"):
        run("budget", "nope")
    with pytest.raises(NotFound, match="no case 'nope'"):
        run("open", "golden", "nope")
    with pytest.raises(BadInput, match="never drawn again"):
        run("split", "--dev-share", "0.5")
    with pytest.raises(BadInput, match="dev share"):
        run("split", "--dev-share", "7")


@pytest.mark.parametrize(
    "wrong", [["open", "nosuch", "q1", "--yes"], ["open", "golden"], ["split", "nosuch"], ["budget", "nosuch"]]
)
def test_what_is_wrong_with_the_command_exits_above_the_verdicts(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cases", *wrong])
    assert ended.value.code == 64
    with pytest.raises(SystemExit) as ended:
        main(["cases", "show", "nosuch"])
    assert ended.value.code == 2
