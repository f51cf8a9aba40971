"""A decision as one HTML file: the page without what needs a server, with its style inside and no script.

Invariant: it names no other file, and a policy in its head forbids the browser to load any.
Proved by `tests/unit/http/test_decision_pages.py`.
"""

from pathlib import Path

from markupsafe import Markup

from assay.app.report import decision_page, reading_part
from assay.app.report.decision_archive import DecisionArchive
from assay.app.report.decision_view import Checked, DecisionView, DevReading
from assay.app.report.page import write_whole
from assay.app.report.text import one_line
from assay.app.web import frame

_HERE = Path(__file__).parent
_STYLES = (
    Path(frame.__file__).parent / "static" / "colours.css",
    _HERE / "report.css",
    Path(frame.__file__).parent / "static" / "bar.css",
    _HERE / "pages.css",
    _HERE / "decisions.css",
    _HERE / "races.css",
)


def saved(found: DecisionArchive, decision_id: str, path: Path | None, *, folder: Path) -> Path:
    """Write a decision down as a file, by default into `folder` under its id; where it is."""
    view = found.view(decision_id)
    checked = found.checked(view.decision) if view.state == "done" else None
    if path is None:
        path = folder / f"decision-{view.decision.id}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, [decision_file(view, found.dev(view.decision), checked)])
    return path


def decision_file(view: DecisionView, reading: DevReading | None, checked: Checked | None) -> bytes:
    """The whole file, UTF-8."""
    body = Markup().join(
        (
            decision_page.head_markup(view, is_file=True),
            decision_page.standing_markup(view),
            decision_page.follows_markup(view),
            decision_page.figures_markup(view),
            decision_page.budget_section(view),
            reading_part.dev_markup(view, reading, is_file=True),
            reading_part.checked_markup(view, checked),
            decision_page.made_markup(view),
        )
    )
    page = sheet(decision_page.title_of(view), f"decision {view.decision.id[:8]}", body)
    return str(page).encode("utf-8", "replace")


def sheet(title: str, aside: str, body: Markup) -> Markup:
    """A document that stands alone: its style inside, no script, and nothing the browser may load."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    return Markup(
        '<!doctype html>\n<html lang="en" class="is-file"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="{}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        '<title>{}</title><style>{}</style></head><body><header class="top"><span class="brand"><i></i>Assay</span>'
        '<span class="muted">{}</span></header><main>{}</main></body></html>\n'
    ).format(
        policy,
        one_line(title, 120),
        Markup("\n".join(path.read_text(encoding="utf-8") for path in _STYLES)),  # noqa: S704 our own files
        aside,
        body,
    )
