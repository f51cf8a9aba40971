"""Names in settings become models; what `assay models` shows."""

import sys
from pathlib import Path

import pytest

from assay.errors import BadSetting
from assay.models.catalogue import chat_model, embedder, listing, probe
from assay.models.openai_chat import OpenAIChat
from assay.models.pinned import MINILM, SMOLLM2
from assay.models.scripted import ScriptedChat, ScriptedEmbedder
from assay.models.settings import ModelSettings


def test_a_name_that_is_not_ours_is_a_remote_model() -> None:
    settings = ModelSettings(chat="gpt-4o-mini", chat_window=1000)
    model = chat_model(settings, environ={"OPENAI_API_KEY": "sk-x"})
    assert isinstance(model, OpenAIChat)
    assert (model.name, model.provider, model.window) == ("gpt-4o-mini", "openai", 1000)
    assert "sk-x" not in repr(vars(model))


def test_the_provider_for_prices_may_be_set() -> None:
    model = chat_model(
        ModelSettings(chat="mine", chat_base_url="http://127.0.0.1:1/v1", chat_provider="azure"), environ={}
    )
    assert model.provider == "azure"


def test_no_chat_model_is_a_setting_to_change() -> None:
    with pytest.raises(BadSetting, match=r"models\.chat is none"):
        chat_model(ModelSettings(chat="none"))


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution that declares models."""
    (tmp_path / "their_models.py").write_text(
        "from assay.models.scripted import ScriptedChat, ScriptedEmbedder\n"
        "def chat(settings): return ScriptedChat(['hello'], name='theirs')\n"
        "def vectors(settings): return ScriptedEmbedder(dimensions=7)\n"
    )
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[assay.models]\nchat = their_models:chat\nvectors = their_models:vectors\nbroken = no_such_module:x\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("plugin")
def test_an_installed_package_may_bring_models() -> None:
    assert "their_models" not in sys.modules
    chat = chat_model(ModelSettings(chat="their-package/chat"))
    assert isinstance(chat, ScriptedChat)
    assert chat.name == "theirs"
    vectors = embedder(ModelSettings(embedder="their-package/vectors"))
    assert isinstance(vectors, ScriptedEmbedder)
    other = chat_model(ModelSettings(chat="their-package/nothing"), environ={})
    assert isinstance(other, OpenAIChat)
    del sys.modules["their_models"]


def test_listing_loads_nothing_and_says_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE", str(tmp_path))
    rows = {row.role: row for row in listing(ModelSettings())}
    assert set(rows) == {"embedder", "chat"}
    assert (rows["chat"].name, rows["chat"].present, rows["chat"].bytes) == (SMOLLM2.title, False, 0)
    assert rows["embedder"].digest == MINILM.members[0].sha256
    remote = ModelSettings(chat="gpt-4o", embedder="text-embedding-3-small", reranker="judge")
    assert [row.role for row in listing(remote)] == ["embedder", "chat", "reranker"]
    assert [row.role for row in listing(ModelSettings(chat="none"))] == ["embedder"]


async def test_a_probe_calls_the_model_once() -> None:
    probed = await probe("embedder", ModelSettings())
    assert probed.name == MINILM.title
    assert probed.latency_ms > 0
    assert "384" in probed.detail
    with pytest.raises(BadSetting):
        await probe("reranker", ModelSettings())


@pytest.mark.usefixtures("plugin")
async def test_a_probe_of_a_chat_model_shows_what_it_said() -> None:
    probed = await probe("chat", ModelSettings(chat="their-package/chat"))
    assert "hello" in probed.detail
