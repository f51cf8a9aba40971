"""The command line as a user meets it: help, wrong input, exit codes, JSON on stdout and the rest on stderr."""

import json
import os
import subprocess
import sys

import pytest

from assay.app.cli.ingest import print_report
from assay.app.cli.main import VERBS, _ended
from assay.index.ingest import IngestReport
from assay.index.intake import Failure


@pytest.fixture
def run(tmp_path):
    def run(*arguments, **environment):
        return subprocess.run(
            [sys.executable, "-m", "assay.app.cli.main", *arguments],
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def test_help_lists_every_verb(run):
    done = run("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(run, verb):
    done = run(verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: assay " + verb in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ingets"], "ingest"),
        (["ask"], "QUESTION"),
        (["ask", "x", "--no-such-flag"], "--no-such-flag"),
        (["search", "x", "--mode", "magic"], "lexical"),
        (["search", "x", "-k", "0"], "-k"),
        (["ingest"], "PATHS"),
        (["config", "--set", "index.kk=3"], "index.k"),
        (["config", "--set", "index.k=many"], "index.k"),
        (["ask", "x", "--where", "nonsense"], "KEY=VALUE"),
        (["up", "no/such/folder"], "no/such/folder"),
        (["up", "--host", "203.0.113.7", "--port", "0"], "203.0.113.7"),
        (["compare", "missing.jsonl", "missing.jsonl"], "missing.jsonl"),
        (["bench", "retrieval", "missing"], "missing"),
        (["trace", "zzzz"], "zzzz"),
    ],
)
def test_a_mistake_exits_2_and_says_what_to_do(run, arguments, said):
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_with_json_an_error_is_one_object_on_stdout(run):
    done = run("config", "--json", "--set", "index.k=many")
    assert done.returncode == 2
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "bad_setting"
    assert "index.k" in error["message"]
    assert error["hint"]


def test_config_shows_each_value_and_its_origin(run, tmp_path):
    (tmp_path / "assay.toml").write_text("[index]\nk = 5\n", encoding="utf-8")
    shown = json.loads(run("config", "--json", "--set", "index.mode=dense", ASSAY_ANSWERS_SENTENCES="3").stdout)
    settings = shown["settings"]
    assert (settings["index.k"]["value"], settings["index.k"]["origin"]) == (5, "file")
    assert (settings["index.mode"]["value"], settings["index.mode"]["origin"]) == ("dense", "flag")
    assert (settings["answers.sentences"]["value"], settings["answers.sentences"]["origin"]) == (3, "environment")
    assert settings["index.rrf_k"]["origin"] == "default"
    assert not (tmp_path / ".assay").exists(), "looking at settings must create nothing"


def test_config_in_a_file_has_one_line_for_each_setting(run):
    lines = run("config", COLUMNS="40").stdout.splitlines()
    settings = json.loads(run("config", "--json").stdout)["settings"]
    table = lines[lines.index("") + 1 :]
    assert [line.split()[0] for line in table] == ["setting", *settings]
    assert all(line.endswith(settings[line.split()[0]]["description"]) for line in table[1:])


def test_init_writes_once(run, tmp_path):
    assert run("init").returncode == 0
    text = (tmp_path / "assay.toml").read_text(encoding="utf-8")
    again = run("init")
    assert again.returncode == 2
    assert "--force" in again.stderr
    assert (tmp_path / "assay.toml").read_text(encoding="utf-8") == text
    assert run("init", "--force").returncode == 0
    assert run("config").returncode == 0


def test_no_key_is_ever_printed(run):
    secret = "sk-test-0123456789abcdef0123456789abcdef"
    done = run(
        "models", "test", "--set", "models.chat=some-model", "--set", "models.chat_base_url=http://127.0.0.1:9/v1",
        "--set", "models.max_retries=0", OPENAI_API_KEY=secret,
    )  # fmt: skip
    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stdout
    assert secret not in done.stdout + done.stderr


def test_a_taken_port_is_said_with_what_to_do(run):
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        done = run("up", "--port", port)
    assert done.returncode == 2
    assert port in done.stderr
    assert "--port 0" in done.stderr


def test_an_unwritable_workspace_is_said(run, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = run("trace", ASSAY_HOME=str(tmp_path / "file" / "workspace"))
    assert done.returncode == 2
    assert "ASSAY_HOME" in done.stderr


def test_a_bad_database_url_is_said(run):
    done = run("trace", ASSAY_DATABASE_URL="mysql://x/y")
    assert done.returncode == 2
    assert "PostgreSQL" in done.stderr


@pytest.mark.parametrize(
    ("redirection", "code"),
    [("| head -1; exit ${PIPESTATUS[0]}", 0), (">&-", 0), (">/dev/full", 2)],
    ids=["closed pipe", "no stdout", "full disk"],
)
def test_output_that_cannot_be_written_ends_without_a_traceback(tmp_path, redirection, code):
    if "/dev/full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    command = ["bash", "-c", f"{sys.executable} -m assay.app.cli.main config {redirection}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert ("No space left" in done.stderr) == (code == 2)


def test_with_json_a_usage_error_is_one_object_too(run):
    done = run("ask", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "usage"
    assert "QUESTION" in done.stderr


def test_a_bug_of_ours_exits_5_with_the_traceback_and_one_object(capsys):
    assert _ended(ZeroDivisionError("a bug"), as_json=True) == 5
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["code"] == "internal"
    assert "ZeroDivisionError" in printed.err


def test_an_interrupt_exits_130_with_one_object(capsys):
    assert _ended(KeyboardInterrupt(), as_json=True) == 130
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["code"] == "interrupted"
    assert printed.err == "Interrupted.\n"


def test_characters_the_terminal_lacks_become_question_marks(run, tmp_path):
    workspace = tmp_path / "münchen"
    workspace.mkdir()
    done = run("config", ASSAY_HOME=str(workspace), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "m?nchen" in done.stdout


def test_init_that_fails_leaves_the_settings_as_they_were(run, tmp_path):
    (tmp_path / "assay.toml").write_text("[index]\nk = 5\n", encoding="utf-8")
    (tmp_path / "assay.toml.part").mkdir()  # so that nothing can be written there, not even by root
    done = run("init", "--force")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr
    assert (tmp_path / "assay.toml").read_text(encoding="utf-8") == "[index]\nk = 5\n"


def test_a_workspace_that_cannot_be_marked_as_derived_is_said(run, tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / ".gitignore").symlink_to(tmp_path / "nowhere" / "file")
    done = run("trace", ASSAY_HOME=str(workspace))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_the_weights_of_a_server_are_not_claimed_to_be_here(run):
    done = run("models", "list", "--set", "models.chat=some-model", "--set", "models.chat_base_url=http://x/v1")
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("chat")]
    assert line.split() == ["chat", "some-model", "at", "http://x/v1"]


@pytest.mark.parametrize(("question", "said"), [("  ", "empty"), ("x" * 5000, "characters")])
def test_a_search_for_nothing_or_for_a_book_is_refused(run, question, said):
    done = run("search", question)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_report_of_nothing_says_so_and_one_of_failures_says_what_to_do(capsys):
    failure = Failure("a\x1b[31m.pdf", "encrypted", "a\x1b[31m.pdf is encrypted", "Save a copy without a password.")
    print_report(IngestReport(0, 0, 0, 0, 0, ()))
    assert "nothing to read" in capsys.readouterr().err
    print_report(IngestReport(1, 2, 2, 0, 0, (failure,)))
    said = capsys.readouterr().err
    assert "[31m.pdf is encrypted.\n    Save a copy without a password.\n" in said
    assert "\x1b" not in said
