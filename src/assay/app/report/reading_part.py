"""The end of a decision's page: dev questions a person may read, and the evidence folded again.

Confirm questions are never here: whoever reads which of them were won or lost tunes to them, knowingly or not, and the
next verdict on the set is worth less than it says.
"""

import shlex
from collections.abc import Sequence

from markupsafe import Markup

from assay.app.labelling import answer_of
from assay.app.report.addresses import diff_url
from assay.app.report.case_parts import block
from assay.app.report.decision_view import Checked, DecisionView, DevPair, DevReading
from assay.app.report.shell import command_markup
from assay.app.report.text import inert, one_line, shown
from assay.app.report.verdict_parts import points
from assay.decisions.figures import counted
from assay.evals.result import Result

MOST_SHOWN = 40
_OPEN = 3
_ANSWER, _QUESTION, _ERROR = 4_000, 2_000, 1_000
_NOTHING = Markup()


def dev_markup(view: DecisionView, reading: DevReading | None, *, is_file: bool = False) -> Markup:
    """The dev questions both systems answered, biggest differences first; and why no others are shown."""
    if view.state == "running":
        return _NOTHING
    body = _NOTHING
    if reading is None:
        body = Markup('<p class="empty">{}</p>').format(
            "Both systems are asked some dev questions once there is a verdict. None were asked here."
        )
    else:
        differing = [pair for pair in reading.pairs if pair.difference]
        tied = [pair for pair in reading.pairs if not pair.difference]
        every = _NOTHING
        if not is_file:
            every = Markup('<a class="button small" href="{}">All side by side</a>').format(diff_url(*reading.runs))
        body = Markup(
            '<div class="facts-line dev-line"><span>{}</span><span>{}</span><span>{}</span>{}</div>{}{}'
        ).format(
            f"{reading.won:,} won",
            f"{reading.lost:,} lost",
            f"{len(tied):,} tied",
            every,
            _cards(differing),
            _ties(tied),
        )
    return Markup(
        '<section class="panel dev" id="dev"><h2>Dev questions to read</h2><p class="muted">What changed, on questions '
        "that are there to be read. They say nothing about the verdict.</p>{}{}</section>"
    ).format(body, _closed(view))


def checked_markup(view: DecisionView, checked: Checked | None) -> Markup:
    """What folding the results again says, and the commands that repeat all of it."""
    decision = view.decision
    said = _NOTHING
    if checked is not None:
        said = _agreement(checked)
    commands = [command_markup(f"assay decisions check {decision.id[:8]}", "folds the same results again")]
    if view.command:
        commands.append(command_markup(inert(view.command), "asks the question again; what is known costs nothing"))
    return Markup(
        '<section class="panel" id="check"><h2>Check it</h2>{}<div class="commands">{}</div></section>'
    ).format(said, Markup().join(commands))


def _agreement(checked: Checked) -> Markup:
    if checked.problem:
        return Markup('<p class="bad">The results could not be folded again: {}</p>').format(
            one_line(checked.problem, 600)
        )
    counts = f"{counted(checked.n, 'result')} of each system, {checked.wins:,} won, {checked.losses:,} lost"
    if checked.agrees:
        return Markup(
            '<p><span class="tag good">agrees</span> Folded again in the order that was hashed: {}. They give {}, as '
            "written down.</p>"
        ).format(counts, checked.replayed)
    return Markup(
        '<p class="bad"><span class="tag bad">does not agree</span> Folded again: {}. They give {}, and {} was written '
        "down. Do not rely on this decision.</p>"
    ).format(counts, checked.replayed, checked.written or "nothing")


def _cards(pairs: Sequence[DevPair]) -> Markup:
    cards = Markup().join(_pair(pair, is_open=number < _OPEN) for number, pair in enumerate(pairs[:MOST_SHOWN]))
    more = len(pairs) - MOST_SHOWN
    return cards + (Markup('<p class="muted">and {} more</p>').format(f"{more:,}") if more > 0 else _NOTHING)


def _ties(pairs: Sequence[DevPair]) -> Markup:
    if not pairs:
        return _NOTHING
    return Markup('<details class="more ties"><summary>{} scored alike</summary>{}</details>').format(
        counted(len(pairs), "question"), _cards(pairs)
    )


def _pair(pair: DevPair, *, is_open: bool) -> Markup:
    difference = pair.difference
    kind, word = ("good", "won") if difference > 0 else ("bad", "lost") if difference < 0 else ("", "tied")
    expected = _NOTHING
    if not pair.case.answerable:
        expected = block("Expected", Markup("To decline: the documents do not hold the answer."))
    elif pair.case.answers:
        alternatives = Markup("<br>").join(shown(answer, _QUESTION // 2) for answer in pair.case.answers[:4])
        expected = block("Expected", alternatives)
    return Markup(
        '<details class="case"{}><summary><span class="tag {}">{}</span><span class="asked"><bdi>{}</bdi></span>'
        '<span class="num score">{}</span></summary><div class="body">{}{}<div class="sides">{}{}</div></div></details>'
    ).format(
        Markup(" open") if is_open and difference else _NOTHING,
        kind,
        word,
        one_line(pair.case.question, 400),
        points(difference) if difference else "0",
        block("Question", shown(pair.case.question, _QUESTION)) if len(pair.case.question) > 120 else _NOTHING,
        expected,
        _side("Incumbent", pair.incumbent, pair.scores[0]),
        _side("Candidate", pair.candidate, pair.scores[1]),
    )


def _side(name: str, result: Result, score: float | None) -> Markup:
    said = "not scored" if score is None else f"scored {score:.3g}"
    if result.error:
        return Markup("<div>{}</div>").format(
            block(f"{name} failed", shown(result.error, _ERROR), kind="bad", aside=said)
        )
    return Markup("<div>{}</div>").format(block(name, shown(answer_of(result) or "(empty)", _ANSWER), aside=said))


def _closed(view: DecisionView) -> Markup:
    """Why confirm questions are not shown, and what looking at one costs."""
    hypothesis = view.decision.hypothesis
    spending = view.budget.spending
    cost = spending.left - spending.charge().left
    command = shlex.join(["assay", "cases", "open", hypothesis.set_name]) + " CASE"
    return Markup(
        '<div class="closed"><p>The {} confirm questions it was decided on are not shown. Whoever reads which of them '
        "were lost tunes to them, and the next verdict on this set would be worth less than it says. Opening one moves "
        "its whole cluster to the dev questions and costs {} of the alpha that is left.</p>{}</div>"
    ).format(f"{hypothesis.items:,}", f"{cost:.2g}", command_markup(inert(command), "opens one case for reading"))
