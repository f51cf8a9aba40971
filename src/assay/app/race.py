"""A race: rounds on dev questions, then one confirmation of the winner.

The race makes no claim; the claim is `assay try`'s, on confirm questions nobody has seen, at the alpha left in the
set's evidence budget. Invariants: race and confirmation never ask more than the calls they were given; what the winner
was chosen on is written down before it is tried; the same race again, finished or killed in the middle, is the same
race and pays nothing twice. Proved by `tests/story/test_race.py`.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay.app import race_shape as shape
from assay.app.contender import Contender
from assay.app.measuring import Chosen, Measuring
from assay.app.race_arms import Field
from assay.app.race_budget import Budgeted
from assay.app.race_heats import Heats
from assay.app.race_picture import view_of
from assay.app.race_prune import Pruned, pruned
from assay.app.settings import SettingsInForce
from assay.app.trying import trying
from assay.decisions.race.halving import Halving, Round
from assay.decisions.race.space import Space
from assay.decisions.race.store import RaceRecord, Races, claim_name
from assay.decisions.register import Decision
from assay.decisions.seasons import Split
from assay.decisions.tuned import TunedOn
from assay.errors import AssayError, BadInput, Conflict, LimitReached, Upstream
from assay.ledger.claim import claimed

_WRITE_SECONDS = 1.0
_MODEL = "models.chat"

Changed = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class Race:
    """A race ready to run. `earlier` is the same race where it is finished or can be gone on with."""

    measuring: Measuring
    base: SettingsInForce
    space: Space
    incumbent: Contender
    chosen: Chosen
    split: Split
    metric: str
    race_id: str
    digest: str
    earlier: RaceRecord | None
    command: Sequence[str]
    budget: Budgeted
    everyone: Field
    heats: Heats
    prompts: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    prunes: bool = True
    budget_usd: float | None = None
    halving: Halving | None = None
    pruned_by: Pruned | None = None
    rounds: list[tuple[Round, Sequence[int] | None]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    confirmation: dict[str, Any] | None = None
    winner: int | None = None

    def plan(self) -> dict[str, Any]:
        """The view before anything is asked."""
        self.begin(range(len(self.everyone.entries)))
        return view_of(self, "planned")

    async def run(self, *, changed: Changed = lambda _view: None) -> RaceRecord:
        """Race and confirm; the record as it stands then, status "budget" where that stopped it.

        Raises Conflict where somebody else is at it.
        """
        database = self.measuring.workspace.database
        with claimed(database, claim_name(self.digest)) as who:
            if who:
                raise Conflict(f"This race is already running ({who}).", hint="Wait until it has finished, or stop it.")
            writer = _Writer(Races(database), self, changed)
            await writer.open()
            try:
                await self._race(writer)
                await self._confirm(writer)
            except LimitReached:
                await writer.end("budget")
            except BaseException as error:
                await writer.end(_status_of(error))
                raise
            else:
                await writer.end("done")
        return await asyncio.to_thread(Races(database).get, self.race_id)

    # ---- the rounds ---------------------------------------------------------------------------

    async def _race(self, writer: "_Writer") -> None:
        if self.prunes:
            self.pruned_by = await pruned(
                self.measuring, self.everyone.entries, self.heats, incumbent=self.everyone.incumbent
            )
        left_in = self.pruned_by.kept if self.pruned_by else range(len(self.everyone.entries))
        halving = self.begin(left_in)
        begun = self.earlier.view.get("rounds") if self.earlier else None
        stopped_in = begun[-1]["number"] if begun else 0
        while (heat := halving.next()) is not None:
            self.rounds.append((heat, None))
            asked = Round(heat.number, tuple(self.numbers[arm] for arm in heat.arms), heat.first, heat.last)
            await self.heats.run(asked, changed=writer.changed, again=heat.number == stopped_in)
            for place, number in zip(heat.arms, asked.arms, strict=True):
                answered = self.heats.runners[number].answered
                for item in heat.items:
                    one = answered.get(item)
                    halving.add(place, item, one.score if one else None, failed=bool(one and one.failed))
            self.heats.done = 0
            closed = halving.close()
            self.rounds[-1] = (heat, closed.kept)
            writer.changed()
        won = halving.winner
        if won is None:
            raise BadInput(
                "Every design failed on every question, so none can be told from another.",
                hint="See why on the race's page, or ask one of them a question: assay eval --limit 3",
            )
        self.winner = self.numbers[won]

    def begin(self, numbers: Sequence[int] | range) -> Halving:
        """The race of these arms of the field, before its first round."""
        self.numbers = list(numbers)
        levels = [
            {key: _hashable(level) for key, level in self.everyone.entries[number].arm.levels.items()}
            for number in self.numbers
        ]
        self.halving = Halving(
            levels,
            len(self.numbers),
            items=len(self.chosen.cases),
            calls=self.budget.race_calls,
            first=_MODEL if self.space.system is None else None,
            worth=self._worth,
        )
        return self.halving

    def _worth(self, place: int, score: float) -> float:
        runner = self.heats.runners[self.numbers[place]]
        latency = runner.latency_ms()
        return shape.utility(score, runner.cost_usd(), latency and latency[1], self.space.tradeoff)

    # ---- the confirmation ---------------------------------------------------------------------

    async def _confirm(self, writer: "_Writer") -> None:
        assert self.winner is not None
        assert self.halving is not None
        winner = self.everyone.entries[self.winner]
        gain = self.race_gain()
        if winner.is_incumbent:
            self.confirmation = {
                "decision_id": None,
                "verdict": "NOT_BETTER",
                "race_score": 0.0,
                "value": 0.0,
                "low": 0.0,
                "high": 0.0,
                "n": 0,
                "calls": 0,
            }
            self.notes.append("What serves won the race: there is nothing to confirm.")
            return
        asked = self.chosen.cases[: max((heat.last for heat, _kept in self.rounds), default=0)]
        keys = winner.contender.keys(self.base)
        tuned = TunedOn(self.measuring.workspace.database)
        await asyncio.to_thread(tuned.record, keys, self.split.set_name, asked)
        async with trying(
            self.measuring,
            self._deciding(gain),
            incumbent=self.incumbent,
            candidate=winner.contender,
            named=self.split.set_name,
            budget_usd=self.budget_usd,
            budget_id=self.race_id,
            most=self.budget.confirm_calls // 2,
            command=self.command,
        ) as ready:
            if ready.earlier is not None and ready.earlier.status == "done":
                decision = ready.earlier
            else:
                decision = await ready.run(changed=lambda fold: writer.confirming(len(fold.folded)))
        self.confirmation = _confirmed(decision, gain) | {"calls": await asyncio.to_thread(self._asked_of, decision)}
        if decision.status == "budget":
            raise LimitReached("The budget stopped the confirmation.", hint="Run it again with a larger --budget-usd.")

    def _asked_of(self, decision: Decision) -> int:
        """Answers of both sides, those among them that were under way when it was decided."""
        runs = [run for run in (decision.incumbent_run, decision.candidate_run) if run is not None]
        return sum(self.measuring.runs.get(run).results for run in runs)

    def _deciding(self, gain: float | None) -> SettingsInForce:
        """How the confirmation decides: a winner that is cheaper and no better has to be not worse, if a trade-off is
        stated; else better."""
        changes: dict[str, Any] = {"decisions.metric": self.metric, "decisions.dev_questions": 0}
        if self.space.tradeoff.is_stated and (gain is None or gain <= 0):
            changes["decisions.objective"] = "not_worse"
        return self.base.changed(changes)

    def race_gain(self) -> float | None:
        """The winner's score less the incumbent's, as the race saw both."""
        if self.halving is None or self.winner is None or self.everyone.incumbent not in self.numbers:
            return None
        scores = [self.halving.score(self.numbers.index(arm)) for arm in (self.winner, self.everyone.incumbent)]
        return None if scores[0] is None or scores[1] is None else scores[0] - scores[1]


class _Writer:
    """Keeps the ledger's picture of a race: often enough to follow, seldom enough to cost nothing."""

    def __init__(self, races: Races, race: Race, changed: Changed) -> None:
        self._races, self._race, self._changed = races, race, changed
        self._at = 0.0
        self._pending: set[asyncio.Future[None]] = set()
        self._asked = 0

    async def open(self) -> None:
        race = self._race
        race.begin(range(len(race.everyone.entries)))
        if race.earlier is None:
            view = view_of(race, "running")
            await asyncio.to_thread(
                lambda: self._races.open(
                    set_name=race.split.set_name, digest=race.digest, view=view, race_id=race.race_id
                )
            )
        else:
            await asyncio.to_thread(self._races.update, race.race_id, status="running")

    def changed(self) -> None:
        """Something happened: show it, and write it down where the last time is a while ago."""
        if time.monotonic() - self._at < _WRITE_SECONDS or self._pending:
            return
        self._at = time.monotonic()
        view = view_of(self._race, "running")
        if self._asked:
            view["confirming"] = self._asked
        self._changed(view)
        task = asyncio.ensure_future(asyncio.to_thread(self._races.update, self._race.race_id, view=view))
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    def confirming(self, asked: int) -> None:
        """So many questions of the confirmation are folded."""
        self._asked = asked
        self.changed()

    async def end(self, status: Any) -> None:
        await asyncio.gather(*self._pending, return_exceptions=True)
        race = self._race
        view = view_of(race, status)
        decision = (race.confirmation or {}).get("decision_id")
        await asyncio.to_thread(
            lambda: self._races.update(race.race_id, view=view, status=status, decision_id=decision)
        )
        self._changed(view)


def _confirmed(decision: Decision, gain: float | None) -> dict[str, Any]:
    outcome = decision.outcome or {}
    difference = outcome.get("difference") or {}
    return {
        "decision_id": decision.id,
        "verdict": outcome.get("verdict", "UNDECIDED"),
        "promotable": bool(outcome.get("promotable")),
        "race_score": gain,
        "value": difference.get("value"),
        "low": difference.get("low"),
        "high": difference.get("high"),
        "n": outcome.get("n", 0),
        "cost_usd": outcome.get("cost_usd"),
    }


def _status_of(error: BaseException) -> str:
    if isinstance(error, AssayError) and not isinstance(error, Upstream):
        return "failed"
    return "interrupted"


def _hashable(level: Any) -> Any:
    return json.dumps(level, sort_keys=True, default=str) if isinstance(level, list | dict) else level
