"""Prompts as a factor where the truth is planted: is a rule that helps found, promoted, and one that does not, not?

    python benchmarks/race/prompts.py [--runs 200]

A fifth of 1,000 questions ask for a number with its unit. An answer is right with chance
1/(1 + exp(-(1 + 2 difficulty))), difficulty standard normal; where a unit is asked for and no rule of the prompt says
so, with a quarter of that. The author is scripted: it writes one of twelve rules that change nothing, writes noise, or,
where a failure it is shown lacks a unit, may write the rule that was planted. Only it and the answers are made up:
`failures_of`, `evolve`, the race and the confirmation are the real ones.

The variants are crossed with four values of a setting (its effects are small, or none) and raced within a tenth of the
grid's calls; the winner is confirmed against the start on questions neither saw. In the third world no rule changes
anything, so every promotion is wrong; in the fourth the author never finds the rule, and every promotion is wrong too.
"""

import argparse
import asyncio
import hashlib
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from written import write

from assay.decisions.race.evolution import Evolution, ScoredCase, evolve, planned_calls, scored_cases
from assay.decisions.race.replayed import race_replayed
from assay.decisions.replay import Matrix
from assay.evals.case import Case
from assay.evals.output import Output
from assay.evals.result import Result
from assay.evals.scorer import Score
from assay.models.chat import ChatRequest
from assay.models.scripted import ScriptedChat
from assay.stats.verdict import Verdict

QUESTIONS, MINIBATCH = 1_000, 16
START = "Answer briefly."
PLANTED = "Give the unit with every number."
USELESS = (
    "Be polite.",
    "Think about the reader.",
    "Write plain sentences.",
    "Avoid long words.",
    "Use the active voice.",
    "Do not apologise.",
    "Stay on the subject.",
    "Prefer common words.",
    "Check your spelling.",
    "Leave out greetings.",
    "Do not repeat yourself.",
    "Sound confident.",
)
SETTING = {4: 0.0, 8: 0.15, 16: 0.1, 32: -0.2}
"""Effects on the log-odds to be right."""


@dataclass(frozen=True)
class World:
    """Whether the planted rule and the setting change anything, and how often the author writes a rule that is due."""

    name: str
    helps: bool
    setting_matters: bool
    finds: float


WORLDS = (
    World("a rule helps, the author often finds it", helps=True, setting_matters=True, finds=0.5),
    World("a rule helps, the author seldom finds it", helps=True, setting_matters=True, finds=0.1),
    World("nothing helps", helps=False, setting_matters=False, finds=0.5),
    World("a rule would help, the author never finds it", helps=True, setting_matters=False, finds=0.0),
)


class Drawn:
    """A world's questions, and how a design does on all of them: the same design always does the same."""

    def __init__(self, world: World, seed: int) -> None:
        rng = np.random.default_rng([seed, 7])
        self.world, self.seed = world, seed
        self.difficulty = rng.normal(size=QUESTIONS)
        self.needs_unit = rng.random(QUESTIONS) < 0.2
        self.cases = [Case(f"q{i}", f"Question {i}: how much is it?", answers=(f"{i} kg",)) for i in range(QUESTIONS)]
        order = Matrix(tuple(case.id for case in self.cases), ("start",), np.zeros((QUESTIONS, 1)))
        self.minibatch = [int(place) for place in order.places(order.ordered(str(seed)))[:MINIBATCH]]

    def chances(self, text: str, setting: int) -> NDArray[np.float64]:
        """To be right on each question."""
        effect = SETTING[setting] if self.world.setting_matters else 0.0
        chances = 1 / (1 + np.exp(-(1 + effect + 2 * self.difficulty)))
        lacks = self.needs_unit & ((PLANTED not in text) or not self.world.helps)
        return np.asarray(np.where(lacks, chances / 4, chances))

    def scores(self, text: str, setting: int) -> NDArray[np.float64]:
        """Right or wrong on each question."""
        rng = np.random.default_rng([self.seed, _number(text), setting])
        return (rng.random(QUESTIONS) < self.chances(text, setting)).astype(np.float64)

    async def ask(self, text: str) -> list[ScoredCase]:
        """The minibatch under a prompt, as the results of a run."""
        scores = self.scores(text, 4)
        results = []
        for place in self.minibatch:
            said = "The number has no unit." if self.needs_unit[place] and PLANTED not in text else "It is wrong."
            score = Score(float(scores[place]), reasoning=said)
            results.append(Result(0, 0, self.cases[place].id, Output(text=f"about {place}"), {"exact_match": score}))
        return scored_cases(results, [self.cases[place] for place in self.minibatch], "exact_match")


