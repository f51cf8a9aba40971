"""Recorded outcomes raced: a matrix of all arms' scores answers the calls a race and its confirmation would make.

The items are put in an order drawn from the seed. The first of them are the race's and those after it the
confirmation's; where one ends and the other begins follows from the size of the matrix and the budget, before a score
is read. The winner then meets the incumbent under the rule of `assay try`, whose verdict and interval are the claim.
Invariants: no item of the race is one of the confirmation, and the calls of both never exceed the share of the grid
that was allowed. Proved by `tests/unit/decisions/race/test_replayed.py`.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil, floor
from typing import Any

from assay.decisions.figures import points
from assay.decisions.fold import CANDIDATE, INCUMBENT, fold_of
from assay.decisions.order import ordered
from assay.decisions.outcome import outcome_shape
from assay.decisions.race.factors import factors_in
from assay.decisions.race.halving import Effect, Halving, Standing
from assay.decisions.race.rounds import PlannedRound, planned_rounds
from assay.decisions.replay import Matrix, hypothesis_of
from assay.errors import BadInput
from assay.evals.case import Case
from assay.stats.verdict import Verdict

FEWEST_TO_CONFIRM = 5
"""Questions: of fewer not even winning all of them shows anything at .05."""

RACE_SHARE = 0.7
"""Of the calls, and more where the items left would not use up the rest. Between .5 and .85 the winners of a race get a
little better and their confirmation weaker; about .7 neither gives much away (LOG.md)."""

MOST_RACED = 0.6
"""Of the items, where the calls would pay for more."""


@dataclass(frozen=True, slots=True)
class Division:
    """Whose the budget is: calls of both together, calls and items at most of the race and the plan that makes of them,
    items at most of the confirmation."""

    budget: int
    most_calls: int
    most_items: int
    plan: tuple[PlannedRound, ...]
    confirm_items: int

    @property
    def race_calls(self) -> int:
        """What the planned rounds take."""
        return sum(one.calls for one in self.plan)

    @property
    def race_items(self) -> int:
        """How many items they ask: the first in the order."""
        return sum(one.items for one in self.plan)


@dataclass(frozen=True, slots=True)
class RaceRound:
    """A round as it was: arms, questions each, calls, and the arms that went on, by name."""

    number: int
    arms: int
    items: int
    kept: tuple[str, ...]

    @property
    def calls(self) -> int:
        """Evaluations it took."""
        return self.arms * self.items


@dataclass(frozen=True, slots=True)
class Replayed:
    """A race and its confirmation. `race_score` is the winner's gain over the incumbent as the race saw it.

    `outcome` is the confirmation as `assay try` shows it, None where the incumbent itself won: then nothing is asked,
    the verdict is NOT_BETTER and the gain is 0, because a system does not gain on itself. `standings` name arms by
    their column.
    """

    arms: tuple[str, ...]
    winner: str
    incumbent: str
    race_score: float
    rounds: tuple[RaceRound, ...]
    standings: tuple[Standing, ...]
    effects: tuple[Effect, ...]
    outcome: Mapping[str, Any] | None
    confirm_items: int
    grid_calls: int
    budget: int
    seed: int

    @property
    def race_calls(self) -> int:
        """Evaluations of the race."""
        return sum(round_.calls for round_ in self.rounds)

    @property
    def confirm_calls(self) -> int:
        """Evaluations of the confirmation, of both arms."""
        return 2 * int(self.outcome["asked"]) if self.outcome else 0

    @property
    def calls(self) -> int:
        """All evaluations."""
        return self.race_calls + self.confirm_calls

    @property
    def verdict(self) -> Verdict:
        """The confirmation's."""
        return Verdict(self.outcome["verdict"]) if self.outcome else Verdict.NOT_BETTER

    @property
    def confirmed(self) -> dict[str, float | None]:
        """The gain adjusted for the stop, with the interval that the verdict is read from."""
        if self.outcome is None:
            return {"value": 0.0, "low": 0.0, "high": 0.0}
        return {key: self.outcome["difference"][key] for key in ("value", "low", "high")}

    def as_json(self) -> dict[str, Any]:
        """As `assay race --replay --json` gives it."""
        outcome = self.outcome or {}
        return {
            "winner": self.winner,
            "incumbent": self.incumbent,
            "verdict": str(self.verdict),
            "calls": self.calls,
            "grid_calls": self.grid_calls,
            "race_score": self.race_score,
            "confirmed": self.confirmed,
            "budget_calls": self.budget,
            "race_calls": self.race_calls,
            "confirm_calls": self.confirm_calls,
            "confirm": {"items": self.confirm_items, "n": outcome.get("n", 0), "rule": outcome.get("rule")},
            "race_items": sum(round_.items for round_ in self.rounds),
            "seed": self.seed,
            "rounds": [
                {
                    "number": one.number,
                    "arms": one.arms,
                    "items": one.items,
                    "calls": one.calls,
                    "kept": list(one.kept),
                }
                for one in self.rounds
            ],
            "arms": [
                {
                    "name": self.arms[one.arm],
                    "n": one.n,
                    "mean": one.mean,
                    "score": one.score,
                    "out_round": one.out_round,
                    "why": one.why,
                }
                for one in self.standings
            ],
            "effects": [asdict(effect) for effect in self.effects],
        }

    def lines(self) -> list[str]:
        """The same for a person's terminal."""
        rows = [("round", "arms", "questions", "calls", "go on")]
        for one in self.rounds:
            go_on = ", ".join(one.kept) if len(one.kept) <= 3 else f"{len(one.kept):,}"
            rows.append((str(one.number), f"{one.arms:,}", f"{one.items:,}", f"{one.calls:,}", go_on))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join([*map(str.rjust, row[:4], widths), row[4]]) for row in rows]
        share = self.calls / self.grid_calls
        lines += [
            "",
            f"winner     {self.winner}",
            f"incumbent  {self.incumbent}",
            f"calls      {self.calls:,} of the grid's {self.grid_calls:,} ({100 * share:.1f}%): "
            f"{self.race_calls:,} raced, {self.confirm_calls:,} to confirm",
        ]
        if self.outcome is None:
            return [*lines, "", f"{self.verdict}  The incumbent won its own race: there is nothing to confirm."]
        found = self.confirmed
        value = found["value"] or 0.0
        lines += [
            f"raced      {points(self.race_score)} points over the incumbent, which is no claim",
            f"confirmed  {points(value)} points ({points(found['low'])} to {points(found['high'])}) "
            f"on {self.outcome['n']:,} questions the race never saw",
            f"optimism   {points(self.race_score - value)} points, raced less confirmed",
            "",
            f"{self.verdict}  {self.outcome['sentence']}",
        ]
        return lines


