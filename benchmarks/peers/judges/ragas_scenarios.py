"""The scenarios on which RAGAS' four metrics are measured: sound replies, unsound ones, and unsound inputs.

A scenario's `steps` are the judge's calls in order; a step's `attempts` are its replies, the last one repeated for as
long as the tool asks again. Contents use names of no tool: `statements`, `verdicts`, `question` and `noncommittal`,
`verdict`, `attributions`.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

from replies import Attempt, said, verbatim

Scenario = dict[str, Any]
Step = dict[str, Any]

QUESTION = "When was the bridge opened?"
ANSWER = "It opened in 1932. It is 503 m long."
CONTEXTS = ["The bridge opened in 1932.", "Its span is 503 m.", "Tea grows in Assam."]
REFERENCE = "The bridge opened in 1932. The span is 503 m. It is painted grey."
UNSOUND_QUESTION = 1  # of several generated questions only the second is ever spoiled

MISSING = object()
NAN, INFINITY = {"$number": "NaN"}, {"$number": "Infinity"}
ODD_FLAGS: dict[str, Any] = {
    "two": 2, "minus-one": -1, "text-one": "1", "text-zero": "0", "text-yes": "yes", "true": True, "false": False,
    "one-point-zero": 1.0, "half": 0.5, "null": None, "nan": NAN, "infinity": INFINITY, "missing": MISSING,
    "empty-text": "", "list": [1],
}  # fmt: skip
READABLE_FORMS = ["fenced", "embedded", "twice"]
BROKEN_FORMS = ["truncated", "trailing_comma", "single_quotes", "listed"]
NO_JSON = {
    "prose": "The first is right, the second is not.",
    "refusal": "I'm sorry, I can't help with that.",
    "empty": "",
    "blank": " \n ",
    "bare-number": "1",
    "null": "null",
}


def scenarios() -> Iterator[Scenario]:
    """All of them, in a fixed order; ids are unique."""
    yield from faithfulness()
    yield from answer_relevancy()
    yield from context_precision()
    yield from context_recall()


def scenario(metric: str, name: str, kind: str, steps: list[Step], **changed: Any) -> Scenario:
    given = {"question": QUESTION, "answer": ANSWER, "contexts": CONTEXTS, "reference": REFERENCE}
    return {"id": f"{metric}/{name}", "metric": metric, "kind": kind, **given, **changed, "steps": steps}


def step(name: str, *attempts: Attempt) -> Step:
    return {"step": name, "attempts": list(attempts)}


def spoiled(sound: Any, *, items: str | None, flag: str, text: str) -> Iterator[tuple[str, list[Attempt]]]:
    """Every way to spoil a content: one odd flag, a missing text, other shapes, other spellings, no JSON, repaired."""
    for name, value in ODD_FLAGS.items():
        yield f"flag-{name}", [said(with_field(sound, items, flag, value))]
    yield f"{text}-missing", [said(with_field(sound, items, text, MISSING))]
    yield f"{text}-number", [said(with_field(sound, items, text, 7))]
    yield "extra-field", [said(with_field(sound, items, "confidence", "high"))]
    if items is not None:
        yield "list-missing", [said({})]
        yield "list-null", [said({items: None})]
        yield "list-text", [said({items: "all of them"})]
        yield "list-of-text", [said({items: ["yes", "no"]})]
        yield "list-empty", [said({items: []})]
    for form in READABLE_FORMS + BROKEN_FORMS:
        yield f"form-{form.replace('_', '-')}", [said(sound, form)]
    for name, reply in NO_JSON.items():
        yield f"reply-{name}", [verbatim(reply)]
    yield "repaired-at-second", [verbatim(NO_JSON["prose"]), said(sound)]
    yield "repaired-at-third", [verbatim(""), said(sound, "truncated"), said(sound)]


def with_field(content: Any, items: str | None, field: str, value: Any) -> Any:
    """The content with a field of it, or of its second item, changed or taken away."""
    if items is not None:
        rows = content[items]
        return {items: [rows[0], with_field(rows[1], None, field, value), *rows[2:]]}
    changed = {**content, field: value}
    return {name: kept for name, kept in changed.items() if kept is not MISSING}


def faithfulness() -> Iterator[Scenario]:
    def one(name: str, kind: str, statements: Any, verdicts: list[Attempt], **changed: Any) -> Scenario:
        first = statements if isinstance(statements, list) and statements and "form" in statements[0] else None
        opening = step("statements", *(first or [said({"statements": statements})]))
        return scenario("faithfulness", name, kind, [opening, step("verdicts", *verdicts)], **changed)

    def verdicts(flags: list[int]) -> Any:
        rows = [{"statement": f"S{i}.", "reason": "As it says.", "verdict": f} for i, f in enumerate(flags)]
        return {"verdicts": rows}

    random, plain = Random(1), [f"S{i}." for i in range(3)]
    patterns = [[1], [0], [1, 1, 1], [0, 0, 0], [1, 0, 1], [1, 1, 0, 0, 0, 0, 0]]
    patterns += [[random.randint(0, 1) for _ in range(random.randint(2, 17))] for _ in range(6)]
    for i, flags in enumerate(patterns):
        yield one(f"regular-{i}", "regular", [f"S{j}." for j in range(len(flags))], [said(verdicts(flags))])
    yield one("fewer-verdicts-than-statements", "regular", plain, [said(verdicts([1, 0]))])
    yield one("more-verdicts-than-statements", "regular", plain, [said(verdicts([1, 0, 1, 1, 1]))])
    yield one("statement-twice", "regular", ["Same.", "Same."], [said(verdicts([1, 0]))])
    sound = verdicts([1, 1, 0])
    for name, attempts in spoiled(sound, items="verdicts", flag="verdict", text="reason"):
        yield one(f"verdicts-{name}", "malformed", plain, attempts)
    odd_statements = {
        "none": [], "blank": [""], "null": None, "text": "one statement", "numbers": [1, 2, 3], "null-inside": [None],
        "nested": [["a"], ["b"]],
    }  # fmt: skip
    for name, statements in odd_statements.items():
        yield one(f"statements-{name}", "malformed", [said({"statements": statements})], [said(sound)])
    yield one("statements-missing", "malformed", [said({})], [said(sound)])
    yield one("statements-prose", "malformed", [verbatim(NO_JSON["prose"])], [said(sound)])
    yield one("statements-repaired", "malformed", [verbatim(""), said({"statements": plain})], [said(sound)])
    for name, changed in {
        "no-contexts": {"contexts": []}, "blank-context": {"contexts": [""]}, "blank-answer": {"answer": ""},
        "blank-question": {"question": ""},
    }.items():  # fmt: skip
        yield one(f"input-{name}", "input", plain, [said(sound)], **changed)


def answer_relevancy() -> Iterator[Scenario]:
    def one(name: str, kind: str, asked: list[Any], vectors: list[list[float]], **changed: Any) -> Scenario:
        """`asked`: (question, noncommittal) or attempts; `vectors`: of the question, then of the distinct asked."""
        steps = [step("question", *(a if isinstance(a, list) else [said(generated(*a))])) for a in asked]
        texts = list(dict.fromkeys([QUESTION, *(content_question(s) for s in steps)]))
        known = dict(zip(texts, vectors, strict=False))
        return scenario("answer_relevancy", name, kind, steps, strictness=len(asked), vectors=known, **changed)

    def generated(question: str, noncommittal: int) -> Any:
        return {"question": question, "noncommittal": noncommittal}

    def content_question(asking: Step) -> str:
        content = asking["attempts"][-1]["content"]
        question = content.get("question") if isinstance(content, dict) else None
        return question if isinstance(question, str) else "?"

    unit, tilted, opposite = [1.0, 0.0, 0.0], [3.0, 4.0, 0.0], [-2.0, 0.0, 0.0]
    base = [unit, tilted, [0.0, 0.0, 5.0], [0.6, 0.0, 0.8]]
    sound = [("Q one?", 0), ("Q two?", 0), ("Q three?", 0)]
    yield one("three", "regular", sound, base)
    yield one("one-noncommittal", "regular", [("Q one?", 1), *sound[1:]], base)
    yield one("two-noncommittal", "regular", [("Q one?", 1), ("Q two?", 1), sound[2]], base)
    yield one("all-noncommittal", "regular", [(q, 1) for q, _ in sound], base)
    yield one("negative", "regular", sound, [unit, opposite, opposite, tilted])
    yield one("negative-all-noncommittal", "regular", [(q, 1) for q, _ in sound], [unit, opposite, opposite, opposite])
    yield one("same-question-thrice", "regular", [("Q one?", 0)] * 3, base)
    yield one("the-question-itself", "regular", [(QUESTION, 0), ("Q two?", 0), ("Q three?", 0)], base)
    random = Random(2)
    for i, count in enumerate([1, 1, 2, 3, 3, 4, 5, 5, 8]):
        asked = [(f"Q {j}?", int(random.random() < 0.3)) for j in range(count)]
        vectors = [[round(random.gauss(0.4, 1), 4) for _ in range(6)] for _ in range(count + 1)]
        yield one(f"random-{i}", "regular", asked, vectors)
    blank = ("", 0)
    yield one("one-blank-question", "malformed", [blank, *sound[1:]], [unit, [0.0, 1.0, 0.0], tilted, base[3]])
    yield one("blank-committal-rest-not", "malformed", [blank, ("Q two?", 1), ("Q three?", 1)], base)
    yield one("blank-noncommittal-rest-not", "malformed", [("", 1), ("Q two?", 0), ("Q three?", 1)], base)
    yield one("all-blank-questions", "malformed", [blank] * 3, base)
    yield one("space-question", "malformed", [(" ", 0)] * 3, base)
    for name, attempts in spoiled(generated("Q two?", 0), items=None, flag="noncommittal", text="question"):
        yield one(f"second-{name}", "malformed", [sound[0], attempts, sound[2]], base)
    for flag in (2, -1):
        yield one(f"all-flags-{flag}", "malformed", [(q, flag) for q, _ in sound], base)
    zero = [0.0, 0.0, 0.0]
    yield one("zero-question-vector", "input", sound, [zero, *base[1:]])
    yield one("zero-generated-vector", "input", sound, [unit, zero, tilted, tilted])
    yield one("zero-vector-all-noncommittal", "input", [(q, 1) for q, _ in sound], [unit, zero, tilted, tilted])
    yield one("nan-in-vector", "input", sound, [unit, [NAN, 0.0, 0.0], tilted, tilted])
    yield one("unequal-dimensions", "input", sound, [[1.0, 0.0], tilted, tilted, tilted])
    yield one("ragged-dimensions", "input", sound, [unit, tilted, [1.0, 0.0], tilted])
    yield one("input-blank-answer", "input", sound, base, answer="")


def context_precision() -> Iterator[Scenario]:
    def one(name: str, kind: str, judged: list[Any], **changed: Any) -> Scenario:
        steps = [step("verdict", *(j if isinstance(j, list) else [said(verdict(j))])) for j in judged]
        contexts = [CONTEXTS[i % len(CONTEXTS)] for i in range(len(judged))]
        return scenario("context_precision", name, kind, steps, **{"contexts": contexts, **changed})

    def verdict(flag: int) -> Any:
        return {"reason": "As it says.", "verdict": flag}

    random = Random(3)
    patterns = [[1], [0], [1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1], [1, 0, 1], [0, 1, 1, 0, 1]]
    patterns += [[random.randint(0, 1) for _ in range(random.randint(2, 8))] for _ in range(7)]
    for i, flags in enumerate(patterns):
        yield one(f"regular-{i}", "regular", flags)
    for name, attempts in spoiled(verdict(1), items=None, flag="verdict", text="reason"):
        yield one(f"second-{name}", "malformed", [1, attempts, 0, 1])
    yield one("only-flag-two", "malformed", [2])
    yield one("two-and-zero", "malformed", [0, 2])
    yield one("one-and-minus-one", "malformed", [1, -1])
    yield one("input-no-contexts", "input", [])
    yield one("input-blank-context", "input", [1, 0], contexts=["", CONTEXTS[0]])
    yield one("input-blank-reference", "input", [1, 0], reference="")
    yield one("input-blank-question", "input", [1, 0], question="")


def context_recall() -> Iterator[Scenario]:
    def one(name: str, kind: str, attempts: list[Attempt], **changed: Any) -> Scenario:
        return scenario("context_recall", name, kind, [step("attributions", *attempts)], **changed)

    def attributions(flags: list[int]) -> Any:
        rows = [{"statement": f"S{i}.", "reason": "As it says.", "attributed": f} for i, f in enumerate(flags)]
        return {"attributions": rows}

    random = Random(4)
    patterns = [[1], [0], [1, 1, 1], [0, 0], [1, 0, 0], [0, 1, 1]]
    patterns += [[random.randint(0, 1) for _ in range(random.randint(2, 13))] for _ in range(9)]
    for i, flags in enumerate(patterns):
        yield one(f"regular-{i}", "regular", [said(attributions(flags))])
    sound = attributions([1, 1, 0])
    for name, attempts in spoiled(sound, items="attributions", flag="attributed", text="reason"):
        yield one(name, "malformed", attempts)
    yield one("all-flags-two", "malformed", [said(attributions([2, 2]))])
    for name, changed in {
        "no-contexts": {"contexts": []}, "blank-context": {"contexts": [""]}, "blank-reference": {"reference": ""},
        "blank-question": {"question": ""},
    }.items():  # fmt: skip
        yield one(f"input-{name}", "input", [said(sound)], **changed)
