"""Parents are those best on a case, calls never pass the plan, and a planted rule is found by following failures."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.decisions.race.evolution import (
    Evolution,
    PlannedCalls,
    ScoredCase,
    evolve,
    pareto,
    planned_calls,
    scored_cases,
)
from assay.decisions.race.failures import Failure
from assay.decisions.race.prompts import Variant
from assay.errors import Refused
from assay.evals.case import Case
from assay.evals.output import Output
from assay.evals.result import Result
from assay.evals.scorer import Score
from assay.models.chat import ChatRequest
from assay.models.scripted import Reply, ScriptedChat

RULES = ("units", "years", "names")
"""A case is right where the prompt holds the rule its question needs."""


def front(scores: dict[str, list[float | None]]) -> list[str]:
    variants = [Variant(text) for text in scores]
    known = {
        variant.digest: {f"c{i}": value for i, value in enumerate(scores[variant.text]) if value is not None}
        for variant in variants
    }
    return [variant.text for variant in pareto(variants, known)]


def test_a_prompt_best_on_one_case_stays_though_its_mean_is_low() -> None:
    assert front({"mean": [0.9, 0.9, 0.0], "one": [0.0, 0.0, 0.1]}) == ["mean", "one"]


def test_beaten_equal_and_unanswered_ones_are_out() -> None:
    assert front({"old": [1.0, 0.0], "better": [1.0, 0.5], "same": [1.0, 0.5], "none": []}) == ["better"]
    assert front({"a": [1.0, 0.0, 0.5], "b": [0.0, 1.0, 0.5], "middle": [0.5, 0.5, 0.4]}) == ["a", "b"]


def test_best_on_most_comes_first_then_the_higher_mean_then_the_older() -> None:
    assert front({"one": [0.0, 0.0, 1.0], "two": [0.1, 0.1, 0.0]}) == ["two", "one"]
    assert front({"low": [1.0, 0.0], "high": [0.4, 1.0]}) == ["high", "low"]
    assert front({"old": [1.0, 0.0], "new": [0.0, 1.0]}) == ["old", "new"]


def test_an_unknown_score_is_best_nowhere_and_loses_nothing_else() -> None:
    assert front({"a": [None, 1.0], "b": [0.0, 0.5]}) == ["a", "b"]


@given(st.lists(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=3, max_size=3), min_size=1, max_size=6))
def test_some_prompt_on_the_front_is_best_on_every_case(rows: list[list[float]]) -> None:
    found = front({str(i): list(row) for i, row in enumerate(rows)})
    for case in range(3):
        assert max(rows[int(name)][case] for name in found) == max(row[case] for row in rows)


def test_the_plan_counts_the_start_and_every_generation_but_the_last() -> None:
    assert planned_calls(minibatch=10, generations=1, per_generation=4) == PlannedCalls(10, 4)
    assert planned_calls(minibatch=10, generations=3, per_generation=4) == PlannedCalls(90, 12)
    assert planned_calls(minibatch=10, generations=0, per_generation=4) == PlannedCalls(0, 0)


class World:
    """Six questions, two to a rule; a prompt answers those whose rules it holds."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def ask(self, text: str) -> list[ScoredCase]:
        self.asked.append(text)
        return [
            ScoredCase(f"{rule}{i}", 1.0)
            if rule in text
            else ScoredCase(f"{rule}{i}", 0.0, Failure(f"{rule}{i}", f"Ask {i}?", "?", "", 0.0, f"It lacks {rule}."))
            for rule in RULES
            for i in range(2)
        ]


def reflector(request: ChatRequest) -> Reply:
    """Adds the rule that the first failure it is shown lacks."""
    shown = request.messages[1].content
    lacking = next(rule for rule in sorted(RULES, key=shown.find) if f"lacks {rule}" in shown)
    before = shown.partition("<instructions>\n")[2].partition("\n</instructions>")[0]
    return f"<instructions>{before} Mind the {lacking}.</instructions>"


async def evolved(world: World, model: ScriptedChat, *, generations: int, per_generation: int = 2) -> Evolution:
    return await evolve(model, start="Be brief.", ask=world.ask, generations=generations, per_generation=per_generation)


async def test_rules_are_gathered_over_generations_with_lineage_kept() -> None:
    world, model = World(), ScriptedChat(reflector)
    found = await evolved(world, model, generations=3)
    best = next(variant for variant in found.finalists if all(rule in variant.text for rule in RULES))
    by_digest = {variant.digest: variant for variant in found.lineage}
    line = [best]
    while (parent := line[-1].parent) is not None:
        line.append(by_digest[parent])
    assert [variant.generation for variant in line] == [3, 2, 1, 0]
    assert line[-1].text == "Be brief."
    assert all(variant.text.startswith(by_digest[variant.parent or ""].text) for variant in line[:-1])
    # The start is no finalist: it is raced as what is to be beaten. Each text is answered once.
    assert set(found.finalists) < set(found.lineage[1:])
    assert len(world.asked) == len(set(world.asked))
    assert await evolved(World(), ScriptedChat(reflector), generations=3) == found


