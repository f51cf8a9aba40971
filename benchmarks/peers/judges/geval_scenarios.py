"""The scenarios on which DeepEval's G-Eval is measured: scores with and without log-probabilities, sound and unsound.

`tokens` are the generated tokens in order, each with its alternatives `top`; null where the judge gives none. `judge`
says what the judge can do: `logprobs`, `schema` (structured output, no log-probabilities) or `text` (neither).
"""

import math
import re
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from replies import Attempt, said, verbatim, written

Scenario = dict[str, Any]
Top = Sequence[tuple[str, Any]]

STEPS = ["Compare the dates.", "Compare the lengths."]
CASE = {
    "question": "When was the bridge opened?",
    "answer": "It opened in 1932.",
    "reference": "The bridge opened in 1932. The span is 503 m.",
}
REASON = "The date is right."
PIECE = re.compile(r"\d+|[^\W\d]+|\s+|[^\w\s]|_")
FLOOR = math.log(0.01)
NAN, INFINITY = {"$number": "NaN"}, {"$number": "Infinity"}
TOP = [("8", math.log(0.6)), ("7", math.log(0.25)), ("9", math.log(0.1)), ("6", math.log(0.02)), ("5", math.log(0.005))]
ODD_SCORES: dict[str, Any] = {
    "text": "8", "word": "eight", "fraction-text": "8/10", "empty-text": "", "padded-text": " 8 ", "true": True,
    "false": False, "float": 8.0, "half": 8.5, "null": None, "nan": NAN, "infinity": INFINITY, "list": [8],
    "object": {"value": 8}, "above": 11, "below": -3, "huge": 10**12,
}  # fmt: skip
NO_JSON = {
    "prose": "I would give this an 8.",
    "refusal": "I'm sorry, I can't help with that.",
    "empty": "",
    "blank": " \n ",
    "bare-number": "8",
    "braces": "{}",
    "open-brace": '{"reason": "The date is right.", "score": 8',
}
FORMS = ["fenced", "embedded", "trailing_comma", "single_quotes", "listed", "twice"]


def scenarios() -> Iterator[Scenario]:
    """All of them, in a fixed order; ids are unique."""
    yield from weighted()
    yield from unweighted()
    yield from ranges()
    for judge in ("logprobs", "text", "schema"):
        yield from malformed(judge)
    yield from generated_steps()


def scenario(name: str, kind: str, reply: Attempt | None, tokens: Any = None, **changed: Any) -> Scenario:
    settings = {"judge": "logprobs", "steps": STEPS, "rubric": None, "strict": False, "steps_reply": None, **changed}
    return {"id": name, "kind": kind, **CASE, **settings, "reply": reply, "tokens": tokens}


def scored(score: Any, reason: Any = REASON, *, score_first: bool = False) -> Attempt:
    return said({"score": score, "reason": reason} if score_first else {"reason": reason, "score": score})


def tokens_of(text: str, score: str, top: Top | None, *, joined: str = "") -> list[Any]:
    """The text's tokens; the first one equal to `score` after the key "score" gets `top`, `joined` put before it."""
    pieces, seen, tokens = PIECE.findall(text), False, []
    for i, piece in enumerate(pieces):
        if piece == score and not seen and "score" in pieces[:i]:
            seen = True
            if joined:
                tokens.pop()
            tokens.append({"token": joined + piece, "logprob": -0.1, "top": None if top is None else listed(top)})
        else:
            tokens.append({"token": piece, "logprob": -0.01, "top": [[piece, -0.01]]})
    return tokens


def listed(top: Top) -> list[list[Any]]:
    return [[token, logprob] for token, logprob in top]


def one(name: str, score: Any, top: Top | None, *, kind: str = "regular", joined: str = "", **changed: Any) -> Scenario:
    reply = changed.pop("reply", None) or scored(score)
    return scenario(
        name, kind, reply, tokens_of(written(reply, lambda c: c), str(score), top, joined=joined), **changed
    )


