"""A try put together: two systems, the confirm questions in their order, the rule, the evidence budget, the ledger.

Invariant: the hypothesis is written down and its alpha taken before the first question of a try is asked, and the same
try again, finished or killed in the middle, is the same decision. Proved by `tests/story/test_try.py`.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from assay.app.contender import Contender
from assay.app.dev_questions import DevQuestions
from assay.app.evaluating import Evaluation, evaluation
from assay.app.measuring import Chosen, Measuring
from assay.app.settings import SettingsInForce
from assay.app.splitting import named_set
from assay.decisions.advice import advice
from assay.decisions.compare import Scored, compare
from assay.decisions.comparison import Comparison
from assay.decisions.declare import declared, metric_for
from assay.decisions.evidence_budget import EvidenceBudget
from assay.decisions.fold import CANDIDATE, INCUMBENT, Fold, Side, fold_of
from assay.decisions.forecast import Forecast, forecast
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.order import Ordering, ordered
from assay.decisions.outcome import outcome_shape, standing_shape
from assay.decisions.register import Decision, Register, Support, claim_of
from assay.decisions.split import SplitStore
from assay.decisions.trial import Runner, Trial, score_of
from assay.decisions.tuned import TunedOn
from assay.errors import BadInput, Conflict
from assay.evals.case import Case
from assay.evals.metrics import JUDGED
from assay.ledger.claim import claimed, is_claimed

FEWEST_ITEMS = 20
"""Fewer questions show nothing of any difference."""

_WRITE_SECONDS = 1.0


@dataclass(slots=True)
class Try:
    """A try ready to run. `earlier` is the same try where it is finished or can be gone on with."""

    measuring: Measuring
    ordering: Ordering
    hypothesis: Hypothesis
    arms: tuple[Evaluation, Evaluation]
    details: Mapping[str, Any]
    support: Support
    earlier: Decision | None
    decision_id: str
    dev: DevQuestions
    warning: str = ""
    budget_usd: float | None = None
    budget_id: str | None = None
    trial: Trial | None = None

    async def forecast(self) -> Forecast:
        """What it will take and what it can show, before anything is asked."""
        plans = [await arm.planned() for arm in self.arms]
        return await asyncio.to_thread(forecast, self.hypothesis, plans, dev_questions=len(self.dev.cases))

    async def run(self, *, changed: Callable[[Fold], None] = lambda _fold: None) -> Decision:
        """Ask until it is decided; the decision as it stands then. Raises Conflict where somebody else is at it."""
        database = self.measuring.workspace.database
        register, budget = Register(database), EvidenceBudget(database)
        with claimed(database, claim_of(self.hypothesis)) as who:
            if who:
                raise Conflict(f"This try is already running ({who}).", hint="Wait until it has finished, or stop it.")
            return await self._decide(register, budget, changed)

    async def _decide(self, register: Register, budget: EvidenceBudget, changed: Callable[[Fold], None]) -> Decision:
        decision = await asyncio.to_thread(self._opened, register, budget)
        hypothesis = decision.hypothesis
        fold = fold_of(hypothesis, self.ordering.clusters)
        written = time.monotonic()
        pending: set[asyncio.Future[None]] = set()

        def on_change() -> None:
            nonlocal written
            changed(fold)
            # The page that watches reads what is written: often enough to follow, seldom enough to cost nothing.
            if time.monotonic() - written > _WRITE_SECONDS and not pending:
                written = time.monotonic()
                shape = standing_shape(hypothesis, fold)
                task = asyncio.ensure_future(asyncio.to_thread(register.update, decision.id, outcome=shape))
                pending.add(task)
                task.add_done_callback(pending.discard)

        self.trial = Trial(fold, metric=hypothesis.metric, changed=on_change)
        incumbent, candidate = (_runner(arm) for arm in self.arms)
        try:
            ended = await self.trial.run(incumbent, candidate)
        except BaseException:
            await asyncio.gather(*pending, return_exceptions=True)
            await asyncio.to_thread(register.update, decision.id, status="interrupted")
            raise
        await asyncio.gather(*pending, return_exceptions=True)
        changed(fold)
        comparison = await asyncio.to_thread(self._beside, fold)
        by_budget = ended == "budget"
        outcome = await asyncio.to_thread(outcome_shape, hypothesis, fold, comparison, by_budget=by_budget)
        outcome |= self._spent()
        if by_budget:
            await asyncio.to_thread(register.update, decision.id, status="budget", outcome=outcome)
            return await asyncio.to_thread(register.get, decision.id)
        outcome = {**outcome, "support": self.support, "decision_id": decision.id}
        if outcome["quality"] == "UNDECIDED" and hypothesis.replicas > 1:
            outcome["advice"] = await asyncio.to_thread(self._advice, fold)
        rejected = outcome["quality"] == "PROMOTE" or (
            hypothesis.objective == "not_worse" and outcome["quality"] == "NOT_WORSE"
        )
        # Settled first: a crash in between is made good by the same try again, the other way round nothing would.
        await asyncio.to_thread(budget.settle, decision.id, rejected=rejected)
        await asyncio.to_thread(
            register.update,
            decision.id,
            status="done",
            finished_ns=time.time_ns(),
            verdict=outcome["verdict"],
            support=self.support,
            outcome=outcome,
        )
        runs = await self.dev.ask(budget_usd=self.budget_usd, budget_id=self.budget_id or decision.id)
        if runs:
            await asyncio.to_thread(register.update, decision.id, details={**decision.details, "dev_runs": runs})
        return await asyncio.to_thread(register.get, decision.id)

    def _opened(self, register: Register, budget: EvidenceBudget) -> Decision:
        """The decision on the ledger: this one again, or a new one whose alpha is taken now."""
        if self.earlier is not None:
            register.update(self.earlier.id, status="running")
            return register.get(self.earlier.id)
        _abandon_others(register, self.hypothesis)
        alpha = budget.take(self.hypothesis.set_name, self.hypothesis.season, self.decision_id)
        made = register.open(replace(self.hypothesis, alpha=alpha), details=self.details, decision_id=self.decision_id)
        runs = {f"{side}_run": arm.run_id for side, arm in zip(("incumbent", "candidate"), self.arms, strict=True)}
        register.update(made.id, **runs)
        return register.get(made.id)

    def _beside(self, fold: Fold) -> Comparison | None:
        """Cost and latency of both over the folded questions, with their intervals."""
        assert self.trial is not None
        counted = {item.ordinal: item for item in fold.folded if item.counted}
        if not counted:
            return None
        sides = [self._scored(side, counted.keys()) for side in (INCUMBENT, CANDIDATE)]
        return compare(sides[0], sides[1], alpha=2 * self.hypothesis.alpha)

    def _advice(self, fold: Fold) -> str:
        """What to buy against the noise, read from the repeats of the questions that count."""
        counted = {item.ordinal for item in fold.folded if item.counted}
        return advice(self._scored(INCUMBENT, counted), self._scored(CANDIDATE, counted))

    def _scored(self, side: Side, ordinals: Any) -> list[Scored]:
        assert self.trial is not None
        run_id, metric = self.trial.records[side].id, self.hypothesis.metric
        clusters = self.ordering.clusters
        found = []
        for result in self.measuring.runs.results(run_id, outputs=False):
            if result.ordinal in ordinals:
                score, _failed = score_of(result, metric)
                cluster = clusters[result.ordinal] if clusters else None
                found.append(Scored(str(result.ordinal), score or 0.0, cluster, result.cost_usd, result.latency_ms))
        return found

    def _spent(self) -> dict[str, Any]:
        assert self.trial is not None
        records = self.trial.records.values()
        return {
            "cost_usd": sum(record.cost_usd for record in records),
            "unpriced_calls": sum(record.unpriced_calls for record in records),
            "paid_calls": sum(record.paid_calls for record in records),
            "cached_calls": sum(record.cached_calls for record in records),
        }


@asynccontextmanager
async def trying(
    measuring: Measuring,
    in_force: SettingsInForce,
    *,
    incumbent: Contender,
    candidate: Contender,
    named: str | None = None,
    budget_usd: float | None = None,
    budget_id: str | None = None,
    most: int | None = None,
    again: bool = False,
    command: Sequence[str] = (),
) -> AsyncIterator[Try]:
    """Everything a try needs, opened; closed at the end. `named` names the cases as `assay eval --cases` does.

    `most` questions are asked at most, the first of the order in whole clusters; `budget_id` names a budget shared
    with who asks for the try.

    Raises what wrong systems, metrics and sets raise, and BadInput where both systems are one and the same.
    """
    if candidate.system is None and incumbent.system is None:
        # A change is a change of what serves.
        candidate = replace(candidate, changes={**incumbent.changes, **candidate.changes})
    sides = (incumbent, candidate)
    chosen = await asyncio.to_thread(set_named, measuring, named)
    metric = metric_for(in_force.settings.decisions, chosen.cases)
    keys = candidate.keys(in_force)
    find_questions = partial(_questions, measuring, in_force, chosen, keys, most=most)
    asked = await asyncio.to_thread(find_questions)
    decision_id = secrets.token_hex(16)
    async with AsyncExitStack() as stack:
        open_arms = partial(_arms, measuring, in_force, sides, metric=metric, budget_usd=budget_usd)
        arms = await stack.enter_async_context(open_arms(asked, budget_id=budget_id or decision_id))
        hypothesis = await asyncio.to_thread(_declared, measuring, in_force, chosen, asked, metric, arms)
        register = Register(measuring.workspace.database)
        # In whatever season: finished, or to be gone on with.
        earlier = None if again else await asyncio.to_thread(register.find, hypothesis.question_digest)
        if earlier is not None and earlier.status != "done":
            begun = asked
            if earlier.hypothesis.season != asked.season:  # begun when another season had more power
                begun = await asyncio.to_thread(find_questions, earlier.hypothesis.season)
            if not begun.are_those_of(earlier.hypothesis):
                await asyncio.to_thread(register.update, earlier.id, status="abandoned")
                earlier = None
            elif begun is not asked or budget_usd is not None:
                # It goes on where it was, and with what is left of the money it had.
                await stack.aclose()
                asked = begun
                arms = await stack.enter_async_context(open_arms(asked, budget_id=budget_id or earlier.id))
        for arm in arms:
            arm.run_id = await asyncio.to_thread(measuring.runs.id_for, arm.spec())
        yield Try(
            measuring=measuring,
            ordering=asked.ordering,
            hypothesis=earlier.hypothesis if earlier else hypothesis,
            arms=arms,
            details={
                "incumbent": incumbent.as_json(in_force),
                "candidate": candidate.as_json(in_force),
                "set_digest": chosen.digest,
                "command": list(command),
                "seed": asked.ordering.seed,
            },
            support="JUDGE-SUPPORTED" if metric in JUDGED else "REFERENCE-BASED",
            earlier=earlier,
            decision_id=earlier.id if earlier else decision_id,
            dev=DevQuestions(measuring, in_force, sides, set_name=chosen.name, cases=asked.dev, metric=metric),
            warning=" ".join(filter(None, (incumbent.edited(arms[0].spec().identity), asked.warning))),
            budget_usd=budget_usd,
            budget_id=budget_id,
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The questions of a try: the confirm cases of a season in their order, kept as a set, and dev ones to read."""

    season: int
    ordering: Ordering
    chosen: Chosen
    dev: list[Case]

    @property
    def warning(self) -> str:
        """What a reader must know of these questions; empty where there is nothing."""
        named = [case.evidence[0].document for case in self.ordering.cases if case.evidence]
        if self.ordering.clusters is not None or not named or len(named) < 2 * len(set(named)):
            return ""
        return (
            f"These questions come from {len(set(named)):,} documents and name no cluster. Those of one document go "
            'right and wrong together, which errs more often than stated: give each case its "cluster".'
        )

    def are_those_of(self, hypothesis: Hypothesis) -> bool:
        """Whether a hypothesis was declared on these very questions in this order."""
        mine = (self.chosen.digest, self.ordering.digest)
        return mine == (hypothesis.set_digest, hypothesis.order_digest)