@pytest.mark.parametrize(("generations", "per_generation"), list(itertools.product((1, 2, 3, 5), (1, 2, 3))))
async def test_calls_never_pass_the_plan(generations: int, per_generation: int) -> None:
    world, model = World(), ScriptedChat(lambda request: f"<instructions>Rule {request.seed} holds.</instructions>")
    found = await evolved(world, model, generations=generations, per_generation=per_generation)
    plan = planned_calls(minibatch=6, generations=generations, per_generation=per_generation)
    assert (6 * len(world.asked), len(model.requests)) == (plan.answers, plan.proposals)
    assert found.proposals.calls == plan.proposals
    # No variant beat the start on any case, so those of earlier generations are not raced.
    assert {variant.generation for variant in found.finalists} == {generations}


async def test_one_generation_answers_the_start_alone_and_races_what_came() -> None:
    world, model = World(), ScriptedChat(reflector)
    found = await evolved(world, model, generations=1)
    assert world.asked == ["Be brief."]
    assert found.finalists == found.lineage[1:] == found.proposals.variants
    assert set(found.scores) == {found.lineage[0].digest}


async def test_nothing_failed_or_nothing_usable_came_and_it_is_said() -> None:
    world = World()
    perfect = await evolve(ScriptedChat([]), start=" ".join(RULES), ask=world.ask, generations=3, per_generation=2)
    assert (perfect.finalists, perfect.proposals.reasons, len(world.asked)) == ((), {"no_failures": 1}, 1)
    world = World()
    down = await evolved(world, ScriptedChat([Refused("down")] * 2), generations=3)
    assert (down.finalists, down.proposals.reasons, len(world.asked)) == ((), {"model_failed": 2}, 1)


async def test_what_no_judge_could_score_teaches_nothing() -> None:
    async def ask(text: str) -> list[ScoredCase]:
        return [ScoredCase("c0", None)]

    found = await evolve(ScriptedChat([]), start="", ask=ask, generations=2, per_generation=2)
    assert (found.finalists, found.proposals.reasons) == ((), {"no_failures": 1})


async def test_what_an_earlier_generation_said_is_not_raced_again() -> None:
    replies = ["<instructions>Mind the years.</instructions>", "<instructions>Mind the names.</instructions>"]
    found = await evolved(World(), ScriptedChat([*replies, *reversed(replies)]), generations=2)
    assert [variant.text for variant in found.finalists] == ["Mind the years.", "Mind the names."]
    assert found.proposals.reasons == {"same_as_another": 2}


async def test_a_generation_of_nothing_leaves_the_best_of_those_before() -> None:
    replies = iter(["<instructions>Mind the years.</instructions>", *[Refused("down")] * 9])
    world = World()
    found = await evolved(world, ScriptedChat(replies), generations=3, per_generation=1)
    assert [variant.text for variant in found.finalists] == ["Mind the years."]


async def test_only_so_many_failures_are_shown_the_worst_first() -> None:
    async def ask(text: str) -> list[ScoredCase]:
        return [ScoredCase(f"c{i}", i / 10, Failure(f"c{i}", f"Ask {i}?", "?", "", i / 10)) for i in reversed(range(6))]

    model = ScriptedChat(["<instructions>Mind the years.</instructions>"])
    found = await evolve(model, start="", ask=ask, generations=1, per_generation=1, failures=2)
    assert found.lineage[1].from_cases == ("c0", "c1")


def test_results_of_a_run_become_a_line_a_case() -> None:
    cases = [Case(f"c{i}", "Why?", answers=("so",)) for i in range(3)]
    results = [
        Result(0, 0, "c0", Output(text="so"), {"f1": Score(1.0)}),
        Result(0, 1, "c0", Output(text="no"), {"f1": Score(0.0)}),
        Result(1, 0, "c1", None, {"f1": Score(0.0)}, error="timed_out: slow"),
        Result(2, 0, "c2", Output(text="so"), {"f1": Score(1.0)}),
    ]
    found = scored_cases(results, cases, "f1")
    assert [(one.case_id, one.score) for one in found] == [("c0", 0.5), ("c1", None), ("c2", 1.0)]
    assert [one.failure.answer if one.failure else "" for one in found] == ["no", "", ""]
    with pytest.raises(ValueError, match="no dev case"):
        scored_cases(results, cases[:1], "f1")
