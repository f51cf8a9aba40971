"""Prompts as factors: what a model proposes from failures on dev questions becomes the levels of one factor.

Proposing looks at the first dev questions of the race and at nothing else. What it proposes is raced like anything, and
confirmed on questions that neither saw. Proved by `tests/story/test_race_prompts.py`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

from assay.app.behind import Behind
from assay.app.contender import Contender
from assay.app.daemon import in_daemon_thread
from assay.app.evaluating import Evaluation, evaluation
from assay.app.measuring import Chosen, Measuring
from assay.app.race_arms import meaning
from assay.app.settings import SettingsInForce
from assay.decisions.race.evolution import Evolution, ScoredCase, evolve, planned_calls, scored_cases
from assay.decisions.race.prompts import OWN_KEY, PromptSearch, kept, task_for
from assay.decisions.race.space import Space
from assay.errors import BadInput, BadSetting, LimitReached
from assay.models import catalogue
from assay.models.chat import ChatModel

_WEAK = " The embedded model wrote them, which is too weak for that: name a stronger one in [prompts] model."

MINIBATCH = 16
"""Dev questions answered under a prompt to see where it fails."""


@dataclass(frozen=True, slots=True)
class Prompted:
    """The space with the proposed levels, the lineage for the view, the answers it took, and what came of it."""

    space: Space
    lineage: list[dict[str, Any]]
    calls: int
    note: str


async def prompted(
    measuring: Measuring,
    base: SettingsInForce,
    space: Space,
    *,
    incumbent: Contender,
    chosen: Chosen,
    metric: str,
    budget_usd: float | None,
    budget_id: str,
) -> Prompted:
    """Propose prompts where the space asks for them. Raises BadInput where the setting changes no answer."""
    wanted = space.prompts
    if wanted is None:
        return Prompted(space, [], 0, "")
    start = wanted.start or _start(space, base, incumbent, wanted.key)
    _check_changes_answers(space, base, wanted)
    some = chosen.cases[:MINIBATCH]
    digest = await asyncio.to_thread(measuring.save_part, f"{chosen.name}, first {len(some)}", some)
    part = Chosen(f"{chosen.name}, first {len(some)}", digest, some)
    async with AsyncExitStack() as stack:

        async def opened(text: str) -> Evaluation:
            system, settings, changes = _under(space, wanted, text)
            return await stack.enter_async_context(
                evaluation(
                    measuring,
                    part,
                    base.changed({**changes, "evals.metrics": metric}),
                    system=system,
                    system_settings=settings,
                    budget_usd=budget_usd,
                    budget_id=budget_id,
                )
            )

        async def ask(text: str) -> Sequence[ScoredCase]:
            return await _answered(measuring, await opened(text), metric)

        first = await opened(start)
        assert first.behind is not None
        model = await _author(measuring, base, wanted, first.behind, stack)
        found = await evolve(
            model,
            start=start,
            ask=ask,
            generations=wanted.generations,
            per_generation=wanted.variants,
            failures=wanted.failures,
            task=task_for(wanted.key),
        )
    await asyncio.to_thread(kept, measuring.prompt_store(), found.lineage, key=wanted.key)
    calls = planned_calls(minibatch=len(some), generations=wanted.generations, per_generation=wanted.variants).answers
    return _raced(space, wanted, start, found, calls, is_weak=model.provider == "embedded")


def _raced(space: Space, wanted: PromptSearch, start: str, found: Evolution, calls: int, *, is_weak: bool) -> Prompted:
    levels = [start, *(variant.text for variant in found.finalists)]
    widened = space.with_levels(wanted.key, levels)
    return Prompted(
        replace(widened, prompts=None),
        [variant.as_json() for variant in found.lineage],
        calls,
        f"Prompts: {found.proposals.sentence}{_WEAK if is_weak else ''}",
    )


async def _answered(measuring: Measuring, ready: Evaluation, metric: str) -> list[ScoredCase]:
    record = await ready.results()
    if record.status == "budget":
        raise LimitReached("The budget stopped the search for prompts.", hint="Allow more with --budget-usd.")
    results = await asyncio.to_thread(lambda: list(measuring.runs.results(record.id)))
    return scored_cases(results, ready.chosen.cases, metric)


async def _author(
    measuring: Measuring, base: SettingsInForce, wanted: PromptSearch, behind: Behind, stack: AsyncExitStack
) -> ChatModel:
    """The model that proposes, behind the gateway of the race: cached, and within its budget."""
    models = base.settings.models
    if not wanted.model or wanted.model == models.chat:
        chat = await measuring.workspace.chat()
        if chat is None:
            raise BadSetting("Proposing prompts needs a model and models.chat is none.", hint="Set [prompts] model.")
        return behind.chat(chat)
    named = models.model_copy(update={"chat": wanted.model, "max_retries": 0})
    model = await in_daemon_thread(lambda: catalogue.chat_model(named))
    stack.push_async_callback(model.aclose)
    return behind.chat(model)


def _under(
    space: Space, wanted: PromptSearch, text: str
) -> tuple[str | None, Mapping[str, Any] | None, Mapping[str, Any]]:
    """(system, its settings, changes of Assay's own) with `text` as the prompt, everything else as the space's base."""
    said = {**space.base, **{factor.name: factor.levels[0] for factor in space.factors}, wanted.key: text}
    return (space.system, said, {}) if space.system is not None else (None, None, said)


def _start(space: Space, base: SettingsInForce, incumbent: Contender, key: str) -> str:
    if space.system is not None:
        return str(space.base.get(key) or incumbent.system_settings.get(key) or "")
    if key not in base.origins:
        base.changed({key: ""})  # refuses it, naming the nearest
    values = {name: value for name, value, _origin, _description in incumbent.in_force(base).rows()}
    return str(values.get(key, ""))


def _check_changes_answers(space: Space, base: SettingsInForce, wanted: PromptSearch) -> None:
    if space.system is not None or wanted.key != OWN_KEY:
        return
    told = [meaning(base.changed({**_under(space, wanted, text)[2]}).settings) for text in ("", "Be brief.")]
    if told[0] == told[1]:
        raise BadInput(
            f"{OWN_KEY} changes no answer here: answers are quoted, and only a model that writes reads it.",
            hint='Let the model write: [base] "answers.style" = "write"',
        )
