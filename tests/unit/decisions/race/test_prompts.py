"""Variants say where they come from, bad replies are counted and never raise, and equal inputs give equal lineage."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from assay.answers.prompt import instructions_prompt
from assay.decisions.race.failures import Failure
from assay.decisions.race.prompts import PromptSearch, Proposals, Rejected, Variant, kept, propose, task_for
from assay.decisions.race.reflection import REFLECT
from assay.errors import LimitReached, Refused, TimedOut
from assay.evals.prompts import PromptStore
from assay.ledger.database import Database
from assay.models.chat import ChatRequest
from assay.models.prompt import Prompt
from assay.models.scripted import Reply, ScriptedChat

FAILURES = [Failure(f"c{i}", f"Why {i}?", "unclear", f"reason {i}", 0.0) for i in range(8)]


def told(text: str) -> str:
    return f"They ramble. <instructions>{text}</instructions>"


async def proposals(
    *replies: Reply, failures: Sequence[Failure] = FAILURES, parent: str = "Be brief.", **more: list[str]
) -> Proposals:
    model = ScriptedChat(replies, name="writer")
    return await propose(model, parent=parent, failures=failures, count=len(replies), generation=2, **more)


async def test_a_variant_knows_its_parent_its_author_and_the_cases_that_were_shown() -> None:
    model = ScriptedChat([told("Cite a passage.")], name="writer")
    found = await propose(model, parent="Be brief.", failures=FAILURES, count=1, generation=2)
    (variant,) = found.variants
    assert variant.as_json() == {
        "digest": Prompt("any", "Cite a passage.").digest,
        "text": "Cite a passage.",
        "parent": Prompt("any", "Be brief.").digest,
        "from_cases": ["c0", "c1", "c2", "c3"],
        "model": "writer",
        "generation": 2,
    }
    shown = model.requests[0].messages[1].content
    assert [f"Why {i}?" in shown for i in range(8)] == [True] * 4 + [False] * 4
    assert (found.calls, found.rejected) == (1, ())


async def test_only_failures_that_fitted_are_named() -> None:
    long = [Failure(f"c{i}", "word " * 120, "word " * 160, "", 0.0) for i in range(4)]
    model = ScriptedChat([told("Cite a passage.")], window=1600)
    (variant,) = (await propose(model, parent="Be brief.", failures=long, count=1, generation=1)).variants
    assert 0 < len(variant.from_cases) < 4


async def test_each_call_has_its_own_seed_and_failures_and_all_are_shown() -> None:
    model = ScriptedChat(lambda request: told(f"Rule number {request.seed} holds."))
    found = await propose(model, parent="Be brief.", failures=FAILURES, count=4, generation=1, seed=10)
    assert sorted(request.seed or 0 for request in model.requests) == [10, 11, 12, 13]
    assert all(request.temperature > 0 for request in model.requests)
    assert [variant.from_cases[0] for variant in found.variants] == ["c0", "c2", "c4", "c6"]
    assert Counter(case for variant in found.variants for case in variant.from_cases) == dict.fromkeys(
        (f"c{i}" for i in range(8)), 2
    )
    again = await propose(model, parent="Be brief.", failures=FAILURES, count=4, generation=1, seed=10)
    assert again == found


async def test_with_two_failures_calls_show_both_in_turns() -> None:
    model = ScriptedChat(lambda request: told(f"Rule number {request.seed} holds."))
    found = await propose(model, parent="Be brief.", failures=FAILURES[:2], count=3, generation=1)
    assert [variant.from_cases for variant in found.variants] == [("c0", "c1"), ("c1", "c0"), ("c0", "c1")]


async def test_what_is_not_usable_is_counted_with_its_reason() -> None:
    found = await proposals(
        told("Cite a passage."),
        told("be BRIEF!"),
        told("Cite the passages."),
        told("Remember reason 4 well."),
        told(""),
        told("More rules. " * 400),
        "I would write better instructions.",
        told("Give only the phrase that answers."),
        failures=[FAILURES[4]],
    )
    assert [variant.text for variant in found.variants] == ["Cite a passage.", "Give only the phrase that answers."]
    assert [one.reason for one in found.rejected] == [
        "same_as_parent",
        "same_as_another",
        "leaked",
        "empty",
        "too_long",
        "no_instructions",
    ]
    assert found.rejected[2] == Rejected(
        "leaked", "The instructions hold words of case c4: “reason 4”.", "Remember reason 4 well."
    )
    assert found.sentence.startswith("2 of 8 proposals are usable; rejected: 1 same_as_parent, 1 same_as_another,")
    assert found.calls == 8


async def test_texts_that_are_known_need_not_come_again() -> None:
    found = await proposals(told("Cite a passage."), others=["Cite the passage!"])
    assert (found.variants, list(found.reasons)) == ((), ["same_as_another"])


async def test_a_model_that_fails_leaves_fewer_variants_with_a_reason() -> None:
    found = await proposals(TimedOut("no answer\nin 5 s"), told("Cite a passage."), Refused("no\x1b[31m key"))
    assert [variant.text for variant in found.variants] == ["Cite a passage."]
    assert [(one.reason, one.detail) for one in found.rejected] == [
        ("model_failed", "no answer in 5 s"),
        ("model_failed", "no [31m key"),
    ]
    nothing = await proposals(*[Refused("down")] * 3)
    assert (nothing.variants, nothing.reasons, nothing.calls) == ((), {"model_failed": 3}, 3)


async def test_a_window_too_small_is_a_reason_too() -> None:
    model = ScriptedChat([], window=64)
    found = await propose(model, parent="Be brief.", failures=FAILURES, count=2, generation=1)
    assert found.reasons == {"model_failed": 2}
    assert "do not fit the 64 tokens" in found.rejected[0].detail


async def test_a_budget_that_is_used_up_is_the_callers() -> None:
    with pytest.raises(LimitReached):
        await proposals(told("Cite a passage."), LimitReached("spent"))


async def test_nothing_failed_and_nothing_is_asked() -> None:
    found = await proposals(failures=[])
    assert (found.reasons, found.calls) == ({"no_failures": 1}, 0)
    assert found.sentence == "There is no failure to learn from."
    more = found + Proposals((Variant("Cite."),), calls=1)
    assert more.sentence == "1 of 1 proposals are usable."


async def test_calls_are_made_at_the_same_time() -> None:
    asked = 0
    all_asked = asyncio.Event()

    class Waiting(ScriptedChat):
        async def complete(self, request: ChatRequest):  # type: ignore[no-untyped-def]
            nonlocal asked
            asked += 1
            if asked == 3:
                all_asked.set()
            await asyncio.wait_for(all_asked.wait(), 10)
            return await super().complete(request)

    model = Waiting([told("Cite a passage."), told("Give only the phrase."), told("Decline in doubt.")])
    found = await propose(model, parent="Be brief.", failures=FAILURES, count=3, generation=1)
    assert len(found.variants) == 3


async def test_assays_own_setting_is_explained_by_what_the_model_is_told_anyway() -> None:
    model = ScriptedChat([told("Cite a passage.")])
    task = task_for("answers.instructions")
    await propose(model, parent="", failures=FAILURES, count=1, generation=1, task=task)
    assert instructions_prompt("").text.splitlines()[0] in model.requests[0].messages[1].content
    assert task_for("tone") == ""


def test_kept_texts_are_read_back_by_digest_in_the_order_of_generations(database: Database) -> None:
    store = PromptStore(database)
    start = Variant("")
    child = Variant("Cite a passage.", start.digest, ("c1",), "writer", 1)
    kept(store, [start, child])
    kept(store, [start, child])
    assert store.find(child.digest) == Prompt("answers.instructions", "Cite a passage.")
    assert [version.prompt.text for version in store.versions("answers.instructions")] == ["", "Cite a passage."]
    assert store.find("race.reflect") == REFLECT
    assert "+Cite a passage." in store.diff(child.parent or "", child.digest)
    kept(store, [child], key="tone")
    assert store.find(f"tone@{child.digest}").name == "tone"


@pytest.mark.parametrize(
    "given",
    [
        {"variants": 0},
        {"variants": True},
        {"variants": 2.0},
        {"generations": 9},
        {"failures": "8"},
        {"key": ""},
        {"x": 1},
    ],
)
def test_a_search_that_makes_no_sense_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PromptSearch.model_validate(given)


def test_a_search_has_the_documented_defaults() -> None:
    assert PromptSearch().model_dump() == {
        "key": "answers.instructions",
        "start": "",
        "variants": 4,
        "generations": 1,
        "failures": 8,
        "model": "",
    }
