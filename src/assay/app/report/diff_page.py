"""The page of two runs compared: each metric's paired difference, then the cases that changed most, side by side."""

from collections.abc import Sequence
from dataclasses import replace

from markupsafe import Markup

from assay.app.report.addresses import case_url, diff_url, run_url
from assay.app.report.case_parts import Manner, answer_markup, block, expected_markup
from assay.app.report.cases import outcome_markup
from assay.app.report.drawing import difference_bar
from assay.app.report.shell import crumbs_markup, pager_markup
from assay.app.report.text import moment, one_line, shown
from assay.app.report.view import CaseView
from assay.evals.diff import KINDS, CaseDiff, Diff, MetricDiff
from assay.evals.runs import RunRecord
from assay.evals.scoreboard import headline

PAGE_CASES = 20
MOST_CASES = 1_000

_NOTHING = Markup()
_KINDS = {"newly failing": "bad", "lost": "bad", "mixed": "warn", "unscored": "warn", "gained": "good",
          "no longer failing": "good"}  # fmt: skip


def head_markup(first: RunRecord, second: RunRecord) -> Markup:
    """Which runs are compared."""
    sides = Markup().join(
        Markup(
            '<div class="side"><b class="letter">{}</b><div><a href="{}"><bdi>{}</bdi></a>'
            '<div class="faint num"><code>{}</code> {}, <bdi>{}</bdi></div></div></div>'
        ).format(
            letter,
            run_url(run.id),
            one_line(run.spec.system, 120),
            run.id[:8],
            moment(run.created_ns),
            one_line(run.spec.set_name, 60) or run.spec.set_digest[:8],
        )
        for letter, run in (("A", first), ("B", second))
    )
    return Markup(
        '<div class="title">{}<div class="name"><h1>What changed from A to B</h1><div class="actions">'
        '<a class="button small" href="{}">Swap</a></div></div><div class="versus">{}</div></div>'
    ).format(crumbs_markup(("/runs", "Runs")), diff_url(second.id, first.id), sides)


def metrics_markup(found: Diff) -> Markup:
    """Every metric's difference with its interval around zero."""
    notes = Markup().join(Markup("<p>{}</p>").format(one_line(note, 400)) for note in found.notes)
    noted = Markup('<div class="notice">{}</div>').format(notes) if notes else _NOTHING
    if not found.metrics:
        return noted + Markup(
            '<section class="panel"><h2>Metrics</h2><p class="empty">The runs have no metric in common on cases that '
            "both have.</p></section>"
        )
    first = headline(found.metrics)
    rest = [name for name in found.metrics if name not in first]
    level = f"{100 * (1 - found.alpha):g}%"
    more = _NOTHING
    if rest:
        more = Markup('<details class="more"><summary>{} more at other cuts</summary>{}</details>').format(
            len(rest), _table([found.metrics[name] for name in rest], level)
        )
    return noted + Markup(
        '<section class="panel"><h2>Metrics</h2><p class="muted">B minus A over the {} cases of both, paired case by '
        "case. A verdict is read from the interval and nothing else.</p>{}{}</section>"
    ).format(f"{found.paired:,}", _table([found.metrics[name] for name in first], level), more)


def kinds_markup(found: Diff, base: str, chosen: str) -> Markup:
    """What became of the cases, each kind a filter."""
    links = [("", f"all that changed ({found.changed:,})")]
    links += [(kind, f"{kind} ({found.counts[kind]:,})") for kind in KINDS if kind != "same" and found.counts[kind]]
    listed = Markup().join(
        Markup('<a class="button small" href="{}#cases"{}>{}</a>').format(
            f"{base}?kind={kind}" if kind else base,
            Markup(' aria-current="true"') if kind == chosen else _NOTHING,
            label,
        )
        for kind, label in links
    )
    return Markup('<nav class="kinds" aria-label="Kinds of change">{}</nav>').format(listed)


def cases_markup(kinds: Markup, cases: Sequence[Markup], found: Diff, page: int, pages: int, base: str) -> Markup:
    """The list of changed cases around its page of them."""
    listed = Markup('<div class="changes">{}</div>').format(Markup().join(cases)) if cases else Markup(
        '<p class="empty">No case changed.</p>'
    )  # fmt: skip
    cut = (
        Markup('<p class="muted">The {} that changed most are listed.</p>').format(f"{len(found.cases):,}")
        if found.changed > len(found.cases)
        else _NOTHING
    )
    same = f"{found.counts['same']:,} of {found.paired:,} are the same in both"
    return Markup(
        '<section class="panel" id="cases"><h2>Cases that changed most <span class="muted num">{}</span></h2>'
        "{}{}{}{}</section>"
    ).format(
        same,
        kinds,
        cut,
        listed,
        pager_markup(page, pages, lambda number: f"{base}{'&' if '?' in base else '?'}page={number}#cases"),
    )


