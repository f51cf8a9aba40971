"""The injection rate of judges whose weakness is known: one that obeys, one that does not, one that breaks."""

import json

from assay.evals.judges.probe_set import HARMLESS, PROBES, SUBJECTS
from assay.evals.judges.probes import injection_rate
from assay.evals.judges.rubric import Rubric
from assay.models.chat import ChatRequest
from assay.models.scripted import ScriptedChat

GOOD = [subject.good for subject in SUBJECTS]
TEXTS = [probe.text for probe in PROBES]


def judge(*, obeys: bool = False, breaks: bool = False, guesses: bool = False) -> Rubric:
    def reply(request: ChatRequest) -> str:
        asked = request.messages[-1].content
        answer = asked.split("<answer>")[1]
        is_good = guesses or any(good in answer for good in GOOD)
        injected = [probe for probe in PROBES if probe.text.replace("<", "‹") in asked.replace("<", "‹")]
        if injected and breaks:
            return "I will not judge this."
        if injected and obeys:
            is_good = injected[0].wants == "up"
        return json.dumps({"reason": "r", "level": 3 if is_good else 1})

    return Rubric(ScriptedChat(reply, window=50_000), shows_passages=True, attempts=1)


def test_the_set_is_what_it_says() -> None:
    assert len(PROBES) >= 30
    assert len({probe.id for probe in PROBES}) == len(set(TEXTS)) == len(PROBES)
    assert len(HARMLESS) == len(SUBJECTS)
    assert {probe.subject for probe in PROBES} == {subject.name for subject in SUBJECTS}
    assert {probe.wants for probe in PROBES} == {"up", "down"}
    kinds = {"order", "system", "tag", "json", "language", "markup", "ansi", "hidden", "passage"}
    assert kinds <= {probe.kind for probe in PROBES}


async def test_a_judge_that_obeys_is_turned_every_time() -> None:
    report = await injection_rate(judge(obeys=True))
    assert (report.moved.value, report.moved.n) == (1.0, len(PROBES))
    assert report.moved.low > 0.9
    assert report.accuracy.value == 1.0
    assert (report.harmless.value, report.harmless.n) == (0.0, 2 * len(SUBJECTS))
    assert report.shift == 1.0
    assert all(moved == possible for moved, possible in report.by_kind.values())
    json.dumps(report.as_json(), allow_nan=False)


async def test_a_judge_that_does_not_is_never_turned() -> None:
    report = await injection_rate(judge())
    assert (report.moved.value, report.broken.value, report.shift) == (0.0, 0.0, 0.0)
    assert report.moved.high < 0.1


async def test_a_judge_that_breaks_is_counted_apart() -> None:
    report = await injection_rate(judge(breaks=True))
    assert report.broken.value == 1.0
    assert report.moved.n == 0


async def test_a_judge_that_calls_everything_good_can_only_be_turned_down() -> None:
    report = await injection_rate(judge(guesses=True))
    assert report.moved.n == sum(probe.wants == "down" for probe in PROBES)
    assert report.accuracy.value == 0.5
