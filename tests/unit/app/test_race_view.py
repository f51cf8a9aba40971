"""The terminal view of a race: what it says is what the view holds, it keeps to the width, and nothing drives it."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from assay.app.cli.output import console
from assay.app.cli.race_view import RaceBar, plan_lines, print_race, standing
from assay.app.report.race_view import RaceView
from assay.decisions.figures import points
from race_sample import hostile_view, race_view, with_prompts


@pytest.fixture(scope="module")
def done() -> dict[str, Any]:
    return race_view()


def printed(view: dict[str, Any], *, width: int = 100, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    print_race(Console(file=file, width=width, highlight=False, color_system=None), view)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


def test_the_winner_and_the_three_figures_are_those_of_the_view(done: dict[str, Any]) -> None:
    text, found = printed(done), done["confirmation"]
    assert text.startswith("PROMOTE\n")
    assert f"in race    {points(found['race_score'])} points" in text
    assert f"confirmed  {points(found['value'])} points ({points(found['low'])} to {points(found['high'])})" in text
    assert f"optimism   {points(found['race_score'] - found['value'])} points" in text
    assert "winner     k=12 sentences=2" in text
    assert "index.k: 4 to 12" in text
    assert "assay promote c0ffee12" in text
    assert f"{done['spent']['calls']:,} of a grid's 25,920" in text


def test_rounds_effects_frontier_and_sharing_are_listed(done: dict[str, Any]) -> None:
    lines = printed(done).splitlines()
    for one in done["rounds"]:
        asked = one["last"] - one["first"]
        row = [str(one["number"]), str(len(one["arms"])), str(asked), str(asked * len(one["arms"]))]
        assert any(line.split()[:4] == row for line in lines)
    for effect in done["effects"]:
        name = f"{effect['factor'].partition('.')[2]}={effect['level']}"
        assert any(line.split()[:2] == [name, points(effect["effect"])] for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("on the frontier"))
    best = [arm for arm in done["arms"] if arm["on_frontier"] and arm["failed"] < arm["n"]]
    assert len([line for line in lines[at + 1 : at + 1 + len(best)] if "ms" in line]) == len(best)
    assert any(re.fullmatch(r"  retrievals +4,800 instead of 14,400", line) for line in lines)


@pytest.mark.parametrize("width", [60, 100])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_every_line_keeps_to_the_width(done: dict[str, Any], width: int, encoding: str) -> None:
    for view in (done, race_view(rounds=3, status="running"), race_view(verdict="UNDECIDED", priced=False)):
        assert max(map(len, printed(view, width=width, encoding=encoding).splitlines())) <= width


@pytest.mark.parametrize("arms", [1, 2, 300])
def test_one_arm_two_and_three_hundred(arms: int) -> None:
    view = race_view(arms, failing=(), unknown=())
    assert f"{arms} design" in printed(view)


def test_what_is_unknown_is_said_and_not_guessed() -> None:
    view = race_view(12, failing=(3,), incumbent=None)
    for arm in view["arms"]:
        arm["cost_usd"] = arm["p95_ms"] = None
    text = printed(view)
    assert "in race" not in text
    assert "confirmed  " not in text
    assert "not confirmed, so nothing is claimed" in text
    failed = RaceView(view).arms[3]
    assert failed["score"] is None


def test_a_race_that_was_won_by_what_serves_promotes_nothing() -> None:
    view = race_view(changes={"incumbent": race_view()["winner"]["number"]})
    view["confirmation"] = {**view["confirmation"], "decision_id": None, "verdict": "NOT_BETTER", "promotable": False}
    text = printed(view)
    assert "What serves won its own race" in text
    assert "assay promote" not in text


@pytest.mark.parametrize("status", ["interrupted", "budget", "failed"])
def test_a_race_that_stopped_says_how_to_go_on(status: str) -> None:
    text = printed(race_view(rounds=2, status=status))
    assert text.startswith(status.upper())
    assert "Go on: assay race space.toml --budget-usd 5" in text


def test_nothing_from_outside_drives_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    print_race(console(), hostile_view())
    text = capsys.readouterr().out + "\n".join(plan_lines(hostile_view())) + standing(hostile_view())
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_plan_says_designs_rounds_calls_and_price(done: dict[str, Any]) -> None:
    view = with_prompts(race_view(rounds=1, status="planned"))
    view["space"]["left_out"] = [{"levels": {"index.k": 4}, "why": "left out by [[without]]"}] * 3
    text = "\n".join(plan_lines(view))
    plan = view["plan"]
    assert "designs    48: index.k 4, answers.sentences 3" in text
    assert "left out   3 combinations: left out by [[without]]" in text
    assert ", ".join(f"{one['arms']} x {one['items']}" for one in plan["rounds"]) in text
    assert f"{plan['race_calls'] + plan['confirm_calls']:,} of a grid's {plan['grid_calls']:,}" in text
    assert "$1.20 to $2.90" in text
    assert "not known" in "\n".join(plan_lines(race_view(priced=False)))


def test_the_bar_tells_round_designs_and_leader_and_is_silent_without_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = race_view(rounds=3, status="running")
    assert standing(view).startswith("round 3 of 6, 12 in, 720 calls, k=12")
    with RaceBar() as bar:
        bar(view)
    assert "20 questions" in standing({**race_view(), "confirming": 20, "status": "running"})
    assert capsys.readouterr() == ("", "")