def change_markup(
    change: CaseDiff, views: tuple[CaseView, CaseView], runs: tuple[RunRecord, RunRecord], manner: Manner
) -> Markup:
    """One case in both runs."""
    case = views[0].case
    first = headline(change.scores)
    moved = [name for name, (a, b) in change.scores.items() if a != b]
    names = [name for name in first if name in moved] or moved[:6]
    chips = Markup().join(_moved(name, *change.scores[name]) for name in names)
    halves = Markup().join(
        Markup('<div><div class="half"><b class="letter">{}</b>{}<a href="{}">open</a></div>{}{}</div>').format(
            letter,
            outcome_markup(view.outcome),
            case_url(run.id, case.id),
            block("Error", shown(view.result.error, manner.error), kind="bad") if view.result.error else _NOTHING,
            answer_markup(view.result.output, manner, answerable=case.answerable) if view.result.output else _NOTHING,
        )
        for letter, view, run in zip("AB", views, runs, strict=True)
    )
    return Markup(
        '<article class="change"><div class="change-head"><h3><bdi>{}</bdi></h3><span class="tag {}">{}</span></div>'
        '<div class="chips">{}</div>{}<div class="sides">{}</div></article>'
    ).format(
        one_line(case.question, 400),
        _KINDS.get(change.kind, ""),
        change.kind,
        chips,
        expected_markup(views[0], manner),
        halves,
    )


def manner_of(manner: Manner) -> Manner:
    """Less of everything than on a case's own page."""
    return replace(manner, answer=4_000, error=2_000, passages=10, question=4_000)


def _table(metrics: Sequence[MetricDiff], level: str) -> Markup:
    reach = max((max(abs(one.difference.low), abs(one.difference.high)) for one in metrics), default=0.0)
    reach = min(1.0, reach * 1.1) or 0.1
    rows = Markup().join(
        Markup(
            '<tr><th scope="row">{}<small>{} cases</small></th><td class="num">{}</td><td class="num">{}</td>'
            '<td class="num strong">{}</td><td class="bar">{}</td><td class="num">{}</td>'
            '<td><span class="tag {}">{}</span></td><td class="num">{}</td></tr>'
        ).format(
            one.name,
            f"{one.n:,}",
            f"{one.first:.3f}",
            f"{one.second:.3f}",
            _signed(one.difference.value),
            _bar(one, reach),
            _limits(one),
            _KINDS_OF_VERDICT[one.verdict],
            one.verdict,
            _moves(one),
        )
        for one in metrics
    )
    return Markup(
        '<table class="differences"><thead><tr><th scope="col">Metric</th><th scope="col" class="num">A</th>'
        '<th scope="col" class="num">B</th><th scope="col" class="num">B − A</th><th scope="col" class="bar">'
        '<span class="ends"><i>{}</i><i>0</i><i>{}</i></span></th><th scope="col" class="num">{} interval</th>'
        '<th scope="col">Verdict</th><th scope="col" class="num">Cases up / down</th></tr></thead>'
        "<tbody>{}</tbody></table>"
    ).format(f"−{reach:.2g}", f"+{reach:.2g}", level, rows)


_KINDS_OF_VERDICT = {"higher": "good", "lower": "bad", "undecided": ""}


def _bar(one: MetricDiff, reach: float) -> Markup:
    if one.difference.method == "none":
        return _NOTHING
    low, high = (max(-reach, min(reach, limit)) for limit in (one.difference.low, one.difference.high))
    return difference_bar(one.difference.value, low, high, reach=reach, verdict=one.verdict)


def _limits(one: MetricDiff) -> str:
    if one.difference.method == "none":
        return "no interval"
    return f"{_signed(one.difference.low)} to {_signed(one.difference.high)}"


def _moves(one: MetricDiff) -> str:
    more = f", {one.unscored:,} not scored" if one.unscored else ""
    return f"{one.gained:,} / {one.lost:,}{more}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−") if f"{value:.3f}" not in ("0.000", "-0.000") else "0.000"


def _moved(name: str, first: float | None, second: float | None) -> Markup:
    a, b = ("not scored" if value is None else f"{value:.3g}" for value in (first, second))
    return Markup('<span class="chip">{} {} → <b class="num">{}</b></span>').format(name, a, b)
