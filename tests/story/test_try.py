"""`assay try` on a user's own functions: promoted, refused, undecided; killed and resumed; labelled; released."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

CASES = 400
BOTS = """
import hashlib, os, time

def _draw(question, salt):
    return int(hashlib.sha256(f"{salt}/{question}".encode()).hexdigest()[:8], 16) / 2**32

def _answer(question, right):
    path = os.environ.get("PAID_LOG")
    if path:
        with open(path, "a") as log:
            log.write(question + "\\n")
    time.sleep(float(os.environ.get("BOT_SECONDS", "0")))
    return question.replace("What is ", "").rstrip("?") if right else "no idea"

def base(question) -> str: return _answer(question, _draw(question, "base") < 0.6)
def better(question) -> str: return _answer(question, _draw(question, "base") < 0.6 or _draw(question, "more") < 0.5)
def worse(question): return _answer(question, _draw(question, "base") < 0.6 and _draw(question, "less") < 0.6)
def equal(question):
    # Four of 400 questions go the other way: too few for any rule to see, in whatever order they come.
    other = int(question.replace("What is ", "").rstrip("?")) % 130 == 7
    return _answer(question, (_draw(question, "base") < 0.6) != other)
def flattered(question):
    return base(question).replace("no idea", "some thought")
def failing(question) -> str:
    if _draw(question, "fail") < 0.5:
        raise RuntimeError("out of order")
    return better(question)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bots.py").write_text(BOTS)
    lines = [{"id": f"q{i}", "question": f"What is {i}?", "answers": [str(i)]} for i in range(CASES)]
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return tmp_path


def run(
    home: Path, *arguments: str, code: int = 0, stdin: str = "", **environ: str
) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [sys.executable, "-m", "assay.app.cli.main", *arguments],
        cwd=home,
        env=os.environ | environ,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def assay(home: Path, *arguments: str, **kinds: Any) -> Any:
    done = run(home, *arguments, **kinds)
    return json.loads(done.stdout) if "--json" in arguments else done.stdout


def try_(home: Path, candidate: str, *more: str, **kinds: Any) -> Any:
    command = ["try", "--system", f"bots:{candidate}", "--against", "bots:base", "--cases", "cases.jsonl"]
    return assay(home, *command, "--metric", "exact_match", "--json", *more, **kinds)


def test_a_better_one_is_promoted_a_worse_one_refused_and_an_equal_one_left_open(home: Path) -> None:
    better = try_(home, "better")
    assert better["verdict"] == "PROMOTE"
    assert better["promotable"]
    assert better["difference"]["low"] > 0
    assert better["difference"]["raw"] >= better["difference"]["value"]
    assert better["n"] < 250
    shared = {"verdict", "difference", "wins", "losses", "ties", "n", "clusters", "alpha", "margin", "needed", "cost"}
    assert shared | {"latency"} <= set(better)
    worse = try_(home, "worse")
    assert worse["verdict"] in ("WORSE", "NOT_BETTER")
    assert not worse["promotable"]
    equal = try_(home, "equal", "--smallest", "0.005", "--margin", "0.005")
    assert equal["verdict"] == "UNDECIDED"
    assert equal["needed"] is None or equal["needed"] >= 0
    failing = try_(home, "failing")
    assert failing["verdict"] in ("WORSE", "NOT_BETTER")
    assert failing["failures"] > 0


def test_the_plan_says_what_it_takes_and_asks_nothing(home: Path) -> None:
    log = home / "paid.log"
    plan = try_(home, "better", "--plan", PAID_LOG=str(log))
    assert not log.exists()
    assert (plan["questions"], plan["dev_questions"], plan["rule"]) == (280, 20, "exact-horizon")
    assert plan["alpha"] == pytest.approx(0.025)
    none, some, more = plan["chances"]
    assert none["promote"] <= plan["alpha"] < some["promote"] < more["promote"]
    assert assay(home, "decisions", "--json")["decisions"] == []
    done = try_(home, "better", PAID_LOG=str(log))
    assert done["alpha"] == pytest.approx(0.025)
    assert len(log.read_text().splitlines()) <= 2 * (plan["questions"] + plan["dev_questions"])


def test_asking_again_is_the_same_decision_and_costs_nothing(home: Path) -> None:
    first = try_(home, "better")
    log = home / "paid.log"
    again = try_(home, "better", PAID_LOG=str(log))
    assert again["decision_id"] == first["decision_id"]
    assert not log.exists()
    listed = assay(home, "decisions", "--json")["decisions"]
    assert [found["decision_id"] for found in listed] == [first["decision_id"]]
    assert assay(home, "decisions", "check", first["decision_id"], "--json")["agrees"]


