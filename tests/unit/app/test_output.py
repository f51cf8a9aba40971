"""What is printed cannot drive the terminal, whatever a document, a name or a server says."""

import io

import pytest

from assay.app.cli import output

HOSTILE = "\x1b]0;owned\x07 \x1b[2J \x9b31m \u202eabc \x08\x08 \ud800 end"
FORBIDDEN = set("\x1b\x07\x9b\u202e\x08\ud800")


@pytest.fixture
def screen():
    made = output.console()
    made.file = io.StringIO()
    return made


def test_control_characters_are_replaced_and_text_is_kept():
    assert output.harmless("a\tb\nc\r\nd é 日本 😀 [1]") == "a\tb\nc\nd é 日本 😀 [1]"
    assert not FORBIDDEN & set(output.harmless(HOSTILE))
    assert output.harmless(HOSTILE).endswith("end")
    assert "\n" not in output.on_one_line("weird\nname.md")


def test_a_console_prints_strings_and_tables_harmless(screen):
    from rich.table import Table

    table = Table("name")
    table.add_row(HOSTILE)
    screen.print(HOSTILE, markup=False)
    screen.print(table)
    printed = screen.file.getvalue()
    assert printed.count("end") == 2
    assert not FORBIDDEN & set(printed)


def test_a_note_is_harmless(capsys):
    output.note(HOSTILE)
    assert not FORBIDDEN & set(capsys.readouterr().err)


def test_a_terminal_without_columns_is_printed_to(monkeypatch):
    monkeypatch.setenv("COLUMNS", "0")
    assert output.console().width >= 20


ROWS = [("id", "when", "verdict", "name"), ("abcdef12", "2026-01-01 10:00", "UNDECIDED", "assay index.k=12 " * 5)]


def printed_columns(capsys, **kinds):
    output.print_columns(ROWS, **kinds)
    return capsys.readouterr().out.splitlines()


def test_columns_are_left_out_of_a_narrow_screen_and_never_broken(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    assert printed_columns(capsys, leaving_out=(1,)) == [
        "id        verdict    name",
        "abcdef12  UNDECIDED  " + ("assay index.k=12 " * 5).rstrip(),
    ]
    monkeypatch.delenv("COLUMNS")
    assert "2026-01-01 10:00" in printed_columns(capsys, leaving_out=(1,))[1], "a pipe is never too narrow"