def race_replayed(
    matrix: Matrix, *, incumbent: str | None = None, seed: int = 0, budget_share: float = 0.10, alpha: float = 0.05
) -> Replayed:
    """Race the arms of a matrix within `budget_share` of its grid and confirm the winner against `incumbent`.

    The incumbent defaults to the first arm. Arms whose names are all made of the same `key=value` words are ranked
    through these as factors. Raises BadInput for an incumbent that is no arm, and a budget too small to race and
    confirm with.
    """
    arms, items = len(matrix.arms), len(matrix.items)
    reigning = _column(matrix, matrix.arms[0] if incumbent is None else incumbent)
    division = divided(arms, items, budget_share)
    places = [int(place) for place in matrix.places(matrix.ordered(str(seed)))]
    # Equal arms go by number: the incumbent stays, the others come in an order that says nothing of their columns.
    drawn = ordered([Case(arm, arm) for arm in matrix.arms], seed=f"arms {seed}")
    others = [matrix.arms.index(case.id) for case in drawn.cases]
    columns = [reigning, *(column for column in others if column != reigning)]
    race = Halving(
        factors_in([matrix.arms[column] for column in columns]),
        arms,
        items=division.most_items,
        calls=division.most_calls,
    )
    rounds = _raced(race, matrix, columns, places)
    winner = race.winner
    assert winner is not None, "no recorded score is a failure"
    confirm = places[division.race_items :][: division.confirm_items]
    standings = [replace(one, arm=columns[one.arm]) for one in race.standings()]
    is_same = columns[winner] == reigning
    return Replayed(
        arms=matrix.arms,
        winner=matrix.arms[columns[winner]],
        incumbent=matrix.arms[reigning],
        race_score=(race.score(winner) or 0.0) - (race.score(0) or 0.0),
        rounds=rounds,
        standings=tuple(sorted(standings, key=lambda one: one.arm)),
        effects=tuple(race.effects()),
        outcome=None if is_same else _confirmed(matrix, confirm, reigning, columns[winner], seed=seed, alpha=alpha),
        confirm_items=len(confirm),
        grid_calls=arms * items,
        budget=division.budget,
        seed=seed,
    )