def author(world: World, seed: int) -> ScriptedChat:
    """Writes what the request makes it write, so that asking again gives the same."""

    def reply(request: ChatRequest) -> str:
        shown = request.messages[1].content
        rng = np.random.default_rng([seed, request.seed or 0, _number(shown)])
        before = shown.partition("<instructions>\n")[2].partition("\n</instructions>")[0]
        if rng.random() < 0.15:
            return "I would improve the instructions in many ways."
        rule = USELESS[rng.integers(len(USELESS))]
        if "has no unit" in shown and rng.random() < world.finds:
            rule = PLANTED
        return f"They have something in common. <instructions>{before} {rule}</instructions>"

    return ScriptedChat(reply)


def run(world: World, seed: int, *, generations: int, per_generation: int) -> dict[str, Any]:
    """One search, race and confirmation."""
    drawn, model = Drawn(world, seed), author(world, seed)
    found: Evolution = asyncio.run(
        evolve(model, start=START, ask=drawn.ask, generations=generations, per_generation=per_generation)
    )
    levels = [START, *(variant.text for variant in found.finalists)]
    designs = [(place, text, setting) for place, text in enumerate(levels) for setting in SETTING]
    matrix = Matrix(
        tuple(case.id for case in drawn.cases),
        tuple(f"prompt={place} k={setting}" for place, _, setting in designs),
        np.stack([drawn.scores(text, setting) for _, text, setting in designs], axis=1),
    )
    raced = race_replayed(matrix, incumbent="prompt=0 k=4", seed=seed)
    _, text, setting = designs[matrix.arms.index(raced.winner)]
    gain = float((drawn.chances(text, setting) - drawn.chances(START, 4)).mean())
    return {
        "usable": len(found.proposals.variants),
        "proposed": found.proposals.calls,
        "rejected": dict(found.proposals.reasons),
        "found": any(PLANTED in level for level in levels),
        "won": PLANTED in text,
        "prompt_won": text != START,
        "promoted": raced.verdict is Verdict.PROMOTE,
        "wrong": raced.verdict is Verdict.PROMOTE and gain <= 1e-12,
        "gain": gain if raced.verdict is Verdict.PROMOTE else 0.0,
        "race_score": raced.race_score,
        "confirmed": raced.confirmed["value"],
        "calls": raced.calls,
        "grid_calls": raced.grid_calls,
    }


def summed(world: World, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares of the runs, and means."""
    mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key not in ("rejected", "confirmed")}
    rejected: Counter[str] = Counter()
    for row in rows:
        rejected.update(row["rejected"])
    has_rule = [row for row in rows if row["found"]]
    confirmed = [row for row in rows if row["confirmed"] is not None]
    return {
        "world": world.name,
        "runs": len(rows),
        **mean,
        "rejected": dict(rejected.most_common()),
        "promoted_where_found": float(np.mean([r["promoted"] and r["won"] for r in has_rule])) if has_rule else None,
        "optimism": float(np.mean([row["race_score"] - row["confirmed"] for row in confirmed])),
        "share_of_grid": float(np.sum([r["calls"] for r in rows]) / np.sum([r["grid_calls"] for r in rows])),
    }


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="of each world")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", default="", help="worlds whose name has this in it")
    parser.add_argument("--generations", type=int, default=2)
    parser.add_argument("--variants", type=int, default=4)
    arguments = parser.parse_args()
    plan = planned_calls(minibatch=MINIBATCH, generations=arguments.generations, per_generation=arguments.variants)
    print(f"a search: at most {plan.answers} answers and {plan.proposals} proposals")
    began, found = time.perf_counter(), []
    for world in (world for world in WORLDS if arguments.only in world.name):
        rows = [
            run(world, seed, generations=arguments.generations, per_generation=arguments.variants)
            for seed in range(arguments.first, arguments.first + arguments.runs)
        ]
        one = summed(world, rows)
        found.append(one)
        error = (one["wrong"] * (1 - one["wrong"]) / len(rows)) ** 0.5
        print(f"\n{world.name}, {len(rows)} runs ({time.perf_counter() - began:.0f} s)")
        print(f"  usable proposals {one['usable']:.1f} of {one['proposed']:.1f}; rejected {one['rejected']}")
        print(f"  rule among the finalists {one['found']:.3f}; winner holds it {one['won']:.3f}")
        print(f"  promoted {one['promoted']:.3f}; wrongly {one['wrong']:.3f}±{error:.3f}")
        if one["promoted_where_found"] is not None:
            print(f"  promoted with the rule, where it was found: {one['promoted_where_found']:.3f}")
        print(f"  true gain {100 * one['gain']:.2f} points; race less confirmed {100 * one['optimism']:.2f}")
        print(f"  calls {one['calls']:.0f}, {100 * one['share_of_grid']:.1f}% of the grid")
    write("prompts", [], plan={"answers": plan.answers, "proposals": plan.proposals}, worlds=found)


if __name__ == "__main__":
    main()
