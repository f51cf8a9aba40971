"""Prompts as factors: a model reads what failed on dev and proposes; the race finds the rule that helps, or nothing."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

BOT = """
def answer(question: str, rules: str = "Answer.") -> str:
    number = question.replace("What is ", "").rstrip("?")
    # Numbers that end in 3 to 9 are answered well only by who is told to write the number alone.
    return number if number[-1] in "012" or "number alone" in rules else "I would rather not say"
"""
SPACE = """
[system]
target = "bot.py:answer"

[base]
rules = "Answer."

[prompts]
key = "rules"
variants = 3
model = "author"
"""


class Author(BaseHTTPRequestHandler):
    """On the OpenAI wire: the first proposal holds the rule, the others are idle words; what it was shown is kept."""

    shown: list[str]
    helps = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.shown.append(json.dumps(body["messages"]))
        words = ["Be kind to whoever asks you.", "Take a breath and think twice before you speak.", "Speak plainly."]
        if self.helps:
            words[0] = "Write the number alone and nothing else."
        text = words[(len(self.shown) - 1) % 3]
        message = {"role": "assistant", "content": f"They refuse.\\n<instructions>\\n{text}\\n</instructions>"}
        reply = {
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20},
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
def author() -> Iterator[tuple[str, type[Author]]]:
    handler = type("Handler", (Author,), {"shown": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1", handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bot.py").write_text(BOT)
    (tmp_path / "space.toml").write_text(SPACE)
    lines = [{"id": f"q{i}", "question": f"What is {i}?", "answers": [str(i)]} for i in range(300)]
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    return tmp_path


def race(home: Path, server: str, *more: str, code: int = 0) -> Any:
    command = ["race", "space.toml", "--against", "bot.py:answer", "--cases", "cases.jsonl", "--metric", "exact_match"]
    done = subprocess.run(
        [sys.executable, "-m", "assay.app.cli.main", *command, "--budget-calls", "400", "--json", *more],
        cwd=home,
        env=os.environ | {"ASSAY_MODELS_CHAT_BASE_URL": server, "OPENAI_API_KEY": "k"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout) if code == 0 else done.stderr


def test_a_rule_that_helps_is_proposed_raced_and_confirmed(home: Path, author: tuple[str, type[Author]]) -> None:
    server, handler = author
    found = race(home, server)
    assert "number alone" in found["winner_levels"]["rules"]
    assert found["verdict"] == "PROMOTE"
    assert found["calls"] <= 400
    start, *proposed = found["prompts"]
    assert start["parent"] is None
    assert start["text"] == "Answer."
    assert {one["parent"] for one in proposed} == {start["digest"]}
    assert all(one["from_cases"] and one["model"] == "author" for one in proposed)
    assert len(handler.shown) == 3

    # What the author saw is of dev questions, and none of those is decided on.
    again = race(home, server)
    assert again["race_id"] == found["race_id"]
    assert len(handler.shown) == 3
    cases = {case for one in proposed for case in one["from_cases"]}
    split = subprocess.run(
        [sys.executable, "-m", "assay.app.cli.main", "cases", "split", "cases", "--json"],
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    assert cases <= set(json.loads(split.stdout)["dev"]["ids"])


def test_idle_words_are_not_promoted(home: Path, author: tuple[str, type[Author]]) -> None:
    server, handler = author
    handler.helps = False
    found = race(home, server)
    assert found["verdict"] != "PROMOTE"


def test_an_author_that_is_down_leaves_a_race_of_what_there_is(home: Path) -> None:
    found = race(home, "http://127.0.0.1:9/v1")
    assert [one["text"] for one in found["prompts"]] == ["Answer."]
    assert any("model_failed" in note for note in found["notes"])
    assert found["verdict"] != "PROMOTE"


def test_instructions_that_nobody_reads_are_refused(home: Path) -> None:
    (home / "space.toml").write_text('[prompts]\nkey = "answers.instructions"\n')
    assert "changes no answer" in race(home, "http://127.0.0.1:9/v1", code=64)
