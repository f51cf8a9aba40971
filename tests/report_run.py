"""A run to report on: real records in a real database, of cases whose outcomes are known, some of them hostile."""

import random
from collections.abc import Mapping
from pathlib import Path

from assay.app.report.view import RunView, run_view
from assay.evals.case import Case, Evidence, set_digest
from assay.evals.gold import Texts, resolve
from assay.evals.output import Cited, Output, Retrieved
from assay.evals.result import Result
from assay.evals.runs import RunRecord, Runs, RunSpec
from assay.evals.scorer import Score
from assay.gateway.tally import Tally
from assay.ledger.database import open_database, sqlite_url

HOSTILE = (
    "<img src=https://evil.example/x onerror=\"document.title='owned'\">"
    "<script>document.title='owned'</script></details>"
)
ANSI = "\x1b[31mred\x1b[0m \x1b]0;owned\x07 \u202egnp.exe"
TAGS = ("returns", "shipping", "warranty", "payment")

_TEXT = (
    "Refund requests are accepted for thirty days after delivery of item {n}. Items must be unused and in their "
    "original packaging. Opened software is excluded unless the seal was already broken on arrival. For orders of item "
    "{n} placed between 15 November and 31 December the window is extended to 31 January of the following year. "
    "Refunds are issued to the original payment method within five working days of inspection."
)
_GOLD = "the window is extended to 31 January of the following year"


def texts(count: int) -> Texts:
    """One policy per item."""
    return Texts({f"policies/item-{n}.md": _TEXT.format(n=n) for n in range(count)})


def cases(count: int) -> list[Case]:
    """Questions on policies, five on each; every seventh cannot be answered."""
    made = []
    for n in range(count):
        answerable = n % 7 != 3
        made.append(
            Case(
                id=f"q{n}",
                question=f"Until when can I return item {n // 5} if I ordered it on 20 November?"
                if answerable
                else f"Who designed the packaging of item {n // 5}?",
                answers=("31 January", "until 31 January of the following year") if answerable else (),
                evidence=(Evidence(f"policies/item-{n // 5}.md", _GOLD),) if answerable else (),
                answerable=answerable,
                tags=(TAGS[n % 4], "all"),
                cluster=f"item-{n // 5}",
            )
        )
    if count > 8:
        made[8] = Case(
            f"q8 {HOSTILE}", HOSTILE + ANSI, (HOSTILE,), made[8].evidence, True, (f"tag {HOSTILE}",), HOSTILE + ANSI
        )
    return made


def results(cases: list[Case], *, seed: int = 1) -> list[Result]:
    """What a middling system gives: some failures, refusals right and wrong, a judge that fails now and then."""
    draw = random.Random(seed)
    return [_result(n, case, draw) for n, case in enumerate(cases)]


def run_of(folder: Path, count: int = 60, *, seed: int = 1, status: str = "done") -> tuple[Runs, RunRecord, list[Case]]:
    """A finished run in a new database in `folder`."""
    runs = Runs(open_database(sqlite_url(folder / "assay.db")))
    made = cases(count)
    judge = {
        "name": "ragas",
        "model": "SmolLM2-135M-Instruct",
        "prompts": {"statements": "5f0c1e9a", "verdicts": "77ab01d2"},
        "last_check": "",
    }
    scorers = (
        {"metrics": ["token_f1", "exact_match"], "digest": "a" * 64, "judge": None},
        {"metrics": ["faithfulness"], "digest": "b" * 64, "judge": judge},
    )
    spec = RunSpec("assay.toml: support", "9c41" * 16, "answerer", set_digest(made), "returns.jsonl", count, 1, scorers)
    with runs.start(spec, resume=False) as live:
        for result in results(made, seed=seed):
            live.add(result, Tally(paid_calls=3, cost_usd=0.0004))
        live.finish(status)
    return runs, runs.get(live.id), made


def view_of(folder: Path, count: int = 60, **options: object) -> RunView:
    """The view of such a run."""
    runs, run, made = run_of(folder, count)
    known = texts(count)
    return run_view(runs, run, made, gold_of=lambda case: resolve(case, known), **options)  # type: ignore[arg-type]


def _result(n: int, case: Case, draw: random.Random) -> Result:
    if n % 19 == 4:
        names = (
            ["declined_when_it_should"]
            if not case.answerable
            else ["token_f1", "exact_match", "evidence_recall@5", "faithfulness"]
        )
        return Result(
            n,
            0,
            case.id,
            None,
            {name: Score(0.0) for name in names},
            error="timed_out: no answer within 30 s",
            cost_usd=None,
        )
    declined = draw.random() < (0.7 if not case.answerable else 0.1)
    correct = draw.random() < 0.7
    document = f"policies/item-{n // 5}.md"
    text = _TEXT.format(n=n // 5)
    passages = [Retrieved(document, text[200:], 200, len(text), 0.9)] if draw.random() < 0.85 else []
    passages += [
        Retrieved(f"policies/item-{draw.randrange(40)}.md", "Nothing of the kind. " * 12, 0, 252, 0.4) for _ in range(4)
    ]
    answer = (
        "" if declined else "You can return it until 31 January." if correct else "Within thirty days of delivery, " * 3
    )
    if n == 8:
        answer, passages = HOSTILE + ANSI, [Retrieved(HOSTILE, HOSTILE + _GOLD + ANSI)]
    output = Output(
        text=answer,
        declined=declined and n != 8,
        citations=() if declined else (Cited(document, _GOLD, 0, 10),),
        passages=tuple(passages),
        confidence=round(draw.random() * (0.5 + correct / 2), 3),
        cost_usd=0.0003 + draw.random() * 1e-4,
        latency_ms=draw.lognormvariate(6, 0.5),
    )
    scores = _scores(case, output, correct=correct and not declined, held=bool(passages[0].start), draw=draw)
    return Result(n, 0, case.id, output, scores, cost_usd=output.cost_usd, latency_ms=output.latency_ms)


def _scores(case: Case, output: Output, *, correct: bool, held: bool, draw: random.Random) -> Mapping[str, Score]:
    if not case.answerable:
        return {"declined_when_it_should": Score(float(output.declined))}
    scores = {
        "token_f1": Score(1.0 if correct else round(draw.random() * 0.6, 2) if output.text else 0.0),
        "exact_match": Score(float(correct)),
        "answered_when_it_could": Score(float(not output.declined)),
        "citation_precision": Score(float(bool(output.citations) and correct)),
    }
    for k in (1, 3, 5, 10):
        scores[f"evidence_recall@{k}"] = Score(float(held))
        scores[f"ndcg@{k}"] = Score(float(held))
    if output.text:
        said = [
            "Item may be returned until 31 January.",
            HOSTILE if "<" in output.text else "It was bought on 20 November.",
        ]
        details = {
            "statements": said,
            "supported": [correct, False],
            "reasons": ["The second sentence says so.", "No passage says this."],
        }
        failed = draw.random() < 0.06
        scores["faithfulness"] = (
            Score(None, "The judge's reply holds no verdicts: 'Sure! Here is'")
            if failed
            else Score(correct / 2, "", "Half of it stands there.", details)
        )
    return scores
