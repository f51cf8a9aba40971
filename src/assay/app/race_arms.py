"""The arms of a space as systems: which designs answer alike, which contradict themselves, and who is the incumbent.

Invariant: two designs are one arm where nothing that can change an answer differs between them. Proved by
`tests/unit/app/test_race_arms.py`.
"""

import inspect
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.answers.ask import writes
from assay.app.contender import Contender
from assay.app.loading import roles_in_use
from assay.app.settings import Settings, SettingsInForce
from assay.decisions.race.space import Arm, Check, LeftOut, Space, settled
from assay.decisions.served import ROOMS, released
from assay.errors import BadInput, BadSetting, NotFound
from assay.evals.systems.arguments import arguments_for
from assay.evals.systems.parse import import_target

_CUT = ("documents.cut", "documents.size", "documents.overlap")
_OVERLAPPING = ("tokens", "sentences")
# What some settings do not change in an answer where another one says so.
_ONLY_READING = ("max_file_mb", "max_text_mb", "max_seconds")  # documents are cut anew from the text that was read
_ONLY_FUSED = ("fusion", "rrf_k", "dense_weight", "candidates")
_ONLY_QUOTED = ("sentences", "decline_below", "phrase")
_ONLY_WRITTEN = ("max_tokens", "instructions")
_ONLY_REMOTE = ("embedder_base_url", "embedder_key_env", "embedder_max_tokens")
_ONLY_REMOTE_CHAT = ("chat_base_url", "chat_key_env", "chat_window", "chat_provider")


@dataclass(frozen=True, slots=True)
class Entry:
    """An arm and the system it is. `in_force` are the settings it is measured under."""

    arm: Arm
    contender: Contender
    in_force: SettingsInForce
    is_incumbent: bool = False

    @property
    def cut(self) -> str:
        """Arms that are equal in this search the same passages."""
        settings = self.in_force.settings
        return _text([*(getattr(settings.documents, key.split(".")[1]) for key in _CUT), _embedder(settings)])

    @property
    def search(self) -> str:
        """Arms that are equal in this find the same passages for a question."""
        rooms = meaning(self.in_force.settings)
        models, reranker = rooms["models"], rooms["models"].get("reranker")
        judge = {key: value for key, value in models.items() if key.startswith("chat")} if reranker == "judge" else {}
        return _text([self.cut, rooms["index"], reranker, judge])


@dataclass(frozen=True, slots=True)
class Field:
    """All who race, the incumbent among them at `incumbent`, and what was left out of the space."""

    entries: tuple[Entry, ...]
    left_out: tuple[LeftOut, ...]
    incumbent: int

    @property
    def levels(self) -> list[Mapping[str, Any]]:
        """Of each arm its level of each factor."""
        return [entry.arm.levels for entry in self.entries]


def field_of(space: Space, base: SettingsInForce, incumbent: Contender) -> Field:
    """Who races. The incumbent is the arm that equals it, or one more.

    Raises BadInput where nothing is left to race, BadSetting for a factor that is no setting.
    """
    check = _check_of_system(space.system) if space.system is not None else _check_of_own(space, base)
    arms, left_out = settled(space, check)
    entries = [_entry(space, base, arm) for arm in arms]
    own = incumbent.system is None
    mine = [check({**space.base, **arm.levels}) for arm in arms] if own == (space.system is None) else []
    theirs = _meaning_of(incumbent, base)
    place = mine.index(theirs) if theirs in mine else None
    if place is None:
        place = len(entries)
        levels = {factor.name: _level(incumbent, base, factor.name) for factor in space.factors}
        entries.append(Entry(Arm(place, levels), incumbent, incumbent.in_force(base)))
    chosen = entries[place]
    entries[place] = Entry(chosen.arm, chosen.contender, chosen.in_force, is_incumbent=True)
    return Field(tuple(entries), left_out, place)


def meaning(settings: Settings) -> dict[str, Any]:
    """All that can change an answer under these settings, with what cannot under them left out.

    How deep a search goes that fuses nothing is left out too: it may only change the order of passages whose scores are
    equal but for rounding (see `index.designs`).
    """
    rooms = released({name: getattr(settings, name).model_dump(mode="json") for name in ROOMS})
    index, documents, answers, models = (rooms[name] for name in ("index", "documents", "answers", "models"))
    roles = roles_in_use(settings)
    unread: dict[str, list[str]] = {room: [] for room in rooms}
    unread["documents"] += _ONLY_READING
    if documents["cut"] not in _OVERLAPPING:
        unread["documents"].append("overlap")
    if "reranker" not in roles:
        unread["index"].append("rerank")
        unread["models"].append("reranker")
    if index["mode"] == "fused":
        unread["index"] += [] if index["fusion"] == "rrf" else ["rrf_k"]
        index["candidates"] = max(index["candidates"], index["k"], index["rerank"] if "reranker" in roles else 0)
    else:
        unread["index"] += _ONLY_FUSED
        unread["index"] += ["language"] if index["mode"] == "dense" else []
    answers["style"] = _style(settings)
    unread["answers"] += {"write": _ONLY_QUOTED, "quote": _ONLY_WRITTEN}.get(answers["style"], ())
    if answers["style"] == "quote" and models["chat"] == "none":
        unread["answers"].append("phrase")
    if models["embedder"] == "embedded":
        unread["models"] += _ONLY_REMOTE
    if "chat" not in roles:
        unread["models"] += ["chat", *_ONLY_REMOTE_CHAT]
    elif models["chat"] == "embedded":
        unread["models"] += _ONLY_REMOTE_CHAT
    return {room: {key: value for key, value in rooms[room].items() if key not in unread[room]} for room in rooms}


