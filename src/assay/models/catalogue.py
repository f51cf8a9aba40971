"""The adapters by the names settings give them; everything heavy is imported when its name is chosen.

    chat      embedded | a model at chat_base_url | package/name
    embedder  embedded | a model at embedder_base_url | package/name
    reranker  judge | a folder or hub name of an ONNX cross-encoder | package/name

`package/name` is an entry point `name` in the group `assay.models` that an installed distribution `package` declares: a
callable that takes `ModelSettings` and returns the model. It is loaded only when a setting names it.

The functions block, for minutes where weights are to be fetched: call them in a thread.
"""

import asyncio
import importlib.metadata
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from assay.errors import BadSetting
from assay.models.chat import ChatModel, ChatRequest, Message
from assay.models.embedder import Embedder
from assay.models.pinned import MINILM, SMOLLM2, Pinned
from assay.models.reranker import Reranker
from assay.models.settings import ModelSettings
from assay.models.weights import Progress, is_present, size_on_disk
from assay.models.wire import Wire

Role = Literal["embedder", "chat", "reranker"]

ENTRY_POINTS = "assay.models"


def chat_model(
    settings: ModelSettings, *, progress: Progress | None = None, environ: Mapping[str, str] | None = None
) -> ChatModel:
    """The chat model `settings` names, ready to use. Raises `BadSetting` for `none`."""
    if settings.chat == "none":
        raise BadSetting("This needs a chat model and models.chat is none.", hint="Set models.chat to embedded.")
    if settings.chat == "embedded":
        from assay.models.llama import EmbeddedChat

        return EmbeddedChat.load(threads=settings.threads, timeout_seconds=settings.timeout_seconds, progress=progress)
    if (make := _entry_point(settings.chat)) is not None:
        made: ChatModel = make(settings)
        return made
    from assay.models.openai_chat import OpenAIChat
    from assay.models.prices import provider_of

    return OpenAIChat(
        settings.chat,
        _wire(settings, settings.chat_base_url, settings.chat_key_env, environ),
        window=settings.chat_window,
        provider=settings.chat_provider or provider_of(settings.chat_base_url, settings.chat),
    )


def embedder(
    settings: ModelSettings, *, progress: Progress | None = None, environ: Mapping[str, str] | None = None
) -> Embedder:
    """The embedder `settings` names, ready to use. A remote one is called once, to learn its dimensions."""
    if settings.embedder == "embedded":
        from assay.models.minilm import MiniLMEmbedder

        return MiniLMEmbedder.load(threads=settings.threads, progress=progress)
    if (make := _entry_point(settings.embedder)) is not None:
        made: Embedder = make(settings)
        return made
    from assay.models.openai_embedder import OpenAIEmbedder, request_vectors
    from assay.models.prices import provider_of

    wire = _wire(settings, settings.embedder_base_url, settings.embedder_key_env, environ)

    async def ask_dimensions() -> int:
        try:
            return int((await request_vectors(wire, settings.embedder, ["dimensions"])).shape[1])
        finally:
            await wire.aclose()  # its connections belong to this call's event loop

    return OpenAIEmbedder(
        settings.embedder,
        wire,
        dimensions=asyncio.run(ask_dimensions()),
        max_tokens=settings.embedder_max_tokens,
        provider=provider_of(settings.embedder_base_url, settings.embedder),
    )


def reranker(settings: ModelSettings, chat: ChatModel | None) -> Reranker | None:
    """The reranker `settings` names; None for `none`. `judge` uses `chat`."""
    if settings.reranker == "none":
        return None
    from assay.models.rerankers import CrossEncoderReranker, JudgeReranker, hub_folder

    if settings.reranker == "judge":
        if chat is None:
            raise BadSetting("models.reranker is judge and there is no chat model.", hint="Set models.chat.")
        return JudgeReranker(chat)
    if (make := _entry_point(settings.reranker)) is not None:
        made: Reranker = make(settings)
        return made
    folder = Path(settings.reranker).expanduser()
    if not folder.is_dir():
        if settings.reranker.count("/") != 1 or settings.reranker.startswith(("/", ".", "~")):
            raise BadSetting(
                f"models.reranker is {settings.reranker!r}, which is no folder and no hub name.",
                hint="Give a folder with model.onnx and tokenizer.json, a hub name owner/model, judge or none.",
            )
        folder = hub_folder(settings.reranker)
    return CrossEncoderReranker(folder, name=settings.reranker, threads=settings.threads)


