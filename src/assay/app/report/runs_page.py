"""The page of all runs: how each stands, a metric's course over the runs on one set, two to compare."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from assay.app.report.addresses import run_url, set_url
from assay.app.report.archive import RunSet
from assay.app.report.board import STATUS, history_markup, metric_bar, metric_limits, metric_value, told_first
from assay.app.report.shell import nothing_markup
from assay.app.report.text import moment, one_line
from assay.decisions.figures import counted, dollars
from assay.evals.history import Point
from assay.evals.runs import RunRecord
from assay.evals.scoreboard import Metric

_SCORES_SHOWN = 4
_NOTHING = Markup()
_KINDS = {"done": "good", "running": "", "budget": "warn", "interrupted": "warn", "failed": "bad"}


def head_markup(sets: Sequence[RunSet], chosen: RunSet | None) -> Markup:
    """The title, and the sets to choose from."""
    options = Markup().join(
        Markup('<option value="{}"{}>{}, {}</option>').format(
            one.digest,
            Markup(" selected") if chosen is not None and one.digest == chosen.digest else _NOTHING,
            f"{one_line(one.name, 60) or 'unnamed'} {one.digest[:8]}",
            counted(one.runs, "run"),
        )
        for one in sets
    )
    form = Markup(
        '<form class="filters" method="get" action="/runs" data-auto><label>Cases '
        '<select name="cases"><option value="">all sets</option>{}</select></label>'
        '<button class="button small">Show</button></form>'
    ).format(options)
    return Markup('<div class="title"><div class="name"><h1>Runs</h1>{}</div></div>').format(
        form if len(sets) > 1 else _NOTHING
    )


def runs_markup(runs: Sequence[RunRecord]) -> Markup:
    """The runs, newest first, each to be chosen for a comparison."""
    first, second = _suggested(runs)
    rows = Markup().join(_run(run, is_first=run.id == first, is_second=run.id == second) for run in runs)
    compare = Markup(
        '<div class="compare"><button class="button primary">Compare A with B</button>'
        '<span class="muted">Choose two runs. Paired case by case, so it sees more than two error bars do.</span></div>'
    )
    return Markup(
        '<section class="panel"><h2 class="spoken">All runs</h2><form method="get" action="/runs/compare">{}'
        '<ul class="runs">{}</ul></form></section>'
    ).format(compare if len(runs) > 1 else _NOTHING, rows)


def history_section(history: Sequence[tuple[str, Sequence[Point]]], chosen: RunSet) -> Markup:
    """The course of each metric over the runs on one set."""
    plots = history_markup(history, url=lambda point: run_url(point.run_id), most=_SCORES_SHOWN)
    name = f"{one_line(chosen.name, 60)} {chosen.digest[:8]}".strip()
    return Markup(
        '<section class="panel"><h2>Over time</h2><p class="muted">Finished runs on <a href="{}"><bdi>{}</bdi></a>, '
        "oldest left, with intervals. Bars that overlap do not say that nothing changed: compare two runs for "
        "that.</p>{}</section>"
    ).format(
        set_url(chosen.digest), name, plots or Markup('<p class="empty">One finished run, so there is no course.</p>')
    )


def standing_markup(run: RunRecord) -> Markup:
    """How a run stands: its scores with intervals, or running means and progress, and what it cost.

    One that runs is marked to be fetched again.
    """
    live = Markup(' data-live="{}/standing"').format(run_url(run.id)) if run.status == "running" else _NOTHING
    total = run.spec.cases * run.spec.replicas
    facts = [
        Markup('<span class="tag {}">{}</span>').format(_KINDS[run.status], STATUS[run.status]),
        _progress(run, total) if run.results < total else Markup("<span>{}</span>").format(counted(total, "answer")),
        Markup("<span>{}{}</span>").format(
            dollars(run.cost_usd), f" and {run.unpriced_calls:,} unpriced" if run.unpriced_calls else ""
        ),
        Markup("<span>{}</span>").format(f"{run.paid_calls:,} calls, {run.cached_calls:,} cached"),
    ]
    if run.failed:
        facts.append(Markup('<span class="bad">{}</span>').format(f"{run.failed:,} failed"))
    return Markup('<div class="standing" id="standing-{}"{}>{}<div class="facts-line">{}</div></div>').format(
        run.id, live, _scores(run), Markup().join(facts)
    )


def empty_markup() -> Markup:
    """What to do where nothing was measured yet."""
    return nothing_markup(
        "No runs yet",
        "A run measures a system on cases: questions with what is known about their answers. In the workspace's "
        "folder, run",
        ("assay cases import jsonl FILE", "takes in questions, and answers and evidence where there are some"),
        ("assay eval", "says what it will take, then measures this workspace's answers"),
    )


def metrics_of(run: RunRecord) -> dict[str, Metric]:
    """The metrics of the scoreboard kept with a run; none where it has not finished."""
    shapes: dict[str, dict[str, Any]] = (run.summary or {}).get("metrics") or {}
    return {name: Metric(name, **shape) for name, shape in shapes.items()}


def _run(run: RunRecord, *, is_first: bool, is_second: bool) -> Markup:
    spec = run.spec
    checked = Markup(" checked")
    return Markup(
        '<li class="run"><div class="picks">'
        '<label><input type="radio" name="a" value="{id}" aria-label="A: run {short}"{a}><span>A</span></label>'
        '<label><input type="radio" name="b" value="{id}" aria-label="B: run {short}"{b}><span>B</span></label></div>'
        '<div class="run-name"><a class="row-link" href="{url}"><bdi>{system}</bdi></a>'
        '<div class="faint num"><code>{short}</code> {when}</div>'
        '<div class="faint"><bdi>{set}</bdi>, {cases}</div></div>'
        "{standing}</li>"
    ).format(
        id=run.id,
        a=checked if is_first else _NOTHING,
        b=checked if is_second else _NOTHING,
        short=run.id[:8],
        url=run_url(run.id),
        system=one_line(spec.system, 120),
        when=moment(run.created_ns),
        set=one_line(spec.set_name, 60) or spec.set_digest[:8],
        cases=counted(spec.cases, "case") + (f", {spec.replicas} times each" if spec.replicas > 1 else ""),
        standing=standing_markup(run),
    )


def _scores(run: RunRecord) -> Markup:
    metrics = metrics_of(run) if run.status == "done" else {}
    shown = [
        Markup('<div class="score"><span class="label">{}</span><b class="num">{}</b>{}<span>{}</span></div>').format(
            name, metric_value(metrics[name]), metric_bar(metrics[name]), metric_limits(metrics[name])
        )
        for name in told_first(metrics, _SCORES_SHOWN)
    ]
    if not metrics:
        shown = [
            Markup(
                '<div class="score"><span class="label">{}</span><b class="num">{}</b><span>so far</span></div>'
            ).format(name, f"{run.means[name]:.3f}")
            for name in told_first(run.means, _SCORES_SHOWN)
        ]
    return Markup('<div class="scores num">{}</div>').format(Markup().join(shown)) if shown else _NOTHING


def _progress(run: RunRecord, total: int) -> Markup:
    said = f"{run.results:,} of {total:,}"
    return Markup('<span class="going"><progress max="{}" value="{}" aria-label="{}"></progress> {}</span>').format(
        total, run.results, f"Answered {said}", said
    )


def _suggested(runs: Sequence[RunRecord]) -> tuple[str, str]:
    """The two newest finished runs on one set, the older first."""
    seen: dict[str, str] = {}
    for run in runs:
        digest = run.spec.set_digest
        if run.status == "done":
            if digest in seen:
                return run.id, seen[digest]
            seen[digest] = run.id
    return "", ""