def _style(settings: Settings) -> str:
    """write or quote; auto where only the model can tell, once it is made: one of a plugin may be an embedded one."""
    chat = settings.models.chat
    if chat == "none":
        return "quote"
    if settings.answers.style == "auto" and "/" in chat:
        return "auto"
    provider = "embedded" if chat == "embedded" else settings.models.chat_provider
    return "write" if writes(settings.answers, provider=provider) else "quote"


def sharing(entries: Sequence[Entry], *, questions: int) -> list[dict[str, Any]]:
    """How much of the grid's work its arms share, because what goes in is the same (see `race` view, plan.sharing)."""
    own = [entry for entry in entries if entry.contender.system is None]
    if not own:
        return []
    rows: list[tuple[str, set[str], int]] = [
        ("cuts", {entry.cut for entry in own}, 1),
        ("retrievals", {entry.search for entry in own}, questions),
        ("answers", {_text(meaning(entry.in_force.settings)) for entry in own}, questions),
    ]
    embedders = {_text(_embedder(entry.in_force.settings)) for entry in own}
    rows.insert(1, ("embeddings of questions", embedders, questions))
    return [{"what": what, "distinct": len(kinds) * each, "without": len(own) * each} for what, kinds, each in rows]


def _check_of_own(space: Space, base: SettingsInForce) -> Check:
    for name, value in {**space.base, **{factor.name: factor.levels[0] for factor in space.factors}}.items():
        if name not in base.origins:
            base.changed({name: value})  # refuses it, naming the nearest
        if name.split(".")[0] not in ROOMS:
            raise BadSetting(
                f"{name} changes how answers are measured, not the answers.",
                hint=f"Race settings of {', '.join(ROOMS)}; give the others with --set.",
            )

    def check(levels: Mapping[str, Any]) -> str:
        try:
            settings = base.changed(levels).settings
        except BadSetting as error:
            raise BadInput(error.message, hint=error.hint) from error
        cut = settings.documents
        if cut.overlap > cut.size // 2:  # as `documents.cut` refuses it, whichever cut it is
            raise BadInput(f"documents.overlap = {cut.overlap} is more than half of documents.size = {cut.size}.")
        return _text(meaning(settings))

    return check


def _check_of_system(target: str) -> Check:
    return lambda levels: _text(_effective(target, levels))


def _effective(target: str, settings: Mapping[str, Any]) -> list[Any]:
    """A user's system by its target and settings: of a function with its defaults, so that saying one changes nothing.

    Raises BadSetting for a setting that the function does not have.
    """
    if ":" not in target or "://" in target or target.lower().endswith(".toml"):
        return [target, dict(settings)]
    try:
        function = import_target(target, folder=Path.cwd())
    except NotFound:
        return [target, dict(settings)]  # whoever opens it says what is wrong
    if inspect.isclass(function):
        return [target, dict(settings)]
    return [target, dict(arguments_for(function, settings, who=target, question=True).effective)]


def _meaning_of(contender: Contender, base: SettingsInForce) -> str:
    if contender.system is None:
        return _text(meaning(contender.in_force(base).settings))
    return _text(_named(contender))


def _named(contender: Contender) -> list[Any]:
    """The user's system of a contender, a function in a file by its own target."""
    assert contender.system is not None
    if not contender.system.lower().endswith(".toml"):
        return _effective(contender.system, contender.system_settings)
    try:
        table = tomllib.loads(Path(contender.system).read_text(encoding="utf-8-sig")).get("system", {})
    except (OSError, ValueError):
        return [contender.system, dict(contender.system_settings)]  # whoever opens it says what is wrong
    plain = set(table) <= {"kind", "target", "settings"} and table.get("kind") == "callable"
    if not plain or not isinstance(table.get("target"), str):
        return [contender.system, dict(contender.system_settings)]
    return _effective(table["target"], {**table.get("settings", {}), **contender.system_settings})


def _entry(space: Space, base: SettingsInForce, arm: Arm) -> Entry:
    said = {**space.base, **arm.levels}
    if space.system is not None:
        return Entry(arm, Contender(system=space.system, system_settings=said), base)
    now = {key: value for key, value, _origin, _description in base.rows()}
    changes = {key: value for key, value in said.items() if now.get(key) != value}
    contender = Contender(changes=changes)
    return Entry(arm, contender, contender.in_force(base))


def _level(incumbent: Contender, base: SettingsInForce, factor: str) -> Any:
    """The incumbent's own level of a factor; None where it has none."""
    if incumbent.system is not None:
        return _named(incumbent)[1].get(factor)
    values = {key: value for key, value, _origin, _description in incumbent.in_force(base).rows()}
    return values.get(factor)


def _embedder(settings: Settings) -> list[Any]:
    """What decides a vector."""
    models = settings.models
    if models.embedder == "embedded":
        return [models.embedder]
    return [models.embedder, models.embedder_base_url, models.embedder_max_tokens]


def _text(what: Any) -> str:
    return json.dumps(what, sort_keys=True, default=str)