def weighted() -> Iterator[Scenario]:
    yield one("weighted/plain", 8, TOP)
    random = Random(5)
    for i in range(10):
        shares = [random.expovariate(1) ** 2 for _ in range(20)]
        names = [*(str(n) for n in range(11)), " 8", "eight", "8.", '"', "-1", "０", "7.5", "ten", ""]
        top = [(t, round(math.log(s / sum(shares) + 1e-9), 6)) for t, s in zip(names, shares, strict=True)]
        top.sort(key=lambda pair: -pair[1])
        yield one(f"weighted/random-{i}", next(int(t) for t, _ in top if t.isascii() and t.isdecimal()), top)
    p = math.log
    yield one("weighted/certain", 8, [("8", 0.0)])
    yield one("weighted/ten", 10, [("10", p(0.5)), ("9", p(0.3)), ("1", p(0.2))])
    yield one("weighted/zero", 0, [("0", p(0.5)), ("1", p(0.4))])
    yield one("weighted/at-the-floor", 8, [("8", p(0.5)), ("2", FLOOR), ("3", math.nextafter(FLOOR, -9))])
    yield one("weighted/score-not-among-top", 8, [("7", p(0.5)), ("6", p(0.4))])
    yield one("weighted/score-below-the-floor", 8, [("7", p(0.9)), ("8", p(0.002))])
    yield one("weighted/all-below-the-floor", 8, [("8", p(0.009)), ("7", p(0.001))])
    yield one("weighted/no-number-among-top", 8, [("eight", p(0.6)), (" 8", p(0.3))])
    yield one("weighted/empty-top", 8, [])
    yield one("weighted/same-token-twice", 8, [("8", p(0.5)), ("8", p(0.2)), ("2", p(0.3))])
    yield one("weighted/leading-zero", 8, [("8", p(0.5)), ("08", p(0.2)), ("2", p(0.3))])
    yield one("weighted/spaced-tokens", 8, [("8", p(0.5)), (" 2", p(0.3)), ("2 ", p(0.1))])
    yield one("weighted/other-digits", 8, [("8", p(0.5)), ("２", p(0.2)), ("٣", p(0.2)), ("²", p(0.1))])
    yield one("weighted/signed-and-fractions", 8, [("8", p(0.5)), ("-1", p(0.2)), ("+2", p(0.1)), ("8.5", p(0.1))])
    yield one("weighted/beyond-the-range", 8, [("8", p(0.5)), ("85", p(0.3)), ("100", p(0.1))])
    yield one("weighted/more-than-one-in-all", 8, [("8", p(0.9)), ("7", p(0.8))])
    yield one("weighted/positive-logprob", 8, [("8", 0.5), ("2", p(0.5))])
    yield one("weighted/never-sampled", 8, [("8", p(0.5)), ("2", -9999.0)])
    numbered = "8 of 10 points are right, 8 in all."
    early = scored(8, numbered)
    yield one("weighted/number-in-earlier-reason", 8, TOP, reply=early)
    yield one("weighted/number-in-later-reason", 8, TOP, reply=scored(8, numbered, score_first=True))
    yield one("weighted/score-first", 8, TOP, reply=scored(8, score_first=True))
    yield one("weighted/fenced", 8, TOP, reply={**scored(8), "form": "fenced"})
    yield one("weighted/nan-logprob", 8, [("8", p(0.5)), ("7", NAN)], kind="malformed")
    yield one("weighted/null-logprob", 8, [("8", p(0.5)), ("7", None)], kind="malformed")
    yield one("weighted/null-top", 8, None, kind="malformed")


def unweighted() -> Iterator[Scenario]:
    for score in (0, 3, 8, 10):
        yield scenario(f"unweighted/no-logprobs-{score}", "regular", scored(score))
    yield scenario("unweighted/no-tokens", "regular", scored(8), [])
    yield one("unweighted/space-joined", 8, TOP, joined=" ")
    split = tokens_of('{"score": 1', "1", [("1", -0.1), ("9", -2.5)])
    yield scenario("unweighted/ten-in-two-tokens", "regular", scored(10), [*split, *tokens_of("0}", "", None)])
    for score in (7, 0):
        yield scenario(f"unweighted/text-judge-{score}", "regular", scored(score), judge="text")
        yield scenario(f"unweighted/schema-judge-{score}", "regular", scored(score), judge="schema")


