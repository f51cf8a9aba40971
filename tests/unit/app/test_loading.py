"""Models load where the settings have a use for them, and are not spoken of where they have none."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from assay.app.loading import roles_in_use
from assay.app.settings import load_settings
from assay.app.wiring import Workspace, open_workspace


@pytest.fixture
async def workspace(tmp_path: Path) -> AsyncIterator[Workspace]:
    (tmp_path / "ferry.md").write_text("The ferry to Halden leaves at seven in the morning.\n")
    in_force = load_settings(folder=tmp_path, environ={})
    async with open_workspace(in_force, home=tmp_path / ".assay") as opened:
        await opened.ingest([tmp_path / "ferry.md"])
        yield opened


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, ("embedder",)),
        ({"answers.phrase": "true"}, ("embedder", "chat")),
        ({"answers.style": "write"}, ("embedder", "chat")),
        ({"models.chat": "gpt"}, ("embedder", "chat")),
        ({"models.chat": "gpt", "answers.style": "quote"}, ("embedder",)),
        ({"models.chat": "none", "answers.style": "write"}, ("embedder",)),
        ({"models.reranker": "judge"}, ("embedder",)),
        ({"models.reranker": "judge", "index.rerank": "5"}, ("embedder", "chat", "reranker")),
        ({"models.reranker": "a/folder", "index.rerank": "5"}, ("embedder", "reranker")),
    ],
)
def test_the_settings_say_which_models_are_in_use(
    tmp_path: Path, flags: dict[str, str], expected: tuple[str, ...]
) -> None:
    settings = load_settings(folder=tmp_path, environ={}, flags=flags).settings
    assert roles_in_use(settings) == expected


async def test_quoting_loads_no_chat_model(workspace: Workspace) -> None:
    workspace.start_loading()
    outcome = await workspace.ask("When does the ferry to Halden leave?")
    events = [event async for event in workspace.stream("When does the ferry to Halden leave?")]
    assert "seven" in outcome.text
    assert events[-1].outcome.text == outcome.text  # type: ignore[union-attr]
    assert [(model.role, model.state) for model in workspace.models()] == [("embedder", "ready")]


async def test_a_candidate_that_writes_loads_it_once_and_shares_what_is_loaded(workspace: Workspace) -> None:
    question = "When does the ferry to Halden leave?"
    flags = {"answers.style": "write", "answers.max_tokens": "8"}
    async with workspace.changed(flags) as variant:
        assert (await variant.ask(question)).usage.output > 0
        assert await variant.embedder() is await workspace.embedder()
    assert [(model.role, model.state) for model in workspace.models()] == [("embedder", "ready"), ("chat", "ready")]
    async with workspace.changed(flags) as variant:
        assert await variant.chat() is await workspace.chat()
    assert (await workspace.ask(question)).usage.total == 0


async def test_a_candidate_with_models_of_its_own_frees_them(workspace: Workspace) -> None:
    async with workspace.changed({"models.threads": "1"}) as variant:
        embedder = await variant.embedder()
        assert embedder is not await workspace.embedder()
    with pytest.raises(RuntimeError):
        await embedder.embed(["closed"])
    assert len(await (await workspace.embedder()).embed(["open"])) == 1
