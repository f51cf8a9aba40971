"""What the models of an evaluation stand behind, and the workspace they come from."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from assay.app.daemon import in_daemon_thread
from assay.app.settings import Settings, SettingsInForce
from assay.app.wiring import Workspace
from assay.errors import BadSetting
from assay.gateway.budget import Budget
from assay.gateway.pace import Pace
from assay.gateway.stack import stacked_chat, stacked_embedder
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

    def chat(self, model: ChatModel) -> ChatModel:
        """A chat model behind it. Raises BadSetting under a budget where the model has no known price."""
        return stacked_chat(
            model,
            values=self._values,
            budget=self._budget,
            pace=self._pace(_server(model)),
            timeout_seconds=self._timeout_seconds,
        )

    def embedder(self, embedder: Embedder) -> Embedder:
        """An embedder behind it."""
        provider = "embedded" if embedder.name == MiniLMEmbedder.name else getattr(embedder, "provider", "unknown")
        return stacked_embedder(
            embedder, provider=provider, values=self._values, budget=self._budget, pace=self._pace(_server(embedder))
        )

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