def ranges() -> Iterator[Scenario]:
    rubrics = {
        "full": [[0, 2, "wrong"], [3, 6, "partly"], [7, 10, "right"]],
        "unsorted": [[7, 10, "right"], [0, 2, "wrong"], [3, 6, "partly"]],
        "gap": [[1, 2, "wrong"], [8, 9, "right"]],
        "upper": [[5, 7, "partly"], [8, 10, "right"]],
        "points": [[1, 1, "wrong"], [5, 5, "right"]],
        "single-point": [[5, 5, "right"]],
        "one-to-five": [[1, 5, "any"]],
        "overlapping": [[0, 5, "wrong"], [5, 10, "right"]],
        "backwards": [[5, 1, "wrong"]],
        "beyond": [[0, 100, "any"]],
        "empty": [],
    }
    for name, rubric in rubrics.items():
        unsound = name in ("single-point", "overlapping", "backwards", "beyond")
        yield one(f"rubric/{name}", 8, TOP, kind="malformed" if unsound else "regular", rubric=rubric)
        if not unsound:
            yield scenario(f"rubric/{name}-no-logprobs", "regular", scored(4), rubric=rubric)
    for score in (0, 1):
        yield one(f"strict/{score}", score, [("1", math.log(0.6)), ("0", math.log(0.4))], strict=True)
    for name, score in {"seven": 7, "half": 0.5, "text": "1", "word": "yes", "true": True, "null": None}.items():
        yield one(f"strict/{name}", score, TOP, kind="malformed", reply=scored(score), strict=True)
    yield one("strict/rubric", 1, TOP, strict=True, rubric=rubrics["one-to-five"])


def malformed(judge: str) -> Iterator[Scenario]:
    def bad(name: str, reply: Attempt | None) -> Scenario:
        text = "" if reply is None else written(reply, lambda c: c)
        tokens = tokens_of(text, "8", TOP) if judge == "logprobs" else None
        return scenario(f"{judge}/{name}", "malformed", reply, tokens, judge=judge)

    for name, score in ODD_SCORES.items():
        yield bad(f"score-{name}", scored(score))
    yield bad("score-missing", said({"reason": REASON}))
    yield bad("reason-missing", said({"score": 8}))
    for name, reason in {"null": None, "number": 4, "empty": "", "list": ["a"]}.items():
        yield bad(f"reason-{name}", scored(8, reason))
    yield bad("extra-field", said({"reason": REASON, "score": 8, "confidence": "high"}))
    for form in FORMS:
        yield bad(f"form-{form.replace('_', '-')}", {**scored(8), "form": form})
    for name, text in NO_JSON.items():
        yield bad(f"reply-{name}", verbatim(text))
    yield bad("reply-none", None)


def generated_steps() -> Iterator[Scenario]:
    replies: dict[str, Attempt] = {
        "sound": said({"steps": STEPS}),
        "one": said({"steps": STEPS[:1]}),
        "none": said({"steps": []}),
        "blank": said({"steps": [""]}),
        "null": said({"steps": None}),
        "text": said({"steps": "Compare the dates."}),
        "numbers": said({"steps": [1, 2]}),
        "missing": said({}),
        "fenced": said({"steps": STEPS}, "fenced"),
        "prose": verbatim("Compare the dates."),
        "empty": verbatim(""),
    }
    for judge in ("logprobs", "text"):
        for name, reply in replies.items():
            tokens = tokens_of(written(scored(8), lambda c: c), "8", TOP) if judge == "logprobs" else None
            kind = "regular" if name in ("sound", "one") else "malformed"
            yield scenario(f"steps/{judge}-{name}", kind, scored(8), tokens, judge=judge, steps=None, steps_reply=reply)
