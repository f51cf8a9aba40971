"""A race's view object read: the facts its page, its file and its terminal view share, so that all say the same.

The object is that of `assay.app.race_shape`. Scores lie in [0, 1]; None is what nobody knows. Invariant: every arm is
in exactly one place of `ranked`, and nothing here is estimated: figures are those of the object or differences of two.
Proved by `tests/unit/app/test_race_page.py`.
"""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from assay.decisions.figures import counted, points
from assay.decisions.race.space import named
from assay.ledger.redaction import without_keys

Row = Mapping[str, Any]

SERVES = "what serves"
LIVE = ("running", "planned")
_UNSET = "as it serves"


@dataclass(frozen=True)
class RaceView:
    """A race to be shown. `created_ns` is when it was opened, where whoever keeps it knows."""

    shape: Row
    created_ns: int | None = None

    # ---- what was raced -----------------------------------------------------------------------

    @property
    def id(self) -> str:
        """Hexadecimal."""
        return str(self.shape["race_id"])

    @property
    def status(self) -> str:
        """`running`, `done`, `interrupted`, `budget`, `failed`, or `planned`."""
        return str(self.shape["status"])

    @property
    def is_live(self) -> bool:
        """Whether it is still going on."""
        return self.status == "running"

    @property
    def title(self) -> str:
        """What was raced, on what."""
        metric, name = self.shape["metric"], self.shape["set"]["name"]
        return f"{counted(len(self.arms), 'design')} raced on {name} by {metric}"

    @property
    def begun_ns(self) -> int:
        """When it was opened."""
        return int(self.created_ns or self.shape["created_ns"])

    @property
    def command(self) -> str:
        """The command that runs it, without keys."""
        return without_keys(shlex.join(["assay", *map(str, self.shape.get("command") or ())]))

    # ---- arms ---------------------------------------------------------------------------------

    @cached_property
    def arms(self) -> tuple[Row, ...]:
        """By number. One that always failed has no score: what its levels do elsewhere says nothing of it."""
        nothing = {"score": None, "score_low": None, "score_high": None, "on_frontier": False}
        return tuple({**arm, **nothing} if always_failed(arm) else arm for arm in self.shape["arms"])

    @cached_property
    def ranked(self) -> tuple[Row, ...]:
        """Every arm once: the winner, then who got furthest, and of those the higher score; unknown scores last."""
        winner = self.winner_number

        def key(arm: Row) -> tuple[bool, float, bool, float, int]:
            score = arm["score"]
            return arm["number"] != winner, -self.reached(arm), score is None, -(score or 0.0), arm["number"]

        return tuple(sorted(self.arms, key=key))

    def reached(self, arm: Row) -> int:
        """The last round an arm was in; 0: none, one more than there are: it is still in."""
        out = arm["out_round"]
        return len(self.rounds) + 1 if out is None else int(out)

    @property
    def still_in(self) -> int:
        """How many arms are in."""
        return sum(bool(arm["is_in"]) for arm in self.arms)

    @property
    def leader(self) -> Row | None:
        """The winner, else the best of those that are in as far as is known."""
        best = self.ranked[0] if self.ranked else None
        return best if best is not None and (self.winner_number is not None or best["score"] is not None) else None

    @property
    def winner(self) -> Row | None:
        """Number, name and levels of who won."""
        found: Row | None = self.shape.get("winner")
        return found

    @property
    def winner_number(self) -> int | None:
        """The number of the arm that won."""
        return None if self.winner is None else int(self.winner["number"])

    @property
    def incumbent(self) -> Row | None:
        """The arm that serves."""
        number = self.shape.get("incumbent")
        return None if number is None else next((arm for arm in self.arms if arm["number"] == number), None)

    @property
    def incumbent_won(self) -> bool:
        """Whether what serves is the winner."""
        return self.winner is not None and self.winner_number == self.shape.get("incumbent")

    def short_name(self, levels: Row) -> str:
        """A design by its levels, keys without their sections where that leaves no two alike."""
        return named({self._short_keys.get(key, key): value for key, value in levels.items()}) or SERVES

    def short_key(self, key: str) -> str:
        """A factor without its section, where no other is called so."""
        return self._short_keys.get(key, key)

    @cached_property
    def _short_keys(self) -> dict[str, str]:
        keys = dict.fromkeys(key for arm in self.arms for key in arm["levels"])
        last = {key: key.rpartition(".")[2] or key for key in keys}
        used = Counter(last.values())
        return {key: short for key, short in last.items() if used[short] == 1}

    def changes(self) -> list[tuple[str, str, str]]:
        """(setting, what serves, winner), as far as they differ."""
        if self.winner is None:
            return []
        before = self.incumbent["levels"] if self.incumbent is not None else {}
        after = self.winner["levels"]
        return [
            (key, level_words(before[key]) if key in before else _UNSET, level_words(after[key]))
            for key in after
            if key not in before or before[key] != after[key]
        ]

    # ---- rounds -------------------------------------------------------------------------------

    @property
    def rounds(self) -> Sequence[Row]:
        """The rounds begun."""
        found: Sequence[Row] = self.shape["rounds"]
        return found

    @property
    def columns(self) -> list[tuple[int, int, int]]:
        """(number, arms, questions of each) of every round: begun ones as they were, later ones as planned."""
        begun = [(one["number"], len(one["arms"]), one["last"] - one["first"]) for one in self.rounds]
        later = [] if self.status == "done" else self.shape["plan"]["rounds"]
        return begun + [(one["number"], one["arms"], one["items"]) for one in later if one["number"] > len(begun)]

    @property
    def is_pruned(self) -> bool:
        """Whether retrieval put arms out before the first round."""
        return bool(self.shape.get("pruned")) or any(arm["out_round"] == 0 for arm in self.arms)

    # ---- what it came to ----------------------------------------------------------------------

    @property
    def confirmation(self) -> Row | None:
        """The one comparison of the winner with what serves, on questions the race never saw."""
        found: Row | None = self.shape.get("confirmation")
        return found

    @property
    def optimism(self) -> float | None:
        """The gain as the race saw it, less the confirmed one."""
        found = self.confirmation or {}
        raced, confirmed = found.get("race_score"), found.get("value")
        return None if raced is None or confirmed is None else raced - confirmed

    @property
    def race_gain(self) -> float | None:
        """The winner's, or the leader's, score less the incumbent's, as the race saw both."""
        if self.confirmation is not None:
            found: float | None = self.confirmation.get("race_score")
            return found
        first, serves = ((arm or {}).get("score") for arm in (self.leader, self.incumbent))
        return None if first is None or serves is None else float(first - serves)

    @property
    def was_confirmed(self) -> bool:
        """Whether any question was asked to confirm the winner."""
        return bool(self.confirmation and self.confirmation.get("decision_id"))

    @property
    def is_promotable(self) -> bool:
        """Whether the confirmation lets the winner serve."""
        found = self.confirmation or {}
        return bool(found.get("promotable", found.get("verdict") in ("PROMOTE", "NOT_WORSE")))

    @property
    def word(self) -> str:
        """The verdict of the confirmation; where there is none, how the race stands."""
        if self.status == "done" and self.confirmation is not None:
            return str(self.confirmation["verdict"])
        return self.status

    @property
    def share(self) -> float:
        """Calls made, of those a grid would make."""
        grid = self.shape["plan"]["grid_calls"]
        return float(self.shape["spent"]["calls"] / grid) if grid else 0.0

    @property
    def knows_cost(self) -> bool:
        """Whether any design is known to cost anything."""
        return any(arm["cost_usd"] for arm in self.arms)

    def worth_words(self, arm: Row) -> str:
        """What a design is worth under the stated trade-off; one beyond a stated limit says so, with no figure."""
        limits = self.shape.get("tradeoff") or {}
        for limit, key in (("max_usd", "cost_usd"), ("max_p95_ms", "p95_ms")):
            if limits.get(limit) is not None and arm[key] is not None and arm[key] > limits[limit]:
                return "over the limit"
        return "–" if arm["utility"] is None or arm["score"] is None else f"{arm['utility']:.3f}"

    def sentence(self) -> str:
        """What can be said, in one or two sentences."""
        if self.status == "planned":
            return "Nothing has been asked yet."
        if self.status != "done":
            return self._so_far()
        if self.winner is None:
            return "No design won: every one that was asked failed."
        if self.incumbent_won:
            return "What serves won its own race: no design looked better, so there is nothing to confirm."
        if not self.was_confirmed or self.confirmation is None:
            return "The winner was not confirmed, so nothing is claimed for it."
        return self._confirmed(self.confirmation)

    def _confirmed(self, found: Row) -> str:
        verdict = str(found["verdict"])
        says = {
            "PROMOTE": "The winner is better than what serves",
            "NOT_WORSE": "The winner is not worse than what serves by more than the margin",
            "WORSE": "The race's winner is worse than what serves",
            "NOT_BETTER": "The race's winner does not gain what matters over what serves",
        }.get(verdict, "The race's winner was not shown to be better than what serves")
        on = f"on {counted(found['n'], 'question')} the race never saw"
        limits = f"{points(found['low'])} to {points(found['high'])}"
        raced = f" The race itself had shown {points(self.race_gain)} points." if self.race_gain is not None else ""
        return f"{says}: {points(found['value'])} points ({limits}) {on}.{raced}".replace("-", "−")

    def _so_far(self) -> str:
        if self.status == "failed" and self.shape["notes"]:
            return "It failed. See its notes."
        if self.winner is not None:
            asked = self.shape.get("confirming")
            more = f" {counted(asked, 'question')} folded so far." if asked else ""
            return f"The rounds are over. Their winner is tried against what serves on questions they never saw.{more}"
        if not self.rounds:
            return "No round has begun yet."
        number, of = self.rounds[-1]["number"], len(self.columns)
        inside = f"{self.still_in:,} of {counted(len(self.arms), 'design')} are in"
        return (
            f"Round {number} of {of}: {inside}. No claim follows from a race; the confirmation of its winner makes it."
        )


def always_failed(arm: Row) -> bool:
    """Whether a design was asked and never answered."""
    return bool(arm["failed"]) and arm["failed"] >= arm["n"]


def level_words(value: Any) -> str:
    """A level as it is shown: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else named({"": value})[1:]


def why_words(arm: Row) -> str:
    """Why an arm is out, or that it is in."""
    if arm["is_in"]:
        return "in"
    where = "before the first round" if arm["out_round"] == 0 else f"round {arm['out_round']}"
    return f"{where}: {arm['why']}" if arm["why"] else where


def way_words(view: RaceView, arm: Row) -> str:
    """How a design fared, in a word or two."""
    if arm["number"] == view.winner_number:
        return "winner"
    out = arm["out_round"]
    if out is None:
        return "still in"
    return "out before round 1" if out == 0 else f"out in round {out}"
