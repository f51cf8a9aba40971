"""What was declared before the first result, what changed between the two systems, and the alpha a decision took."""

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from assay.app.report.decision_view import DecisionView
from assay.app.report.text import inert, moment, one_line
from assay.decisions.hypothesis import Hypothesis, Named
from assay.ledger.redaction import without_keys

_NOTHING = Markup()
_RULES = {
    "exact-horizon": "exact sequential McNemar test with a declared horizon",
    "betting": "betting test, looked at after every unit",
    "cluster-looks": "sign-flips of whole clusters at declared looks",
}
_MOST_SETTINGS = 40


def declared_markup(view: DecisionView) -> Markup:
    """The hypothesis as it was written down before anything was asked."""
    decision, hypothesis = view.decision, view.decision.hypothesis
    margins = hypothesis.margins
    rows: list[tuple[str, Any]] = [
        ("Written down", moment(decision.created_ns)),
        ("First result", _first_result(view)),
        ("Objective", _objective(hypothesis)),
        ("Metric", Markup("<code>{}</code>").format(one_line(hypothesis.metric, 60))),
        ("Smallest gain that matters", _gain(hypothesis)),
        ("Margin", f"{100 * margins.margin:g} points worse still counts as not worse"),
        ("Cost and latency", _ratios(hypothesis)),
        ("Alpha", f"{hypothesis.alpha:.4g}, the chance to promote what should not be"),
        ("Rule", _rule(hypothesis)),
        ("Questions", _questions(hypothesis)),
        ("Order", Markup("<code>{}</code> seed <code>{}</code>").format(
            hypothesis.order_digest[:16], one_line(str(decision.details.get("seed", "")), 16))),
        ("Set", Markup("<code>{}</code>").format(hypothesis.set_digest[:16])),
        ("Incumbent", _named(hypothesis.incumbent)),
        ("Candidate", _named(hypothesis.candidate)),
        ("Hypothesis", Markup("<code>{}</code>").format(hypothesis.digest)),
    ]  # fmt: skip
    listed = Markup().join(Markup("<dt>{}</dt><dd>{}</dd>").format(*row) for row in rows)
    return Markup(
        '<section class="panel"><h2>Declared before the first result</h2><p class="muted">{}</p>'
        '<dl class="declared">{}</dl>{}{}</section>'
    ).format(one_line(hypothesis.sentence(), 1_000), listed, _changes(view), _whole(hypothesis))


def budget_markup(view: DecisionView) -> Markup:
    """What this decision took from the evidence budget of its set, and what it handed on."""
    hypothesis, budget = view.decision.hypothesis, view.budget
    own = next((line for line in budget.lines if line.decision_id == view.decision.id), None)
    if own is None:
        return _NOTHING
    carried = f", of which {own.carried:.3g} was handed on by the decision before" if own.carried else ""
    handed = budget.handed_on(view.decision.id)
    after = (
        f"It rejected, so its {handed:.3g} went on to the next decision."
        if handed
        else "It rejected, and the next decision began too early to get what it hands on."
        if own.rejected
        else "That is spent: only a promotion hands its alpha on."
    )
    return Markup(
        '<section class="panel"><h2>Evidence budget</h2><p>Decision {} of season {} on <bdi>{}</bdi> took alpha {}{}. '
        '{}</p><p class="muted">Left for all later decisions of the season: {}, the next one {}.</p></section>'
    ).format(
        own.ordinal,
        hypothesis.season,
        one_line(hypothesis.set_name, 80),
        f"{own.alpha:.3g}",
        carried,
        after,
        f"{budget.left:.3g}",
        f"{budget.alpha_next:.3g}",
    )


def _first_result(view: DecisionView) -> str:
    began = [run.created_ns for run in view.runs if run is not None]
    if not began:
        return "none yet"
    before = [one for one in began if one < view.decision.created_ns]
    # The answers of an incumbent are reused from decision to decision; a candidate's would be a reason to doubt.
    reused = "; the incumbent had answered some of them before" if before and len(before) < len(began) else ""
    if len(before) == len(began):
        return f"{moment(min(began))}, before this was written down: both had answered some of them before"
    return f"{moment(max(began))} or later{reused}"


def _objective(hypothesis: Hypothesis) -> str:
    if hypothesis.objective == "better":
        return "better: the candidate scores higher"
    return "not worse: the candidate scores no more than the margin lower"


def _gain(hypothesis: Hypothesis) -> str:
    gain = f"{100 * hypothesis.margins.smallest:g} points"
    return f"{gain}; a candidate that gains them is dropped at most {100 * hypothesis.beta:g}% of the time"


def _ratios(hypothesis: Hypothesis) -> str:
    margins = hypothesis.margins
    parts = [
        f"{name} at most {ratio:g}x"
        for name, ratio in (("cost an answer", margins.cost_ratio), ("p95 latency", margins.latency_ratio))
        if ratio is not None
    ]
    return ", ".join(parts) if parts else "no margins: reported, not judged"


def _rule(hypothesis: Hypothesis) -> str:
    said = _RULES[hypothesis.rule]
    if hypothesis.horizon is not None:
        said += f", horizon {hypothesis.horizon:,} questions on which the two differ"
    if hypothesis.looks:
        said += ": " + ", ".join(f"{look:,}" for look in hypothesis.looks)
    return said


def _questions(hypothesis: Hypothesis) -> str:
    clusters = f" in {hypothesis.clusters:,} clusters" if hypothesis.clusters is not None else ", each standing alone"
    repeats = f", asked {hypothesis.replicas} times each" if hypothesis.replicas > 1 else ""
    return f"{hypothesis.items:,} confirm questions of {one_line(hypothesis.set_name, 60)}{clusters}{repeats}"


def _named(named: Named) -> Markup:
    what = named.subject or named.identity
    digest = Markup(" <code>{}</code>").format(one_line(what, 16)) if what else _NOTHING
    return Markup("<bdi>{}</bdi>{}").format(one_line(named.name, 120), digest)


def _changes(view: DecisionView) -> Markup:
    """The settings of the candidate, and of the incumbent where they differ."""
    before, after = view.changes.get("incumbent", {}), view.changes.get("candidate", {})
    names = [name for name in dict.fromkeys((*after, *before)) if before.get(name) != after.get(name)]
    if not names:
        return _NOTHING
    rows = Markup().join(
        Markup('<tr><th scope="row"><code>{}</code></th><td>{}</td><td>{}</td></tr>').format(
            one_line(str(name), 80), _value(before, name), _value(after, name)
        )
        for name in names[:_MOST_SETTINGS]
    )
    return Markup(
        '<h3 class="under">What was changed</h3><table class="settings-changed"><thead><tr><th scope="col">Setting</th>'
        '<th scope="col">Incumbent</th><th scope="col">Candidate</th></tr></thead><tbody>{}</tbody></table>'
    ).format(rows)


def _value(settings: Mapping[str, Any], name: str) -> Markup:
    if name not in settings:
        return Markup('<span class="faint">as configured</span>')
    value = settings[name]
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    # With its name before it a key is recognised that its value alone would not give away.
    clean = without_keys(f"{name}: {text}").removeprefix(f"{name}: ")
    return Markup("<code>{}</code>").format(one_line(clean, 600))


def _whole(hypothesis: Hypothesis) -> Markup:
    text = json.dumps(hypothesis.as_json(), indent=1, ensure_ascii=False, sort_keys=True)
    return Markup('<details class="more"><summary>All of it, as hashed</summary><pre class="whole">{}</pre></details>'
    ).format(inert(text))  # fmt: skip
