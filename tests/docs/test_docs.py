"""Documentation that fails: every example runs, every link leads somewhere, everything is listed."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "guides").glob("*.md")),
    *sorted((ROOT / "docs" / "concepts").glob("*.md")),
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
BIN = Path(sys.executable).parent

POLICY = """# Returns

Items can be returned within thirty days after delivery. Items must be unused and in their original packaging.

For orders placed between 15 November and 31 December the window is extended to 31 January of the following year.

# Payment

We accept cards and bank transfer. Refunds go to the original payment method within five working days.
"""


MY_BOT = """def answer(question: str, style: str = "long"):
    return "Within thirty days." if not question.endswith("0?") else "I do not know."


def polite(question: str):
    return "Within thirty days."


def tuned(question: str, style: str = "long", tone: str = "plain", examples: int = 0):
    return "Within thirty days." if style == "short" or not question.endswith("0?") else "I do not know."
"""

SPACE = """[system]
target = "my_bot:tuned"

[factors]
style = ["long", "short"]
tone = ["plain", "kind"]
examples = [0, 2, 4]
"""

CASES = """{"id": "q1", "question": "How long can I return things?", "answers": ["thirty days"]}
{"id": "q2", "question": "What is the capital of Australia?", "answerable": false}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's folder: some documents and two result files."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "docs").mkdir()
    (folder / "docs" / "returns-policy.md").write_text(POLICY, encoding="utf-8")
    right_ones = {"before": 60, "after": 75, "rerank": 78, "prompt-v2": 66, "cheap": 55}
    for name, right in ((f"{stem}.jsonl", right) for stem, right in right_ones.items()):
        rows = [
            {"case": f"q{i}", "score": int(i < right), "cost_usd": 0.001, "latency_ms": 800 + i} for i in range(120)
        ]
        (folder / name).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "my_bot.py").write_text(MY_BOT, encoding="utf-8")
    (folder / "space.toml").write_text(SPACE, encoding="utf-8")
    rows = ["item,serves,larger,cheaper", *(f"q{i},{int(i % 3 > 0)},{int(i % 5 > 0)},{int(i % 2)}" for i in range(400))]
    (folder / "outcomes.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    asked = [
        {"id": f"q{i}", "question": f"How long can I return item {i}?", "answers": ["Within thirty days"]}
        for i in range(60)
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    (folder / "cases.jsonl").write_text(CASES, encoding="utf-8")
    return folder


def blocks(language):
    return [
        pytest.param(block, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, (kind, block) in enumerate(FENCE.findall(page.read_text(encoding="utf-8")))
        if kind == language
    ]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def environment(**more):
    return {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", **more}


@pytest.mark.parametrize("block", blocks("bash"))
def test_every_command_runs(folder, block):
    for line in block.splitlines():
        command = line.split("  #")[0].strip()
        if not command or "pip install" in command or command.startswith("make "):
            continue  # the install lines: CI itself is their run
        if command.startswith("assay up"):
            serve_once(folder, command.replace("8321", str(free_port())))
            continue
        if command == "assay init":
            (folder / "assay.toml").unlink(missing_ok=True)
        if command in {"assay trace"} or command.startswith(("assay ask", "assay search")):
            subprocess.run(
                ["assay", "ingest", "docs", "--group", "staff", "--meta", "year=2026"],
                cwd=folder,
                env=environment(),
                check=True,
                capture_output=True,
            )
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def serve_once(folder, command, check=lambda _url: None):
    port = command.rsplit(" ", 1)[1]
    process = subprocess.Popen(
        command.split(), cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        until_answered(f"http://127.0.0.1:{port}/healthz", process)
        check(f"http://127.0.0.1:{port}")
    finally:
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert "Traceback" not in err


def until_answered(url, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                return json.load(response)
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer")


@pytest.mark.parametrize("block", blocks("python"))
def test_every_python_example_runs(folder, block):
    if "8321" not in block:
        subprocess.run([sys.executable, "-c", block], cwd=folder, check=True)
        return
    port = free_port()

    def check(url):
        code = block.replace("http://127.0.0.1:8321", url)
        deadline = time.monotonic() + 60
        while True:
            documents = json.load(urllib.request.urlopen(f"{url}/api/status"))
            if documents["ingestion"]["state"] == "finished" or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        done = subprocess.run([sys.executable, "-c", code], cwd=folder, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "thirty days" in done.stdout
        assert "[1]" in done.stdout

    serve_once(folder, f"assay up docs --port {port}", check)


@pytest.mark.parametrize("block", blocks("toml"))
def test_every_settings_example_loads(tmp_path, block):
    from assay.app.settings import load_settings
    from assay.decisions.race.space import space_of
    from assay.evals.systems.parse import parse_system

    if {"factors", "prompts"} & set(tomllib.loads(block)):
        assert space_of(tomllib.loads(block)).combinations
        return
    if "system" in tomllib.loads(block):
        (tmp_path / "my_bot.py").write_text(MY_BOT, encoding="utf-8")
        (tmp_path / "bot.toml").write_text(block, encoding="utf-8")
        parse_system("bot.toml", folder=tmp_path, environ={"GATEWAY_KEY": "k", "HELP_KEY": "k"})
        return
    (tmp_path / "assay.toml").write_text(block, encoding="utf-8")
    load_settings(folder=tmp_path, environ={})


@pytest.mark.parametrize("block", blocks("json"))
def test_every_json_example_is_json(block):
    for line in block.splitlines():
        json.loads(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_reference_is_up_to_date():
    done = subprocess.run(
        [sys.executable, "-m", "docs.reference", "--check"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_every_verb_and_error_code_is_documented():
    from assay.app.cli.main import VERBS

    commands = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    assert all(f"`assay {verb}`" in commands for verb in VERBS)


def test_the_readme_names_the_commands_ci_runs():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    second = FENCE.search(readme).group(2).splitlines()[1].split("#")[0].strip()
    assert second in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert shutil.which("make")
