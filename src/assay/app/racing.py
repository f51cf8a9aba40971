"""A race opened: the space, the dev questions, the arms, what it may ask. See `app.race` for the race itself."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from assay.app.contender import Contender
from assay.app.measuring import Chosen, Measuring
from assay.app.race import Race
from assay.app.race_arms import field_of
from assay.app.race_budget import budgeted
from assay.app.race_heats import heats
from assay.app.race_prompts import prompted
from assay.app.settings import SettingsInForce
from assay.app.trying import set_named
from assay.decisions.declare import metric_for
from assay.decisions.race.space import Space
from assay.decisions.race.store import Races
from assay.decisions.split import SplitStore
from assay.errors import BadInput
from assay.evals.case import Case

_FEWEST_DEV = 10


@asynccontextmanager
async def racing(
    measuring: Measuring,
    base: SettingsInForce,
    space: Space,
    *,
    incumbent: Contender,
    named: str | None = None,
    budget_usd: float | None = None,
    budget_share: float = 0.10,
    budget_calls: int | None = None,
    prunes: bool = True,
    again: bool = False,
    command: Sequence[str] = (),
) -> AsyncIterator[Race]:
    """Everything a race needs, opened; closed at the end. Nothing is asked or spent but what prompts take.

    Raises what wrong spaces, systems, metrics and sets raise, and BadInput for a budget too small for one round.
    """
    found = await asyncio.to_thread(set_named, measuring, named)
    set_name, cases = found.name, found.cases
    metric = metric_for(base.settings.decisions, cases)
    store = SplitStore(measuring.workspace.database)
    split = await asyncio.to_thread(lambda: store.split(set_name, cases, dev_share=base.settings.decisions.dev_share))
    if len(split.dev) < _FEWEST_DEV:
        raise BadInput(
            f"{set_name} has {len(split.dev)} dev questions; a race needs {_FEWEST_DEV}.",
            hint="Add cases: assay cases generate, or assay cases import.",
        )
    chosen = await asyncio.to_thread(_race_set, measuring, set_name, split.dev)
    what = {
        "space": space.as_json(),
        "incumbent": incumbent.as_json(base),
        "base": Contender().as_json(base),
        "set": chosen.digest,
        "metric": metric,
        "budget": [budget_usd, budget_share, budget_calls, prunes],
    }
    digest = hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()
    races = Races(measuring.workspace.database)
    earlier = None if again else await asyncio.to_thread(races.find, digest)
    race_id = earlier.id if earlier else secrets.token_hex(16)
    prompts = await prompted(
        measuring,
        base,
        space,
        incumbent=incumbent,
        chosen=chosen,
        metric=metric,
        budget_usd=budget_usd,
        budget_id=race_id,
    )
    space = prompts.space
    everyone = field_of(space, base, incumbent)
    confirm = len(split.chosen().cases) if split.seasons else 0
    async with heats(
        measuring, everyone.entries, chosen, base, metric=metric, budget_usd=budget_usd, budget_id=race_id
    ) as opened:
        budget = budgeted(
            opened.runners,
            dev=len(chosen.cases),
            confirm=confirm,
            share=budget_share,
            calls=budget_calls,
            usd=budget_usd,
            used=prompts.calls,
        )
        yield Race(
            measuring=measuring,
            base=base,
            space=space,
            incumbent=incumbent,
            chosen=chosen,
            split=split,
            metric=metric,
            race_id=race_id,
            digest=digest,
            earlier=earlier,
            command=command,
            budget=budget,
            everyone=everyone,
            heats=opened,
            prompts=prompts.lineage,
            notes=[prompts.note] if prompts.note else [],
            prunes=prunes,
            budget_usd=budget_usd,
        )


def _race_set(measuring: Measuring, set_name: str, dev: Sequence[Case]) -> Chosen:
    """The dev questions in the order of the race: one by one, so that the first few come from many clusters."""
    cases = sorted(dev, key=lambda case: hashlib.sha256(f"race\0{case.id}".encode(errors="surrogatepass")).digest())
    title = f"{set_name}, race"
    return Chosen(title, measuring.save_part(title, cases), cases)
