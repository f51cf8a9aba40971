"""`assay trace` draws within any width, without colour, and lets no document drive the terminal."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from assay.app.cli.trace import command, drawn, listed
from assay.ledger.traces import RecordedSpan, Trace

MS = 10**6
START = 1_790_000_000 * 10**9


def recorded(
    name: str,
    at: float,
    to: float,
    *children: RecordedSpan,
    status: str = "ok",
    error_code: str | None = None,
    parent_id: str | None = "a" * 16,
    **attributes: object,
) -> RecordedSpan:
    named = {name.replace("__", "."): value for name, value in attributes.items()}
    return RecordedSpan(
        trace_id="ab" * 16,
        span_id="b" * 16,
        parent_id=parent_id,
        name=name,
        start_ns=START + int(at * MS),
        end_ns=START + int(to * MS),
        status=status,
        error_code=error_code,
        attributes=named,
        children=children,
    )


def asked(question: str = "How long is the context window?", message: str = "401 from the server") -> Trace:
    usage = {"gen_ai__usage__input_tokens": 812, "gen_ai__usage__output_tokens": 60, "assay__cost_usd": 0.00042}
    root = recorded(
        "assay.ask",
        0,
        1240,
        recorded("retrieve", 0, 25, recorded("embed", 2, 9)),
        recorded("pack", 25, 27),
        recorded("generate", 27, 1200, **usage),
        recorded("verify", 1200, 1240, status="error", error_code="refused", assay__error__message=message),
        parent_id=None,
        assay__question=question,
    )
    return Trace("ab" * 16, START, (root,))


@pytest.mark.parametrize("width", [60, 80, 100, 140, 200])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_every_span_has_a_row_within_the_width(width: int, ascii_only: bool) -> None:
    lines = [line.plain for line in drawn(asked(), width=width, ascii_only=ascii_only)]
    assert all(len(line) <= width for line in lines)
    for name in ("assay.ask", "  retrieve", "    embed", "  pack", "  generate", "  verify"):
        assert any(line.startswith(name) for line in lines)
    text = "\n".join(lines)
    assert "1,173 ms" in text
    assert "812>60" in text
    assert "$0.00042" in text
    assert "! refused: 401 from the server" in text
    assert "question: How long" in text
    if ascii_only:
        assert text.isascii()


def test_bars_stand_where_the_work_was() -> None:
    lines = [line.plain for line in drawn(asked(), width=120, ascii_only=True)]
    bars = {line.split()[0]: match.group() for line in lines if (match := re.search(r"[#.]{8,}", line))}
    size = len(bars["generate"])
    assert bars["assay.ask"] == "#" * size
    assert re.fullmatch(r"##?\.+", bars["retrieve"])
    assert bars["verify"].endswith("##")
    assert bars["verify"].startswith("." * (size - 3))
    assert bars["generate"].count("#") == pytest.approx(size * 1173 / 1240, abs=1)


def test_a_document_cannot_drive_the_terminal() -> None:
    evil = "\x1b[2J\x1b]0;owned\x07 why\r\n\u202e?"
    shown = [line.plain for line in drawn(asked(evil, message=evil), width=80, attributes=True)]
    shown += [line.plain for line in listed([asked(evil)], width=80)]
    assert not re.search(r"[\x00-\x1f\x7f\u202e]", "".join(shown))
    assert any("owned" in line for line in shown)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_list_fits_and_names_each_request(width: int) -> None:
    unfinished = Trace("cd" * 16, START, (recorded("retrieve", 0, 3),))
    lines = [line.plain for line in listed([asked(), unfinished], width=width)]
    assert all(len(line) <= width for line in lines)
    assert lines[1].startswith("abababab")
    assert "1,240 ms" in lines[1]
    assert "unfinished" in lines[2]


def test_a_request_cut_short_says_so() -> None:
    lines = [line.plain for line in drawn(Trace("cd" * 16, START, (recorded("retrieve", 0, 3),)), width=80)]
    assert any("ended before this request did" in line for line in lines)


def test_folded_rows_say_how_many_they_stand_for() -> None:
    root = recorded("assay.ingest", 0, 50, *(recorded("embed", n, n + 1) for n in range(50)), parent_id=None)
    lines = [line.plain for line in drawn(Trace("ab" * 16, START, (root,)), width=80, fold=4)]
    assert any("embed x46" in line for line in lines)
    assert len(lines) < 12


def test_the_command_draws_lists_and_prints_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.app.wiring import open_workspace_database
    from assay.ledger.recorder import Recorder
    from assay.ledger.settings import LedgerSettings
    from assay.ledger.spans import span

    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ASSAY_DATABASE_URL", raising=False)
    empty = CliRunner().invoke(command, [])
    assert empty.exit_code == 0
    assert "assay ask" in empty.stderr
    assert json.loads(CliRunner().invoke(command, ["--json"]).stdout) == {"traces": []}

    database = open_workspace_database()
    recorder = Recorder(database, LedgerSettings())
    with recorder.span("assay.ask", {"question": "why?"}) as root, span("retrieve", {"k": 8}):
        pass
    recorder.close()
    database.close()

    picture = CliRunner().invoke(command, [root.trace_id[:6]])
    assert picture.exit_code == 0, picture.output
    assert "  retrieve" in picture.stdout
    assert root.trace_id in picture.stdout
    assert root.trace_id[:8] in CliRunner().invoke(command, []).stdout
    assert "assay.k = 8" in CliRunner().invoke(command, [root.trace_id, "--attributes"]).stdout

    (line,) = json.loads(CliRunner().invoke(command, ["--json"]).stdout)["traces"]
    whole = json.loads(CliRunner().invoke(command, [root.trace_id, "--json"]).stdout)
    assert whole | {"spans": []} == line | {"spans": []}
    assert [found["name"] for found in whole["spans"]] == ["assay.ask", "retrieve"]
    assert whole["spans"][0]["attributes"]["assay.question"] == "why?"
    assert whole["spans"][1]["parent_id"] == whole["spans"][0]["span_id"]