def divided(arms: int, items: int, budget_share: float) -> Division:
    """How a share of the grid is divided. Raises BadInput where it is no share, or too small."""
    if not 0 < budget_share <= 1:
        raise BadInput(f"The budget is a share of the grid in 0 to 1, not {budget_share:g}.", hint="Use 0.1 for 10%.")
    grid, least = arms * items, arms + 2 * FEWEST_TO_CONFIRM
    budget = floor(budget_share * grid)
    if items <= FEWEST_TO_CONFIRM or least > grid:
        raise BadInput(
            f"{items:,} items are too few to race {arms:,} arms and confirm the winner on others.",
            hint=f"Give at least {max(FEWEST_TO_CONFIRM + 1, -(-least // arms)):,} items.",
        )
    if budget < least:
        share = ceil(1e4 * least / grid) / 1e4
        raise BadInput(
            f"{budget:,} calls ({100 * budget_share:g}% of {grid:,}) are too few: one round of {arms:,} arms and a "
            f"confirmation take {least:,}.",
            hint=f"Allow a share of at least {share:g}.",
        )
    most = max(1, min(floor(MOST_RACED * items), items - FEWEST_TO_CONFIRM))
    share = max(floor(RACE_SHARE * budget), budget - 2 * (items - most))
    calls = max(arms, min(share, budget - 2 * FEWEST_TO_CONFIRM))
    plan = planned_rounds(arms, items=most, calls=calls)
    raced = Division(budget, calls, most, plan, 0)
    left = min(items - raced.race_items, (budget - raced.race_calls) // 2)
    return replace(raced, confirm_items=left)


def _raced(race: Halving, matrix: Matrix, columns: Sequence[int], places: Sequence[int]) -> tuple[RaceRound, ...]:
    rounds = []
    while (round_ := race.next()) is not None:
        for arm in round_.arms:
            for item in round_.items:
                race.add(arm, item, float(matrix.scores[places[item], columns[arm]]))
        kept = tuple(matrix.arms[columns[arm]] for arm in race.close().kept)
        rounds.append(RaceRound(round_.number, len(round_.arms), len(round_.items), kept))
    return tuple(rounds)


def _confirmed(
    matrix: Matrix, places: Sequence[int], incumbent: int, candidate: int, *, seed: int, alpha: float
) -> dict[str, Any]:
    """The winner against the incumbent on the items of `places`, in their order, as `assay try` decides and shows."""
    ordering = ordered([Case(matrix.items[place], matrix.items[place]) for place in places], seed=str(seed))
    hypothesis = hypothesis_of(
        matrix, ordering, incumbent=matrix.arms[incumbent], candidate=matrix.arms[candidate], alpha=alpha
    )
    fold = fold_of(hypothesis, None)
    for ordinal, place in enumerate(places):
        fold.add(INCUMBENT, ordinal, float(matrix.scores[place, incumbent]))
        fold.add(CANDIDATE, ordinal, float(matrix.scores[place, candidate]))
        if fold.is_over:
            break
    fold.finish()
    return outcome_shape(hypothesis, fold, None)


def _column(matrix: Matrix, arm: str) -> int:
    if arm in matrix.arms:
        return matrix.arms.index(arm)
    near = difflib.get_close_matches(arm, matrix.arms, n=1, cutoff=0.3)
    raise BadInput(
        f"The matrix has no arm {arm!r}.",
        hint=f"Did you mean {near[0]!r}?" if near else f"Its arms: {', '.join(matrix.arms[:5])} ...",
    )
