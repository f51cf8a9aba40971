"""Did it cite the evidence, or decline where there is none? A score that needs no judge."""

from collections.abc import Sequence

from assay.answers.outcome import Citation, Outcome
from assay.evals.case import Case
from assay.evals.scorer import Gold


def evidence_score(case: Case, gold: Sequence[Gold], outcome: Outcome) -> float:
    """1.0 where an answerable case is answered with a citation that overlaps its gold, or an
    unanswerable one is declined; else 0.0."""
    if not case.answerable:
        return float(outcome.kind == "declined")
    return float(any(overlaps(citation, span) for citation in outcome.citations for span in gold))


def overlaps(citation: Citation, gold: Gold) -> bool:
    """True where both lie in the same document and share at least half of the shorter one."""
    if citation.document != gold.document or gold.start is None or gold.end is None:
        return False
    shared = min(citation.end, gold.end) - max(citation.start, gold.start)
    return shared > 0 and 2 * shared >= min(citation.end - citation.start, gold.end - gold.start)