# --- what `assay models` shows ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listed:
    """A model in force: where it runs, whether its weights are here, their bytes (None: not ours to know)."""

    role: Role
    name: str
    runs: str
    present: bool
    bytes: int | None
    digest: str


@dataclass(frozen=True, slots=True)
class Probed:
    """A model that answered: how long one call took, and a few words of what came back."""

    role: Role
    name: str
    latency_ms: float
    detail: str


def prepare() -> None:
    """Make what is derived from the embedded weights (graph, Q8_0 file, tokenizer), so that a first load is quick.

    Blocks for some ten seconds the first time. The weights must have been pulled.
    """
    from assay.models.llama import requantised, tokenizer_file
    from assay.models.minilm import quantised_graph
    from assay.models.weights import fetch

    quantised_graph(fetch(MINILM))
    folder = fetch(SMOLLM2)
    requantised(folder)
    tokenizer_file(folder)


def listing(settings: ModelSettings) -> list[Listed]:
    """The models in force, without loading any."""
    rows = [
        _listed("embedder", settings.embedder, settings.embedder_base_url, MINILM),
        _listed("chat", settings.chat, settings.chat_base_url, SMOLLM2),
    ]
    if settings.reranker == "judge":
        rows.append(Listed("reranker", "judge", "as the chat model", True, None, ""))
    elif settings.reranker != "none":
        folder = Path(settings.reranker).expanduser()
        rows.append(Listed("reranker", settings.reranker, "in this process", folder.is_dir(), None, ""))
    return [row for row in rows if row.name != "none"]


async def probe(role: Role, settings: ModelSettings) -> Probed:
    """Load the model of `role`, call it once, close it. Raises what goes wrong."""
    if role == "embedder":
        return await _probe_embedder(await asyncio.to_thread(embedder, settings))
    if role == "chat":
        return await _probe_chat(await asyncio.to_thread(chat_model, settings))
    chat = await asyncio.to_thread(chat_model, settings) if settings.reranker == "judge" else None
    made = await asyncio.to_thread(reranker, settings, chat)
    if made is None:
        raise BadSetting("There is no reranker to test: models.reranker is none.", hint="Set models.reranker.")
    try:
        return await _probe_reranker(made)
    finally:
        if chat is not None:
            await chat.aclose()


async def _probe_embedder(model: Embedder) -> Probed:
    try:
        started = time.perf_counter()
        vectors = await model.embed(["Which bridge is the oldest?"], kind="query")
        return Probed("embedder", model.name, _ms_since(started), f"{vectors.shape[1]} dimensions")
    finally:
        await model.aclose()


async def _probe_chat(model: ChatModel) -> Probed:
    try:
        completion = await model.complete(ChatRequest((Message("user", "Say hello."),), max_tokens=16))
        detail = f"{' '.join(completion.text.split())[:60]!r}, {completion.usage.total} tokens"
        return Probed("chat", model.name, completion.latency_ms, detail)
    finally:
        await model.aclose()


async def _probe_reranker(model: Reranker) -> Probed:
    try:
        started = time.perf_counter()
        texts = ("The oldest bridge is the stone bridge of 1142.", "Bread is made of flour, water and salt.")
        scores = await model.score("Which bridge is the oldest?", texts)
        return Probed(
            "reranker", model.name, _ms_since(started), f"{scores[0]:.2f} for a hit, {scores[1]:.2f} for a miss"
        )
    finally:
        await model.aclose()


def _listed(role: Role, name: str, base_url: str, pinned: Pinned) -> Listed:
    if name == "embedded":
        here, size = is_present(pinned), size_on_disk(pinned)
        return Listed(role, pinned.title, "in this process", here, size, pinned.members[0].sha256)
    return Listed(role, name, f"at {base_url}", True, None, "")


def _ms_since(started: float) -> float:
    return (time.perf_counter() - started) * 1000


# --- the parts --------------------------------------------------------------------------------------------------------


def _wire(settings: ModelSettings, base_url: str, key_env: str, environ: Mapping[str, str] | None) -> Wire:
    key = (os.environ if environ is None else environ).get(key_env, "").strip()
    return Wire(
        base_url,
        key=key or None,
        key_source=key_env,
        timeout_seconds=settings.timeout_seconds,
        connect_timeout_seconds=settings.connect_timeout_seconds,
        max_retries=settings.max_retries,
    )


def _entry_point(name: str) -> Any | None:
    """The callable an installed distribution declares under `package/name`, or None: remote names have slashes too."""
    if "/" not in name:
        return None
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        if entry.dist is not None and f"{entry.dist.name}/{entry.name}" == name:
            return entry.load()
    return None
