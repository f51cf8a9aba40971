"""The models of a workspace: each loaded once, when something needs it, and what each is doing meanwhile.

A model is in use where the settings make answers or searches call it. `start` loads those in the background; any
other waits until it is asked for and is not listed before: quoting, the default, never loads the chat model. That
matters beyond memory: llama.cpp's binding holds Python's lock while it loads, about a second in which nothing else
in the process runs. Proved by `tests/unit/app/test_loading.py`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Literal

from assay.answers.ask import needs_model
from assay.app.daemon import in_daemon_thread
from assay.app.service import ModelStatus
from assay.app.settings import Settings
from assay.errors import AssayError
from assay.models import catalogue
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder
from assay.models.reranker import Reranker
from assay.models.settings import ModelSettings

Role = Literal["embedder", "chat", "reranker"]


def roles_in_use(settings: Settings) -> tuple[Role, ...]:
    """The models that answers and searches under these settings call."""
    models = settings.models
    reranks = bool(settings.index.rerank) and models.reranker != "none"
    # Until it is made, all that is known of a model that is not embedded is that it is not.
    provider = "embedded" if models.chat == "embedded" else ""
    chats = needs_model(settings.answers, provider=provider) or (reranks and models.reranker == "judge")
    wanted: dict[Role, bool] = {"embedder": True, "chat": chats and models.chat != "none", "reranker": reranks}
    return tuple(role for role, is_wanted in wanted.items() if is_wanted)


class LoadedModels:
    """Models on demand. Several tasks may wait for one; it is loaded once, and again only where it failed."""

    def __init__(self, settings: ModelSettings, *, in_use: Sequence[Role]) -> None:
        self._settings = settings
        self._in_use = in_use
        self._embedder: Embedder | None = None
        self._chat: ChatModel | None = None
        self._reranker: Reranker | None = None
        self._loading: dict[Role, asyncio.Task[None]] = {}
        self._status = {role: self._new_status(role) for role in self._in_use}

    def statuses(self) -> tuple[ModelStatus, ...]:
        """The models in use, and any other that was asked for."""
        return tuple(self._status.values())

    def start(self) -> None:
        """Begin loading the models in use in the background; failures show in `statuses()`."""
        for role in self._in_use:
            self._once(role)

    async def embedder(self) -> Embedder:
        """The embedder."""
        await self._loaded("embedder")
        assert self._embedder is not None
        return self._embedder

    async def chat(self) -> ChatModel | None:
        """The chat model; None where `models.chat` is none."""
        if self._settings.chat == "none":
            return None
        await self._loaded("chat")
        return self._chat

    async def reranker(self) -> Reranker | None:
        """The reranker; None where `models.reranker` is none."""
        if self._settings.reranker == "none":
            return None
        await self._loaded("reranker")
        return self._reranker

    async def aclose(self) -> None:
        """Stop loading and free the models."""
        for task in self._loading.values():
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        for part in (self._embedder, self._chat, self._reranker):
            if part is not None:
                await part.aclose()

    async def _loaded(self, role: Role) -> None:
        # Shielded: a client that goes away must not cancel the loading others wait for.
        await asyncio.shield(self._once(role))

    def _once(self, role: Role) -> asyncio.Task[None]:
        task = self._loading.get(role)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            work: dict[Role, Callable[[], Coroutine[Any, Any, None]]] = {
                "embedder": self._load_embedder,
                "chat": self._load_chat,
                "reranker": self._load_reranker,
            }
            task = asyncio.create_task(self._watched(role, work[role]()))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._loading[role] = task
        return task

    async def _watched(self, role: Role, work: Coroutine[Any, Any, None]) -> None:
        before = self._new_status(role)
        self._status[role] = ModelStatus(before.role, before.name, "loading")
        try:
            await work
        except AssayError as error:
            self._status[role] = ModelStatus(before.role, before.name, "failed", f"{error.message} {error.hint}")
            raise
        self._status[role] = ModelStatus(before.role, before.name, "ready")

    def _new_status(self, role: Role) -> ModelStatus:
        return ModelStatus(role, getattr(self._settings, role), "waiting")

    def _fetching(self, role: Role) -> Callable[[int, int], None]:
        def follow(done_bytes: int, total_bytes: int) -> None:
            before = self._status[role]
            self._status[role] = ModelStatus(
                before.role, before.name, "loading", "fetching weights", done_bytes, total_bytes
            )

        return follow

    async def _load_embedder(self) -> None:
        progress = self._fetching("embedder")
        self._embedder = await in_daemon_thread(lambda: catalogue.embedder(self._settings, progress=progress))

    async def _load_chat(self) -> None:
        progress = self._fetching("chat")
        self._chat = await in_daemon_thread(lambda: catalogue.chat_model(self._settings, progress=progress))

    async def _load_reranker(self) -> None:
        chat = await self.chat() if self._settings.reranker == "judge" else None
        self._reranker = await in_daemon_thread(lambda: catalogue.reranker(self._settings, chat))
