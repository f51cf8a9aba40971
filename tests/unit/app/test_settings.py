"""Settings: precedence, origins, and errors that name the nearest right key."""

import os
import tomllib

import pytest

from assay.app.cli.init import settings_text
from assay.app.settings import Settings, known_keys, load_settings, parse_assignment, variable_of
from assay.errors import BadSetting


def write(folder, text):
    (folder / "assay.toml").write_text(text, encoding="utf-8")


def test_flag_beats_environment_beats_file_beats_default(tmp_path):
    write(tmp_path, "[index]\nk = 3\nrrf_k = 10\ncandidates = 50\n")
    in_force = load_settings(
        folder=tmp_path, environ={"ASSAY_INDEX_K": "4", "ASSAY_INDEX_RRF_K": "20"}, flags={"index.k": "5"}
    )
    index = in_force.settings.index
    assert (index.k, index.rrf_k, index.candidates, index.mode) == (5, 20, 50, "fused")
    kinds = {key: in_force.origins[f"index.{key}"].kind for key in ("k", "rrf_k", "candidates", "mode")}
    assert kinds == {"k": "flag", "rrf_k": "environment", "candidates": "file", "mode": "default"}


@pytest.mark.parametrize(
    ("text", "named", "hint"),
    [
        ("[index]\nkk = 3\n", "index.kk", "index.k"),
        ("[indx]\nk = 3\n", "indx", "index"),
        ("[index]\nk = 'many'\n", "index.k", "passages per question"),
        ("[index]\nk = 0\n", "index.k", "passages"),
        ("[index\n", "assay.toml", "Correct"),
        ("index = 3\n", "index", "[index]"),
    ],
)
def test_a_wrong_file_names_what_is_wrong_and_what_to_do(tmp_path, text, named, hint):
    write(tmp_path, text)
    with pytest.raises(BadSetting) as caught:
        load_settings(folder=tmp_path, environ={})
    assert named in caught.value.message
    assert hint in caught.value.hint


def test_a_misspelt_variable_of_ours_is_refused_and_others_are_left_alone(tmp_path):
    load_settings(folder=tmp_path, environ={"ASSAY_SOMETHING_ELSE_ALTOGETHER": "1", "OTHER": "2"})
    with pytest.raises(BadSetting, match="ASSAY_INDEX_MODDE") as caught:
        load_settings(folder=tmp_path, environ={"ASSAY_INDEX_MODDE": "dense"})
    assert "ASSAY_INDEX_MODE" in caught.value.hint


def test_an_unknown_flag_is_refused(tmp_path):
    with pytest.raises(BadSetting, match=r"index\.x"):
        load_settings(folder=tmp_path, environ={}, flags={"index.x": "1"})
    with pytest.raises(BadSetting):
        parse_assignment("index.k")


def test_a_missing_named_file_is_refused(tmp_path):
    with pytest.raises(BadSetting, match="not a file"):
        load_settings(folder=tmp_path, environ={"ASSAY_CONFIG": str(tmp_path / "no.toml")})


@pytest.mark.parametrize("kind", ["a folder", "a link to nothing", "not a file"])
def test_settings_that_are_no_file_are_refused(tmp_path, kind):
    path = tmp_path / "assay.toml"
    if kind == "a folder":
        path.mkdir()
    elif kind == "a link to nothing":
        path.symlink_to(tmp_path / "nowhere.toml")
    else:
        os.mkfifo(path)
    with pytest.raises(BadSetting, match=f"assay.toml is {kind}") as caught:
        load_settings(folder=tmp_path, environ={})
    assert caught.value.hint


def test_changed_settings_keep_the_rest_and_are_marked(tmp_path):
    write(tmp_path, "[index]\nk = 3\n")
    before = load_settings(folder=tmp_path, environ={})
    after = before.changed({"index.mode": "lexical"})
    assert (after.settings.index.k, after.settings.index.mode) == (3, "lexical")
    assert after.origins["index.mode"].kind == "flag"
    assert after.origins["index.k"].kind == "file"
    assert before.settings.index.mode == "fused"
    with pytest.raises(BadSetting):
        before.changed({"index.modee": "lexical"})


def test_a_fresh_file_changes_nothing_and_names_every_setting(tmp_path):
    text = settings_text()
    write(tmp_path, text)
    assert load_settings(folder=tmp_path, environ={}).settings == Settings()
    uncommented = "\n".join(
        line.removeprefix("# ") if " = " in line and line.startswith("# ") and "(ASSAY_" not in line else line
        for line in text.splitlines()
    )
    tables = tomllib.loads(uncommented)
    assert {f"{section}.{name}" for section, table in tables.items() for name in table} == set(known_keys())


def test_every_setting_has_a_description_and_its_own_variable():
    keys = known_keys()
    assert all(field.description for field in keys.values())
    assert len({variable_of(key) for key in keys}) == len(keys)
