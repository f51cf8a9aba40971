"""Arms are opened side by side: models of equal settings are loaded once, a broken arm is marked, none is none."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from assay.app import loading
from assay.app.contender import Contender
from assay.app.measuring import Chosen, Measuring, measuring
from assay.app.race_arms import Field, field_of
from assay.app.race_heats import heats
from assay.app.settings import load_settings
from assay.app.wiring import open_workspace
from assay.decisions.race.space import Factor, Space
from assay.errors import AssayError
from assay.evals.case import Case

CASES = [Case(f"q{number}", f"When does ferry {number} leave?", answers=("at noon",)) for number in range(3)]
REMOTE = {
    "models.threads": "1",
    "models.chat": "gpt",
    "models.chat_base_url": "http://127.0.0.1:9/v1",
    "answers.style": "write",
}


@pytest.fixture
async def measured(tmp_path: Path) -> AsyncIterator[Measuring]:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("The ferry leaves at noon.")
    base = load_settings(folder=tmp_path, environ={}, flags=REMOTE)
    async with open_workspace(base, home=tmp_path / ".assay") as workspace, measuring(workspace) as found:
        await workspace.ingest([tmp_path / "docs"])
        yield found


def field(measured: Measuring, **factors: Any) -> Field:
    space = Space(tuple(Factor(name.replace("__", "."), tuple(levels)) for name, levels in factors.items()))
    return field_of(space, measured.workspace.in_force, Contender())


def opened(measured: Measuring, found: Field) -> Any:
    chosen = Chosen("support", measured.save_part("support", CASES), CASES)
    base = measured.workspace.in_force
    return heats(measured, found.entries, chosen, base, metric="exact_match", budget_usd=None, budget_id="race")


async def test_arms_with_the_same_models_load_them_once(measured: Measuring, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Any] = []
    load = loading.catalogue.embedder
    monkeypatch.setattr(
        loading.catalogue, "embedder", lambda settings, **options: loads.append(settings) or load(settings, **options)
    )
    found = field(measured, index__k=[3, 4, 5, 6], models__chat=["gpt", "gpt-2"])
    async with opened(measured, found) as running:
        assert len(running.runners) == 9
        assert all(runner.ready is not None for runner in running.runners)
        assert len({runner.ready.system.subject for runner in running.runners}) == 9
        # Two models, and the first arm's evaluation has a set of its own.
        assert len(loads) == 3
        assert {settings.chat for settings in loads} == {"gpt", "gpt-2"}


async def test_an_arm_that_cannot_be_opened_is_marked_and_the_others_race(measured: Measuring) -> None:
    found = field(measured, index__language=["klingon", "english", "german"])
    async with opened(measured, found) as running:
        assert [bool(runner.problem) for runner in running.runners] == [True, False, False]
        assert [runner.ready is None for runner in running.runners] == [True, False, False]
        assert "klingon" in running.runners[0].problem
    broken = field_of(
        Space((Factor("index.language", ("klingon",)),)),
        measured.workspace.in_force,
        Contender(changes={"index.language": "vulcan"}),
    )
    with pytest.raises(AssayError):
        async with opened(measured, broken):
            pass