def test_later_tries_on_one_set_have_less_to_spend(home: Path) -> None:
    alphas = [try_(home, name)["alpha"] for name in ("worse", "failing")]
    assert alphas[0] == pytest.approx(0.025)
    assert alphas[1] < alphas[0]


def test_killed_in_the_middle_it_goes_on_and_pays_nothing_twice(home: Path) -> None:
    log = home / "paid.log"
    command = ["try", "--system", "bots:equal", "--against", "bots:base", "--cases", "cases.jsonl"]
    command += ["--metric", "exact_match", "--json", "--smallest", "0.005", "--margin", "0.005"]
    environ = os.environ | {"PAID_LOG": str(log), "BOT_SECONDS": "0.1"}
    for paid, how in ((60, signal.SIGINT), (180, signal.SIGKILL)):
        attempt = subprocess.Popen(
            [sys.executable, "-m", "assay.app.cli.main", *command],
            cwd=home,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while (len(log.read_text().splitlines()) if log.exists() else 0) < paid and time.monotonic() < deadline:
            time.sleep(0.01)
        attempt.send_signal(how)
        said = attempt.communicate(timeout=60)[1]
        if how is signal.SIGINT:
            assert attempt.returncode == 130
            assert said.count("Interrupted") == 1
            assert "run the same command again to go on" in said
    (begun,) = assay(home, "decisions", "--json")["decisions"]
    assert begun["status"] == "interrupted", "nobody holds it"
    assert "interrupted" in assay(home, "decisions", COLUMNS="60")
    done = assay(home, *command, PAID_LOG=str(log))
    asked = log.read_text().splitlines()
    # Each question once of each side, the few that tell what kind of system it is, and at most what was in flight at a
    # kill: 8 of each side.
    assert len(asked) <= 2 * len(set(asked)) + 3 + 2 * 2 * 8
    assert len(assay(home, "decisions", "--json")["decisions"]) == 1
    assert assay(home, "decisions", "check", done["decision_id"], "--json")["agrees"]


def test_a_budget_is_that_of_the_whole_decision_however_often_it_is_gone_on_with(home: Path) -> None:
    for name in ("base", "better"):
        table = f'[system]\nkind = "callable"\ntarget = "bots:{name}"\ncost_usd_per_question = 0.01\n'
        (home / f"{name}.toml").write_text(table)
    log = home / "paid.log"
    command = ["try", "--system", "better.toml", "--against", "base.toml", "--cases", "cases.jsonl", "--json"]
    command += ["--metric", "exact_match"]
    asked, decisions = [], set()
    for limit in ("0.2", "0.2", "0.4"):
        done = run(home, *command, "--budget-usd", limit, code=3, PAID_LOG=str(log))
        decisions.add(json.loads(done.stdout)["decision_id"])
        asked.append(len(log.read_text().splitlines()))
    assert 0 < asked[0] == asked[1] <= 20
    assert asked[1] < asked[2] <= 40
    assert len(decisions) == 1


def test_an_edited_candidate_starts_over(home: Path) -> None:
    first = try_(home, "better")
    (home / "bots.py").write_text(BOTS.replace('"more") < 0.5', '"more") < 0.6'))
    second = try_(home, "better")
    assert second["decision_id"] != first["decision_id"]
    assert second["hypothesis_digest"] != first["hypothesis_digest"]


def test_a_function_edited_since_its_verdict_is_not_promoted_by_it(home: Path) -> None:
    decision = try_(home, "better")["decision_id"]
    (home / "bots.py").write_text(BOTS + "\n# another behaviour\n")
    said = assay(home, "promote", decision, "--json", code=64)
    assert "edited since" in said["error"]["message"]
    (home / "bots.py").write_text(BOTS)
    assay(home, "promote", decision)
    assert not assay(home, "releases", "--json")["live"]["without_evidence"]


def test_a_release_holds_the_digest_of_its_function_and_says_when_it_was_edited(home: Path) -> None:
    assay(home, "promote", try_(home, "better")["decision_id"])
    live = assay(home, "releases", "--json")["live"]
    assert len(live["identity"]) == 64
    assert live["edited_since"] is False
    shown = assay(home, "releases")
    assert f"code {live['identity'][:12]}" in shown
    assert "edited" not in shown
    (home / "bots.py").write_text(BOTS + "\n# another behaviour\n")
    assert assay(home, "releases", "--json")["live"]["edited_since"] is True
    assert f"code {live['identity'][:12]}, edited since" in assay(home, "releases")
    plan = ["try", "--system", "bots:flattered", "--cases", "cases.jsonl", "--metric", "exact_match", "--plan"]
    assert f"edited since release {live['id'][:8]}" in run(home, *plan).stderr
    (home / "bots.py").unlink()
    assert assay(home, "releases", "--json")["live"]["edited_since"] is None, "nothing is said of what is not here"


def test_labels_change_what_a_verdict_may_claim(home: Path) -> None:
    decision = try_(home, "better")["decision_id"]
    done = assay(home, "label", decision, "--labels", "30", "--json", stdin="n\n" * 30)
    assert done["support"] == "HUMAN-CALIBRATED"
    assert done["verdict"] != "PROMOTE"
    shown = assay(home, "decisions", "show", decision, "--json")
    assert shown["judged_quality"] == "PROMOTE"
    assert not shown["promotable"]


class FlatteringJudge(BaseHTTPRequestHandler):
    """On the OpenAI wire: "no idea" is wrong and everything else right, so that a wrong answer in other words wins."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked = json.dumps(body["messages"])
        level = 1 if "no idea" in asked else 3
        message = {"role": "assistant", "content": json.dumps({"reason": "so", "level": level})}
        reply = {
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        }
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Silence."""


@pytest.fixture
def judge() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FlatteringJudge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_a_judge_supports_and_a_person_calibrates(home: Path, judge: str) -> None:
    settings = ["--set", f"evals.judge_base_url={judge}", "--judge", "scripted-judge", "--metric", "rubric"]
    command = ["try", "--system", "bots:flattered", "--against", "bots:base", "--cases", "cases.jsonl", *settings]
    found = assay(home, *command, "--json", OPENAI_API_KEY="unused")
    assert (found["verdict"], found["support"]) == ("PROMOTE", "JUDGE-SUPPORTED")
    # The person sees what the judge does not: the candidate's answers are as wrong as the others.
    done = assay(home, "label", found["decision_id"], "--labels", "40", "--json", stdin="n\n" * 40)
    assert done["support"] == "HUMAN-CALIBRATED"
    assert done["verdict"] != "PROMOTE"
    shown = assay(home, "decisions", "show", found["decision_id"], "--json")
    assert (shown["judged_verdict"], shown["promotable"]) == ("PROMOTE", False)
    assert assay(home, "promote", found["decision_id"], code=64) == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["try"], "no change to try"),
        (["try", "--system", "bots:base", "--against", "bots:base", "--cases", "cases.jsonl"], "nothing to try"),
        (["try", "--system", "bots:nobody", "--against", "bots:base", "--cases", "cases.jsonl"], "nobody"),
        (["try", "--set", "index.kk=3", "--cases", "cases.jsonl"], "index.kk"),
        (["try", "--system", "bots:better", "--against", "bots:base", "--cases", "few.jsonl"], "few"),
        (["decisions", "show", "abc"], "no decision"),
        (["label"], "no finished decision"),
    ],
)
def test_what_cannot_be_tried_says_why(home: Path, arguments: list[str], said: str) -> None:
    (home / "few.jsonl").write_text('{"id": "1", "question": "What is 1?", "answers": ["1"]}\n')
    done = subprocess.run(
        [sys.executable, "-m", "assay.app.cli.main", *arguments], cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode >= 64
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_wins_and_losses_of_confirm_cases_are_not_listed(home: Path) -> None:
    runs = [
        assay(home, "eval", "--system", f"bots:{name}", "--cases", "cases.jsonl", "--metrics", "exact_match", "--json")
        for name in ("base", "better")
    ]
    ids = [run["run_id"] for run in runs]
    before = assay(home, "runs", "diff", *ids, "--json")
    assay(home, "cases", "split", "cases", "--json")
    after = assay(home, "runs", "diff", *ids, "--json")
    assert after["counts"] == before["counts"]
    shown, all_shown = {case["case"] for case in after["cases"]}, {case["case"] for case in before["cases"]}
    assert shown < all_shown
    confirm = sorted(all_shown - shown)
    assert any("decisions are made on" in note for note in after["notes"])
    opened = assay(home, "cases", "open", "cases", confirm[0], "--yes", "--json")
    assert opened
    again = {case["case"] for case in assay(home, "runs", "diff", *ids, "--json")["cases"]}
    assert again - shown == {confirm[0]}