def set_named(measuring: Measuring, named: str | None) -> Chosen:
    """The set to decide on; a split belongs to its name, so a digest is refused."""
    if named is not None and not (named.lower().endswith(".jsonl") or Path(named).is_file()):
        named_set(measuring, named)
    return measuring.choose(named)


def _questions(
    measuring: Measuring,
    in_force: SettingsInForce,
    chosen: Chosen,
    keys: set[str],
    season: int | None = None,
    *,
    most: int | None = None,
) -> _Asked:
    """The confirm questions of a season (None: the one with most power) that the candidate was not tuned on, the first
    `most` of their order at most, in whole clusters."""
    options, database = in_force.settings.decisions, measuring.workspace.database
    store = SplitStore(database)
    split = store.split(chosen.name, chosen.cases, dev_share=options.dev_share)
    found = split.chosen(season)
    seed = store.order_seed(chosen.name, found.number)
    ordering = ordered(TunedOn(database).untouched(keys, chosen.name, found.cases), seed=seed)
    if most is not None:
        ordering = ordering.first(most)
    if len(ordering.cases) < FEWEST_ITEMS:
        raise BadInput(
            f"{chosen.name} has {len(ordering.cases)} questions to decide on; fewer than {FEWEST_ITEMS} show nothing.",
            hint="Add cases: assay cases generate, or assay cases import.",
        )
    title = f"{chosen.name}, confirm"
    digest = measuring.save_part(title, ordering.cases)
    dev = ordered(split.dev, seed=seed).cases[: options.dev_questions]
    return _Asked(found.number, ordering, Chosen(title, digest, ordering.cases), dev)


