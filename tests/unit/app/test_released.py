"""Settings under a release: over the file, under flags and variables, and whoever differs is told."""

from pathlib import Path
from typing import Any

import pytest

from assay.app.released import aside_notes, served_by, under
from assay.app.settings import load_settings
from assay.decisions.releases import Release
from assay.decisions.served import OF_THE_MACHINE, ROOMS, Served
from assay.errors import BadSetting


def release_of(folder: Path, **flags: Any) -> Release:
    in_force = load_settings(folder=folder, environ={}, flags={k.replace("__", "."): v for k, v in flags.items()})
    return release(served_by(in_force))


def release(served: Served) -> Release:
    return Release("abcdef0123456789", 0, served, "", None, None, without_evidence=True)


def test_a_release_holds_what_an_answer_depends_on_and_nothing_else(tmp_path: Path) -> None:
    held = release_of(tmp_path, index__k=3, server__port=1, models__threads=1).served
    assert held.name == "assay index.k=3"
    assert held.changes == {"index.k": 3}
    assert set(held.rooms) == set(ROOMS)
    assert OF_THE_MACHINE & held.values().keys() == set()
    assert held.values()["models.chat_base_url"] == "https://api.openai.com/v1"
    assert held.prompts == {}, "a quote is written by no prompt"
    assert release_of(tmp_path, answers__style="write").served.prompts.keys() == {"answers.write"}


def test_it_holds_over_the_file_and_under_flags_and_variables(tmp_path: Path) -> None:
    made = release_of(tmp_path, index__k=3, answers__sentences=3, answers__decline_below=0.3)
    (tmp_path / "assay.toml").write_text("[index]\nk = 5\n[answers]\nsentences = 3\n[models]\nthreads = 1\n")
    environ = {"ASSAY_ANSWERS_DECLINE_BELOW": "0.7"}
    base = load_settings(folder=tmp_path, environ=environ, flags={"index.mode": "lexical"})
    settings = under(base, made).settings
    assert (settings.index.k, settings.index.mode, settings.answers.decline_below) == (3, "lexical", 0.7)
    assert settings.models.threads == 1, "of the machine, not of the release"
    origins = under(base, made).origins
    assert str(origins["index.k"]) == "release abcdef01"
    assert str(origins["answers.sentences"]) == "file assay.toml", "it says the same"
    strict = under(base, made, strictly=True).settings
    assert (strict.index.mode, strict.answers.decline_below) == ("fused", 0.3)
    assert under(base, None) is base


def test_whoever_differs_is_told(tmp_path: Path) -> None:
    made = release_of(tmp_path, index__k=3)
    (tmp_path / "assay.toml").write_text("[index]\nk = 5\n")
    base = load_settings(folder=tmp_path, environ={"ASSAY_ANSWERS_SENTENCES": "1"}, flags={"index.mode": "lexical"})
    first, *rest = aside_notes(base, made)
    assert first.startswith("What serves here is not the live release abcdef01: index.mode = 'lexical' (flag;")
    assert "answers.sentences = 1 (environment ASSAY_ANSWERS_SENTENCES; the release: 2)" in first
    assert rest == [
        "assay.toml says index.k = 5; the live release abcdef01 says 3.",
        "Try it: assay try assay.toml",
    ]
    assert aside_notes(load_settings(folder=tmp_path, environ={}, flags={"index.k": "3"}), made) == []


def test_a_setting_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    odd = release(Served("assay", rooms={"answers": {"invented": 1}}))
    with pytest.raises(BadSetting, match=r"answers\.invented.*release abcdef01") as caught:
        under(load_settings(folder=tmp_path, environ={}), odd)
    assert "rollback" in caught.value.hint
