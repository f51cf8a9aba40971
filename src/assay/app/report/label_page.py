"""Labelling in the browser: two answers to a question, blind, judged by a key or a button.

Invariant: nothing on these pages says which system gave which answer, how the scores judged them, or what the labels
say so far. Proved by `tests/unit/http/test_decision_pages.py`.
"""

from collections.abc import Collection

from markupsafe import Markup

from assay.app.report.addresses import decision_url, label_url
from assay.app.report.case_parts import block
from assay.app.report.shell import crumbs_markup
from assay.app.report.text import one_line, shown
from assay.app.report.verdict_parts import support_markup, verdict_markup
from assay.decisions.labels import Shown
from assay.decisions.register import Decision

_LONGEST = 20_000
_NOTHING = Markup()
FEWEST, MOST, USUAL = 16, 10_000, 100
CHOICES = (
    ("1", "Only the first is right"),
    ("2", "Only the second"),
    ("b", "Both"),
    ("n", "Neither"),
    ("s", "Skip"),
    ("u", "Undo"),
)


def declare_markup(decision: Decision) -> Markup:
    """How many labels: declared once, before the first."""
    return _titled(
        decision,
        Markup(
            '<section class="panel"><h2>How many labels?</h2><p class="muted">You see a question with both answers, '
            "without their names and with sides that change, and say which are right. The number is declared once, "
            "before the first label, so that nobody can stop where it suits them; the verdict is read from the labels "
            'when all of them are there.</p><form class="declare" method="post" action="{}">'
            '<label>Labels <input type="number" name="labels" min="{}" max="{}" value="{}" '
            'required></label><button class="button primary" name="choice" '
            'value="declare">Begin</button></form></section>'
        ).format(label_url(decision.id), FEWEST, MOST, USUAL),
    )


def label_markup(decision: Decision, item: Shown, *, done: int, wanted: int, skipping: Collection[int]) -> Markup:
    """The question to label now."""
    first, second = item.answers
    references = _NOTHING
    if item.item.references:
        references = block("Expected", Markup("<br>").join(shown(one, 2_000) for one in item.item.references[:3]))
    buttons = Markup().join(
        Markup('<button class="button {}" name="choice" value="{}" data-key="{}">{} <kbd>{}</kbd></button>').format(
            "primary" if key in "12" else "", key, key, says, key
        )
        for key, says in CHOICES
    )
    return _titled(
        decision,
        _progress(done, wanted),
        Markup(
            '<section class="panel labelling"><h2 class="asked-now"><bdi>{}</bdi></h2>{}<div class="versus answers">'
            '<div class="answer"><b class="letter">1</b><div class="text" dir="auto">{}</div></div>'
            '<div class="answer"><b class="letter">2</b><div class="text" dir="auto">{}</div></div></div>'
            '<form class="choices" method="post" action="{}"><input type="hidden" name="ordinal" value="{}">'
            '<input type="hidden" name="skip" value="{}">{}</form></section>'
        ).format(
            shown(item.item.question, _LONGEST),
            references,
            _answer(first),
            _answer(second),
            label_url(decision.id),
            item.item.ordinal,
            ",".join(map(str, sorted(skipping))),
            buttons,
        ),
        Markup(
            '<p class="faint">Saved at every key. Stop whenever you like and go on here or with <code>{}</code>.</p>'
        ).format(f"assay label {decision.id[:8]}"),
    )  # fmt: skip


def skipped_markup(decision: Decision, *, done: int, wanted: int) -> Markup:
    """Nothing but skipped questions is left."""
    return _titled(
        decision,
        _progress(done, wanted),
        Markup(
            '<section class="panel"><h2>Only skipped questions are left</h2><p class="muted">No verdict is read from '
            'the labels before all {} are there.</p><div class="actions"><a class="button primary" href="{}">Go '
            "through the skipped ones</a></div></section>"
        ).format(f"{wanted:,}", label_url(decision.id)),
    )


def alike_markup(decision: Decision) -> Markup:
    """Both systems gave the same answers, so that no label can tell them apart."""
    return _titled(
        decision,
        Markup(
            '<section class="panel"><h2>There is nothing to label</h2><p class="muted">Both systems gave the same '
            'answer to every question, so no label can tell them apart.</p><div class="actions">'
            '<a class="button primary" href="{}">Open the decision</a></div></section>'
        ).format(decision_url(decision.id)),
    )


def unread_markup(decision: Decision, *, wanted: int) -> Markup:
    """All labels are there and no verdict was read from them: whoever gave the last one was cut off."""
    return _titled(
        decision,
        _progress(wanted, wanted),
        Markup(
            '<section class="panel"><h2>All labels are there</h2><form class="actions" method="post" action="{}">'
            '<button class="button primary" name="choice" value="read">Read the verdict</button></form></section>'
        ).format(label_url(decision.id)),
    )


def complete_markup(decision: Decision, before: str, *, says: str, wanted: int) -> Markup:
    """All labels are there, and what the verdict is now. `before` is the verdict the scores alone gave."""
    changed = "" if before == decision.verdict else f"The scores alone said {before}. "
    return _titled(
        decision,
        _progress(wanted, wanted),
        Markup(
            '<section class="panel complete"><h2>All labels are there</h2><div class="verdict-line">{}{}</div><p>{}</p>'
            '<p class="muted">{}It rests on a person\'s labels now.</p><div class="actions"><a class="button primary" '
            'href="{}">Open the decision</a></div></section>'
        ).format(
            verdict_markup(decision.verdict or "", is_large=True),
            support_markup(decision.support),
            one_line(says, 600),
            changed,
            decision_url(decision.id),
        ),
    )


def _titled(decision: Decision, *parts: Markup) -> Markup:
    # Neither system is named: knowing what is compared is enough to recognise who wrote what.
    return Markup('<div class="title">{}<div class="name"><h1>Label answers</h1></div></div>{}').format(
        crumbs_markup(("/decisions", "Decisions"), (decision_url(decision.id), decision.id[:8])), Markup().join(parts)
    )


def _progress(done: int, wanted: int) -> Markup:
    return Markup(
        '<div class="facts-line"><span class="going"><progress max="{}" value="{}" aria-label="Labelled"></progress>'
        "</span><span>{} of {} labelled</span></div>"
    ).format(wanted, done, f"{done:,}", f"{wanted:,}")


def _answer(text: str) -> Markup:
    return shown(text, _LONGEST) if text else Markup('<i class="faint">Empty.</i>')