@asynccontextmanager
async def _arms(
    measuring: Measuring,
    in_force: SettingsInForce,
    sides: tuple[Contender, Contender],
    asked: _Asked,
    *,
    metric: str,
    budget_usd: float | None,
    budget_id: str,
) -> AsyncIterator[tuple[Evaluation, Evaluation]]:
    """The evaluations of incumbent and candidate on the questions. Raises BadInput where both are one and the same."""
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                evaluation(
                    measuring,
                    asked.chosen,
                    side.in_force(in_force).changed({"evals.metrics": metric}),
                    system=side.system,
                    system_settings=side.system_settings or None,
                    budget_usd=budget_usd,
                    budget_id=budget_id,
                )
            )
            for side in sides
        ]
        if first.spec().digest == second.spec().digest:
            raise BadInput(
                "The candidate is the system that serves: there is nothing to try.",
                hint="Change something: assay try CHANGE.toml, or --set answers.max_tokens=200",
            )
        yield first, second


def _declared(
    measuring: Measuring,
    in_force: SettingsInForce,
    chosen: Chosen,
    asked: _Asked,
    metric: str,
    arms: tuple[Evaluation, Evaluation],
) -> Hypothesis:
    standing = EvidenceBudget(measuring.workspace.database).standing(chosen.name, asked.season)
    return declared(
        in_force.settings.decisions,
        set_name=chosen.name,
        season=asked.season,
        set_digest=asked.chosen.digest,
        ordering=asked.ordering,
        metric=metric,
        specs=[arm.spec() for arm in arms],
        alpha=standing.alpha_next,
    )


def _abandon_others(register: Register, hypothesis: Hypothesis) -> None:
    """Close what was begun on this set and never ended: a candidate that was edited is another candidate."""
    for other in register.list(set_name=hypothesis.set_name, season=hypothesis.season):
        is_open = other.status in ("interrupted", "budget", "running")
        if is_open and not is_claimed(register.database, claim_of(other.hypothesis)):
            register.update(other.id, status="abandoned")


def _runner(arm: Evaluation) -> Runner:
    return lambda follower: arm.results(follower=follower)
