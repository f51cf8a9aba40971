"""Which designs are one arm: where a space says that two answer alike, they do; and who the incumbent is."""

import hashlib
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.answers.outcome import Outcome
from assay.app.contender import Contender
from assay.app.loading import LoadedModels, roles_in_use
from assay.app.race_arms import Entry, field_of, meaning, sharing
from assay.app.settings import SettingsInForce, load_settings
from assay.app.wiring import Workspace, open_workspace
from assay.decisions.race.space import Arm, Factor, Space
from assay.errors import AssayError, BadInput, BadSetting
from assay.models.catalogue import embedder as load_embedder
from assay.models.chat import ChatModel, ChatRequest
from assay.models.embedder import Embedder, Kind, TokenEmbedder, TokenVectors, Vectors
from assay.models.reranker import Reranker
from assay.models.scripted import ScriptedChat, ScriptedReranker
from assay.models.settings import ModelSettings

QUESTIONS = ("When does the ferry to Halden leave?", "Wann fährt die Fähre nach Halden?")
DOCUMENTS = {
    "ferry.md": "# Ferry\n\n## Summer\n\nThe ferry to Halden leaves at seven in the morning. It carries forty cars. A "
    "second ferry leaves at noon.\n\n## Winter\n\nIn winter the ferry to Halden leaves at nine. It does not sail when "
    "the harbour is frozen. Ask the harbour master for the day's timetable.\n",
    "light.md": "# Lighthouse\n\nThe lighthouse of Halden is kept by Berta Lund. She has kept it since 1978. Before "
    "her the keeper was her father. The lamp can be seen from twenty miles away.\n\n## Visits\n\nThe lighthouse may be "
    "visited on Sundays. Visitors leave their cars at the ferry.\n",
    "german.md": "# Fähre\n\nDie Fähre nach Halden fährt um sieben Uhr morgens. Fähren fahren im Winter seltener. Der "
    "Hafen von Halden ist klein. Fahrkarten gibt es beim Hafenmeister.\n",
    "market.md": "# Market\n\nThe market of Halden opens at eight. Fish is sold until noon. The ferries bring the "
    "buyers. On Sundays the market is closed, and the stalls are kept in the harbour sheds.\n",
}


class Remembering:
    """The real embedder, asked once for each text."""

    def __init__(self, real: TokenEmbedder) -> None:
        self._real = real
        self._known: dict[Any, Any] = {}
        self.name, self.digest, self.dimensions, self.max_tokens = (
            real.name,
            real.digest,
            real.dimensions,
            real.max_tokens,
        )
        self.token_spans = real.token_spans

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        return np.stack([await self._once("embed", text, kind) for text in texts])

    async def embed_tokens(self, texts: Sequence[str], *, kind: Kind = "passage") -> list[TokenVectors]:
        return [await self._once("embed_tokens", text, kind) for text in texts]

    async def _once(self, how: str, text: str, kind: Kind) -> Any:
        if (how, text, kind) not in self._known:
            self._known[how, text, kind] = (await getattr(self._real, how)([text], kind=kind))[0]
        return self._known[how, text, kind]

    async def aclose(self) -> None:
        await self._real.aclose()


class Scripted(LoadedModels):
    """The real embedder; a chat model and a reranker whose every answer tells what they were asked and who they are."""

    def __init__(self, in_force: SettingsInForce, embedder: Embedder) -> None:
        super().__init__(in_force.settings.models, in_use=roles_in_use(in_force.settings))
        self._models, self._real = in_force.settings.models, embedder

    async def embedder(self) -> Embedder:
        return self._real

    async def chat(self) -> ChatModel | None:
        models = self._models
        if models.chat == "none":
            return None
        # What a plugin's model is, embedded or not, only the model tells.
        local = models.chat == "embedded" or "/" in models.chat
        name = models.chat if local else f"{models.chat} at {models.chat_base_url}"
        return ScriptedChat(
            _written,
            name=name,
            provider="embedded" if local else models.chat_provider or "elsewhere",
            window=8192 if local else models.chat_window,
        )

    async def reranker(self) -> Reranker | None:
        name = self._models.reranker
        if name == "judge":
            chat = await self.chat()
            name = chat.name if chat else ""
        return ScriptedReranker(lambda question, text: _draw(f"{name} {question} {text}"))

    async def aclose(self) -> None:
        """The embedder is shared."""


async def _told(variant: Workspace, question: str) -> Outcome | str:
    """All of an outcome that a design decides, scores without their last digits: those depend on a search's depth."""
    try:
        outcome = await variant.ask(question)
    except AssayError as error:
        return error.message
    hits = tuple(
        replace(hit, score=round(hit.score, 5), signals={key: round(value, 5) for key, value in hit.signals.items()})
        for hit in outcome.hits
    )
    sure = None if outcome.confidence is None else round(outcome.confidence, 5)
    return replace(outcome, latency_ms=0.0, trace_id="", hits=hits, confidence=sure)


