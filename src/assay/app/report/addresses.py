"""The addresses of the evaluation pages. What a case or a set is called may hold any character."""

from urllib.parse import quote, urlencode

from assay.app.report.run_index import Selection


def run_url(run_id: str) -> str:
    """The page of a run."""
    return f"/runs/{run_id}"


def case_url(run_id: str, case_id: str, selection: Selection | None = None) -> str:
    """The page of a case of a run, among the cases of a selection."""
    query = selection.query(page=1) if selection is not None else ""
    if case_id in (".", ".."):  # a browser takes these for steps of the path, written in whatever way
        return f"/runs/{run_id}/cases/-{query or '?'}{'&' if query else ''}{urlencode({'id': case_id})}"
    return f"/runs/{run_id}/cases/{_step(case_id)}{query}"


def diff_url(first: str, second: str) -> str:
    """The page of two runs compared."""
    return f"/runs/{first}/diff/{second}"


def set_url(name: str, *, version: str = "") -> str:
    """The page of a set of cases."""
    return f"/cases/{_step(name)}" + (f"?version={version}" if version else "")


def review_url(name: str) -> str:
    """The review queue of a set of cases."""
    return f"/cases/{_step(name)}/review"


def decision_url(decision_id: str) -> str:
    """The page of a decision."""
    return f"/decisions/{decision_id}"


def label_url(decision_id: str) -> str:
    """Where the answers of a decision are labelled."""
    return f"/decisions/{decision_id}/label"


def race_url(race_id: str) -> str:
    """The page of a race."""
    return f"/races/{race_id}"


def _step(text: str) -> str:
    return quote(text, safe="", errors="replace")
