"""`assay up` as an operator meets it: it answers at once, and stops at once, cleanly, at any moment."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

TEXT = "# Returns\n\nItems can be returned within thirty days after delivery, unused and in their packaging.\n"


@pytest.fixture
def up(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "returns.md").write_text(TEXT, encoding="utf-8")
    started = []

    def start(*arguments):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "assay.app.cli.main", "up", *arguments, "--port", str(port)],
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        url = f"http://127.0.0.1:{port}"
        until(lambda: get(f"{url}/healthz"), process)
        return process, url

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return json.load(response)
    except OSError:
        return None


def until(ready, process, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stderr.read()
        if found := ready():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not get ready in time")


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("delay_seconds", [0.0, 0.4, 3.0])
def test_it_stops_cleanly_at_any_moment(up, kind, delay_seconds):
    process, _url = up("docs")
    time.sleep(delay_seconds)
    process.send_signal(kind)
    _out, err = process.communicate(timeout=15)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "terminate" not in err


def test_what_was_asked_is_in_the_ledger_after_sigterm(up, tmp_path):
    process, url = up("docs")
    until(lambda: (get(f"{url}/api/status") or {}).get("ingestion", {}).get("state") == "finished", process)
    body = json.dumps({"question": "How long can items be returned?"}).encode()
    request = urllib.request.Request(f"{url}/api/ask", data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert answer["outcome"] == "answer"
    assert "thirty days" in answer["text"]
    assert get(f"{url}/healthz")["models"] == {"embedder": "ready"}, "a quote needs no chat model, so none is loaded"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=15)
    command = [sys.executable, "-m", "assay.app.cli.main", "trace", answer["trace_id"], "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {"assay.ask", "retrieve", "pack", "verify"} <= {span["name"] for span in json.loads(done.stdout)["spans"]}


def test_an_empty_workspace_says_what_to_do(up):
    process, url = up()
    body = json.dumps({"question": "Anything?"}).encode()
    request = urllib.request.Request(f"{url}/api/ask", data=body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert answer["outcome"] == "declined"
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=15)
    assert "assay ingest" in err