def _written(request: ChatRequest) -> str:
    asked = request.messages[-1].content
    if asked.startswith("Text: "):  # the phrase of a quote
        return asked.split("\n")[0].removeprefix("Text: ").split(".")[0].split(" ", 3)[-1][:20]
    passage = asked.split('<passage n="1">\n')[1].split("\n</passage>")[0].splitlines()[-1]
    return f"{passage.split('. ')[0]} [1]."


def _draw(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48


@asynccontextmanager
async def _asking(folder: Path) -> AsyncIterator[Any]:
    """A function that asks Assay under changed settings, through everything but the weights of chat and reranker."""
    (folder / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "docs" / name).write_text(text)
    base = load_settings(folder=folder, environ={}, flags={"models.threads": "1"})
    real = load_embedder(ModelSettings(threads=1))
    assert isinstance(real, TokenEmbedder)
    embedder = Remembering(real)
    known: dict[str, list[Outcome | str]] = {}
    async with open_workspace(base, home=folder / ".assay") as workspace:
        await workspace.ingest([folder / "docs"])

        async def ask(design: Mapping[str, Any]) -> list[Outcome | str]:
            key = repr(sorted(design.items()))
            if key not in known:
                in_force = base.changed(design)
                variant = Workspace(
                    workspace.home,
                    in_force,
                    workspace.database,
                    workspace.recorder,
                    models=Scripted(in_force, embedder),
                    shelf=workspace.shelf,
                )
                known[key] = [await _told(variant, question) for question in QUESTIONS]
                await variant.aclose()
            return known[key]

        yield base, ask
    await real.aclose()


LEVELS: dict[str, tuple[Any, ...]] = {
    "documents.cut": ("headings", "sentences"),
    "documents.overlap": (0, 12),
    "documents.max_file_mb": (100, 1),
    "documents.max_text_mb": (64, 1),
    "documents.max_seconds": (120.0, 60.0),
    "index.mode": ("fused", "lexical", "dense"),
    "index.k": (3, 2),
    "index.candidates": (100, 2, 1),
    "index.fusion": ("weighted", "rrf"),
    "index.rrf_k": (60, 1),
    "index.dense_weight": (0.6, 0.1),
    "index.language": ("english", "german"),
    "index.rerank": (0, 4),
    "answers.style": ("quote", "write", "auto"),
    "answers.sentences": (1, 3),
    "answers.decline_below": (0.0, 1.0),
    "answers.max_tokens": (400, 3),
    "answers.instructions": ("", "Be brief."),
    "answers.phrase": (False, True),
    "models.chat": ("embedded", "none", "gpt", "pack/age"),
    "models.chat_base_url": ("http://a/v1", "http://b/v1"),
    "models.chat_key_env": ("A_KEY", "B_KEY"),
    "models.chat_window": (8192, 300),
    "models.chat_provider": ("", "embedded"),
    "models.embedder_base_url": ("http://a/v1", "http://b/v1"),
    "models.embedder_key_env": ("A_KEY", "B_KEY"),
    "models.embedder_max_tokens": (512, 16),
    "models.reranker": ("none", "judge", "some/reranker"),
}
FIRST = {key: levels[0] for key, levels in LEVELS.items()} | {"documents.size": 32}
# From each of these every level is tried instead, one at a time.
FROM: list[dict[str, Any]] = [
    {},
    {"index.mode": "lexical", "answers.style": "auto"},
    {"index.mode": "dense", "documents.cut": "sentences"},
    {"index.fusion": "rrf", "index.k": 2},
    {"index.rerank": 4},
    {"index.rerank": 4, "models.reranker": "judge", "index.candidates": 1},
    {"index.rerank": 4, "models.reranker": "judge", "models.chat": "gpt"},
    {"answers.phrase": True},
    {"answers.phrase": True, "models.chat": "gpt"},
    {"models.chat": "none", "answers.style": "write"},
    {"models.chat": "none", "answers.style": "auto", "answers.phrase": True},
    {"models.chat": "gpt", "answers.style": "auto"},
    {"models.chat": "gpt", "answers.style": "auto", "models.chat_provider": "embedded"},
    {"models.chat": "gpt", "answers.style": "write"},
    {"models.chat": "embedded", "answers.style": "write"},
    {"models.chat": "pack/age", "answers.style": "auto"},
]


async def test_designs_that_are_said_to_answer_alike_do(tmp_path: Path) -> None:
    alike: set[str] = set()
    differs: set[str] = set()
    wrong = []
    async with _asking(tmp_path) as (base, ask):
        for start, (key, levels) in itertools.product(FROM, LEVELS.items()):
            one = FIRST | start
            for level in levels:
                other = one | {key: level}
                if other == one:
                    continue
                said = meaning(base.changed(one).settings) == meaning(base.changed(other).settings)
                if said and await ask(one) != await ask(other):
                    wrong.append((start, key, level))
                if said:
                    alike.add(key)
                elif key not in differs and await ask(one) != await ask(other):
                    differs.add(key)
    assert not wrong, "these are said to answer alike and do not"
    # Each way of being alike was met, and these questions do tell settings apart.
    never = {"documents.cut", "index.mode", "index.k"}
    assert alike >= LEVELS.keys() - never
    unseen = {key for key in LEVELS if key.endswith(("_key_env", "max_file_mb", "max_text_mb", "max_seconds"))}
    assert differs >= LEVELS.keys() - unseen - {"models.embedder_base_url", "models.embedder_max_tokens"}


@pytest.fixture
def base(tmp_path: Path) -> SettingsInForce:
    return load_settings(folder=tmp_path, environ={})


def space(**factors: Sequence[Any]) -> Space:
    return Space(tuple(Factor(name.replace("__", "."), tuple(levels)) for name, levels in factors.items()))


def names(entries: Sequence[Entry]) -> list[str]:
    return [entry.arm.name for entry in entries]


def test_what_changes_nothing_under_another_level_is_no_further_arm(base: SettingsInForce) -> None:
    found = field_of(space(index__mode=["lexical", "fused"], index__dense_weight=[0.2, 0.6, 0.8]), base, Contender())
    assert names(found.entries) == [
        "index.mode=lexical index.dense_weight=0.2",
        "index.mode=fused index.dense_weight=0.2",
        "index.mode=fused index.dense_weight=0.6",
        "index.mode=fused index.dense_weight=0.8",
    ]
    assert {one.why for one in found.left_out} == {"answers as index.mode=lexical index.dense_weight=0.2 does"}
    assert found.incumbent == 2
    assert [entry.is_incumbent for entry in found.entries] == [False, False, True, False]
    assert found.levels[0] == {"index.mode": "lexical", "index.dense_weight": 0.2}


def test_settings_that_contradict_each_other_are_left_out_and_say_why(base: SettingsInForce) -> None:
    sizes = space(documents__cut=["tokens", "headings"], documents__size=[32, 64], documents__overlap=[0, 16, 17, 33])
    found = field_of(sizes, base, Contender())
    left_out = [(tuple(one.levels.values()), one.why) for one in found.left_out]
    more = "documents.overlap = {} is more than half of documents.size = {}."
    for cut in ("tokens", "headings"):  # both refuse it, though headings repeat nothing
        assert ((cut, 32, 17), more.format(17, 32)) in left_out
        assert ((cut, 64, 33), more.format(33, 64)) in left_out
        assert not any(levels == (cut, 64, 33) and "as" in why.split()[:2] for levels, why in left_out)
    raced = [tuple(entry.arm.levels.values()) for entry in found.entries]
    assert ("tokens", 32, 16) in raced
    assert ("headings", 32, 0) in raced
    assert ("headings", 32, 16) not in raced


def test_a_level_that_is_no_value_of_its_setting_is_left_out_and_the_rest_races(base: SettingsInForce) -> None:
    found = field_of(space(index__k=[4, 0, "many"]), base, Contender())
    assert names(found.entries) == ["index.k=4", "index.k=8"]
    assert all(one.why.startswith("index.k = ") for one in found.left_out)
    assert len(found.left_out) == 2
    with pytest.raises(BadInput, match="no design that could be raced"):
        field_of(space(index__k=["many"]), base, Contender())


def test_a_factor_or_a_base_that_is_no_setting_of_the_answers_is_refused(base: SettingsInForce) -> None:
    with pytest.raises(BadSetting, match=r"no setting 'index\.kk'") as raised:
        field_of(space(index__kk=[4]), base, Contender())
    assert "index.k" in raised.value.hint
    with pytest.raises(BadSetting, match=r"evals\.metrics changes how answers are measured"):
        field_of(space(evals__metrics=["f1"]), base, Contender())
    with pytest.raises(BadSetting, match=r"evals\.metrics changes how"):
        field_of(replace(space(index__k=[4]), base={"evals.metrics": "f1"}), base, Contender())
    with pytest.raises(BadSetting, match=r"no setting 'index\.kk'"):
        field_of(replace(space(index__k=[4]), base={"index.kk": 1}), base, Contender())


def test_an_incumbent_outside_the_space_is_one_more_arm_with_its_own_levels(base: SettingsInForce) -> None:
    found = field_of(space(index__k=[4, 16], answers__sentences=[1]), base, Contender(changes={"index.k": 12}))
    assert found.incumbent == 2
    assert found.levels == [
        {"index.k": 4, "answers.sentences": 1},
        {"index.k": 16, "answers.sentences": 1},
        {"index.k": 12, "answers.sentences": 2},
    ]
    incumbent = found.entries[2]
    assert (incumbent.is_incumbent, incumbent.arm.number, incumbent.in_force.settings.index.k) == (True, 2, 12)
    assert incumbent.contender == Contender(changes={"index.k": 12})


def test_an_incumbent_that_answers_as_an_arm_does_is_that_arm(base: SettingsInForce) -> None:
    same = Contender(changes={"index.rrf_k": 10, "answers.max_tokens": 7, "index.k": 4})
    found = field_of(space(index__k=[16, 4]), base, same)
    assert (found.incumbent, len(found.entries)) == (1, 2)
    assert found.entries[1].is_incumbent


def test_an_arm_is_measured_under_what_it_changes_and_what_holds_for_all(base: SettingsInForce) -> None:
    found = field_of(replace(space(index__k=[4, 8]), base={"answers.sentences": 1}), base, Contender())
    assert [dict(entry.contender.changes) for entry in found.entries] == [
        {"answers.sentences": 1, "index.k": 4},
        {"answers.sentences": 1},
        {},
    ]
    assert [(e.in_force.settings.index.k, e.in_force.settings.answers.sentences) for e in found.entries] == [
        (4, 1),
        (8, 1),
        (8, 2),
    ]
    assert found.incumbent == 2
    assert found.entries[2].arm.levels == {"index.k": 8}


def test_a_users_system_races_under_its_own_settings(base: SettingsInForce) -> None:
    mine = replace(space(top=[1, 2], style=["a"]), base={"seed": 7}, system="bot.py:answer")
    live = Contender(system="bot.py:answer", system_settings={"style": "a", "seed": 7, "top": 2})
    found = field_of(mine, base, live)
    assert (found.incumbent, len(found.entries)) == (1, 2)
    assert [dict(entry.contender.system_settings) for entry in found.entries] == [
        {"seed": 7, "top": 1, "style": "a"},
        {"seed": 7, "top": 2, "style": "a"},
    ]
    assert {entry.contender.system for entry in found.entries} == {"bot.py:answer"}
    for other in (
        Contender(),
        Contender(system="other.py:answer", system_settings=live.system_settings),
        Contender(system="bot.py:answer", system_settings={"top": 2}),
    ):
        found = field_of(mine, base, other)
        assert (found.incumbent, len(found.entries)) == (2, 3)
        assert found.entries[2].contender == other
    assert found.levels[2] == {"top": 2, "style": None}
    own = field_of(space(index__k=[4]), base, live)
    assert (own.incumbent, own.entries[1].contender, own.levels[1]) == (1, live, {"index.k": None})


def test_sharing_counts_what_differs_of_each_kind(base: SettingsInForce) -> None:
    found = field_of(
        space(documents__size=[100, 200], index__k=[4, 8], answers__sentences=[1, 2], index__rerank=[0, 9]),
        base,
        Contender(),
    )
    assert len(found.entries) == 8  # without a reranker, rerank changes nothing
    counted = {row["what"]: (row["distinct"], row["without"]) for row in sharing(found.entries, questions=10)}
    assert counted == {
        "cuts": (2, 8),
        "embeddings of questions": (10, 80),
        "retrievals": (40, 80),
        "answers": (80, 80),
    }
    theirs = field_of(replace(space(top=[1, 2]), system="bot.py:answer"), base, Contender(system="bot.py:answer"))
    assert sharing(theirs.entries, questions=10) == []


def test_searches_are_shared_only_where_the_same_passages_come_out(base: SettingsInForce) -> None:
    def search(**changes: Any) -> str:
        in_force = base.changed({key.replace("__", "."): value for key, value in changes.items()})
        return Entry(Arm(0, {}), Contender(), in_force).search

    assert search() == search(answers__sentences=1) == search(models__chat="none") == search(index__rrf_k=3)
    assert search() != search(index__k=4)
    assert search() != search(documents__size=100)
    assert search() != search(models__embedder="other")
    judged = {"index__rerank": 9, "models__reranker": "judge"}
    assert search(**judged) != search(**judged, models__chat="other"), "another judge ranks otherwise"
    other = {"models__embedder": "other"}
    assert search(**other) != search(**other, models__embedder_max_tokens=16), "it sees less of a text"
    assert search() == search(models__embedder_max_tokens=16)
