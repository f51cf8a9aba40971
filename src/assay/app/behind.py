"""What the models of an evaluation stand behind, and the workspace they come from."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from assay.app.daemon import in_daemon_thread
from assay.app.settings import Settings, SettingsInForce
from assay.app.wiring import Workspace
from assay.errors import BadSetting
from assay.evals.cached_retriever import CachedRetriever
from assay.gateway.budget import Budget
from assay.gateway.pace import Pace
from assay.gateway.stack import stacked_chat, stacked_embedder
from assay.index.hit import Retriever
from assay.ledger.values import Values
from assay.models import catalogue
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder
from assay.models.minilm import MiniLMEmbedder

RETRIES = "models.max_retries"


class Behind:
    """Meter, budget, pace and cache, the same for every model of an evaluation; one pace for each server.

    `retries` is what the user set: the models themselves retry nothing here.
    """

    def __init__(self, values: Values, settings: Settings, *, retries: int, budget: Budget | None = None) -> None:
        self._values, self._budget = values, budget
        self._timeout_seconds = settings.models.timeout_seconds
        self._retries = retries
        self._paces: dict[str, Pace] = {}
        self._chats: dict[int, tuple[ChatModel, ChatModel]] = {}
        self._embedders: dict[int, tuple[Embedder, Embedder]] = {}
        self._searches: dict[str, CachedRetriever] = {}

    def chat(self, model: ChatModel) -> ChatModel:
        """A chat model behind it, the same again for the same model, so that a call under way is shared by all.

        Raises BadSetting under a budget where the model has no known price.
        """
        if id(model) not in self._chats:
            made = stacked_chat(
                model,
                values=self._values,
                budget=self._budget,
                pace=self._pace(_server(model)),
                timeout_seconds=self._timeout_seconds,
            )
            self._chats[id(model)] = (model, made)  # the bare one kept, so that its id stays its own
        return self._chats[id(model)][1]

    def embedder(self, embedder: Embedder) -> Embedder:
        """An embedder behind it, likewise."""
        if id(embedder) not in self._embedders:
            provider = "embedded" if embedder.name == MiniLMEmbedder.name else getattr(embedder, "provider", "unknown")
            made = stacked_embedder(
                embedder,
                provider=provider,
                values=self._values,
                budget=self._budget,
                pace=self._pace(_server(embedder)),
            )
            self._embedders[id(embedder)] = (embedder, made)
        return self._embedders[id(embedder)][1]

    def searches(self, retriever: Retriever, *, corpus: str, settings: str) -> CachedRetriever:
        """A retriever that makes a search once, the same again for the same corpus and settings."""
        key = f"{corpus} {settings}"
        if key not in self._searches:
            self._searches[key] = CachedRetriever(retriever, self._values, corpus=corpus, settings=settings)
        return self._searches[key]

    def _pace(self, server: str) -> Pace:
        return self._paces.setdefault(server, Pace(retries=self._retries))


def _server(model: ChatModel | Embedder) -> str:
    """Where a model is: models of one server share its limits. Digests of remote ones are `wire:server:name...`."""
    return model.digest.rpartition(f":{model.name}")[0] or model.digest


def unretried(in_force: SettingsInForce) -> SettingsInForce:
    """The settings with retries left to the pace, which knows of all calls, where a model is remote."""
    models = in_force.settings.models
    if models.chat in ("embedded", "none") and models.embedder == "embedded":
        return in_force
    return in_force.changed({RETRIES: 0})


@asynccontextmanager
async def paced(workspace: Workspace, in_force: SettingsInForce) -> AsyncIterator[Workspace]:
    """The workspace under these settings, its remote models without retries of their own."""
    changed = unretried(in_force)
    if changed.settings == workspace.settings:
        yield workspace
        return
    async with workspace.variant(changed) as variant:
        yield variant


async def judging_model(workspace: Workspace, settings: Settings, stack: AsyncExitStack) -> ChatModel:
    """The model that judges: `evals.judge`, or the chat model. Closed with `stack` where it is made here."""
    options, models = settings.evals, settings.models
    if not options.judge or (options.judge == models.chat and not options.judge_base_url):
        chat = await workspace.chat()
        if chat is None:
            raise BadSetting("A judge needs a model and models.chat is none.", hint="Set evals.judge.")
        return chat
    named = models.model_copy(
        update={
            "chat": options.judge,
            "chat_base_url": options.judge_base_url or models.chat_base_url,
            "chat_key_env": options.judge_key_env or models.chat_key_env,
            "chat_window": options.judge_window,
            "max_retries": 0,
        }
    )
    model = await in_daemon_thread(lambda: catalogue.chat_model(named))
    stack.push_async_callback(model.aclose)
    return model
